"""Certificate types as a process keeps them, parsed once, under names that change with their rows.

Each call asks the database for those names (from xmin), so that a type or its service items changed by any
process hold at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from certs.types.model import CertificateType
from certs.types.store import load_types_by_code, write_fingerprints
from core.database import Connection
from core.database.gathering import Gathering, Row

MAX_KEPT: Final = 2000


class KeptTypes:
    """Reads the newest versions of certificate types; one per process."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], CertificateType] = {}

    def write(self, gathering: Gathering, *, codes: Collection[str]) -> int:
        """Write the reading of the types' names into a statement; return its number there."""
        return write_fingerprints(gathering, codes=codes)

    async def take(self, connection: Connection, rows: Sequence[Row]) -> dict[str, CertificateType]:
        """Return the types that the statement found, by code; unknown codes are left out."""
        names = {row[0]: (row[0], row[1]) for row in rows}
        lacking = [code for code, name in names.items() if name not in self._kept]
        if lacking:
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            loaded = await load_types_by_code(connection, codes=[code for code, _ in names.values()])
            self._kept |= {names[code]: kind for code, kind in loaded.items()}
            return loaded
        return {code: self._kept[name] for code, name in names.items()}
