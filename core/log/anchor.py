"""The last head that this hub signed, kept outside the database.

Whoever can write to the database can put it back to an earlier state that is consistent in itself. He cannot
reach this memory: a file in the hub's folder, and the process's own.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from core.log.heads import HeadVerifier, ReadHead, broken_log
from signing.errors import ShuzhengError


class Anchor:
    """Keeps the newest head in `path` and in memory; None keeps it in memory alone."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._note: str | None = None

    @property
    def path(self) -> Path | None:
        """The file."""
        return self._path

    def keep(self, note: str) -> None:
        """Keep the note of a head that was committed."""
        self._note = note
        if self._path is None:
            return
        beside = self._path.with_name(f"{self._path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):  # a full disk must not stop the log; the memory still holds
            beside.write_text(note, encoding="utf-8")
            beside.replace(self._path)

    def load(self, heads: HeadVerifier) -> ReadHead | None:
        """Return the largest head known to this hub; None where it knows none."""
        notes = [] if self._note is None else [self._note]
        if self._path is not None and self._path.exists():
            notes.append(self._path.read_text(encoding="utf-8"))
        known = []
        for note in notes:
            with contextlib.suppress(ShuzhengError):
                known.append(heads.verify(note))
        return max(known, key=lambda head: head.size, default=None)

    def verify_continued(self, kept: ReadHead | None, *, size: int, root: bytes) -> None:
        """Raise Conflict where the stored tree is shorter than, or another than, that of the `kept` head.

        `kept` must have been loaded before the tree was read: a head is kept after it is committed.
        """
        if kept is None or kept.size < size:
            return
        if kept.size > size:
            msg = f"this hub signed a tree of {kept.size} leaves, and the database holds {size}"
            detail = f"{msg}; if a backup was restored on purpose, remove {self._name()}"
            raise broken_log(detail)
        if kept.root != root:
            detail = f"this hub signed another tree of {size} leaves than the database holds"
            raise broken_log(detail)

    def _name(self) -> str:
        return "the hub's restart" if self._path is None else f"{self._path.name} from SHUZHENG_HOME"
