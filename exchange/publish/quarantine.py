"""The quarantine: looking at refused and flagged rows, and downloading them to be mended."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from core.caller import Caller
from core.database import Database
from core.errors import NotFound, Unavailable
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.catalogue.model import Resource
from exchange.publish import store, store_quarantine
from exchange.publish.media import ADDED_HEADERS, XLS, XLSX
from exchange.publish.reject_files import open_reject_file
from exchange.publish.store_quarantine import FLAGS, REJECTS

PAGE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectFile:
    """A written download: where it lies until the block ends, and what it is."""

    path: Path
    media_type: str
    charset: str | None


class Quarantine:
    """Reads the rows that a batch's validation refused or marked; each reading is logged."""

    def __init__(self, *, database: Database, log: LogWriter) -> None:
        self._database = database
        self._log = log

    async def load_rejects(
        self, resource: Resource, batch_id: UUID, *, caller: Caller, after: int, open_only: bool = False
    ) -> list[dict[str, Any]]:
        """Load a page of a batch's refused rows, from after row `after` on. Raises NotFound."""
        return await self._load(REJECTS, resource, batch_id, caller=caller, after=after, open_only=open_only)

    async def load_flags(
        self, resource: Resource, batch_id: UUID, *, caller: Caller, after: int
    ) -> list[dict[str, Any]]:
        """Load a page of a batch's flagged rows, from after row `after` on. Raises NotFound."""
        return await self._load(FLAGS, resource, batch_id, caller=caller, after=after, open_only=False)

    async def read_rejects(
        self, resource: Resource, batch_id: UUID, *, caller: Caller, open_only: bool
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Read a batch's refused rows, a page at a time. Raises NotFound."""
        after = 0
        while page := await self.load_rejects(
            resource, batch_id, caller=caller, after=after, open_only=open_only
        ):
            yield page
            after = page[-1]["row"]

    @asynccontextmanager
    async def write_file(
        self,
        resource: Resource,
        batch_id: UUID,
        *,
        caller: Caller,
        media_type: str | None,
        open_only: bool,
        spool_dir: Path,
    ) -> AsyncIterator[RejectFile]:
        """Write a batch's refused rows into a file of the kind that they came in, or of `media_type`.

        It has the columns of the batch, and row number, raw line, ticket and reasons beside them; the hub
        passes over those when the mended file comes. It is removed when the block ends. Raises NotFound, and
        Unavailable where the disk refuses.
        """
        async with self._database.acquire() as connection:
            row = await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id)
            headers = await store_quarantine.load_headers(connection, batch_id=batch_id)
        if row is None:
            raise _no_batch()
        kind = media_type or (XLSX if row["media_type"] == XLS else row["media_type"])
        charset = row["charset"] if media_type is None else None
        columns = [header for header in headers if header and header not in ADDED_HEADERS]
        with tempfile.TemporaryDirectory(prefix="rejects-", dir=spool_dir) as folder:
            path = Path(folder) / "rejects"
            writer = open_reject_file(path, kind, columns, charset)
            try:
                async for page in self.read_rejects(resource, batch_id, caller=caller, open_only=open_only):
                    await asyncio.to_thread(writer.write, page)
                await asyncio.to_thread(writer.close)
            except OSError as trouble:
                with suppress(OSError):
                    writer.close()
                msg = "the hub cannot write the download; its disk may be full"
                raise Unavailable(msg) from trouble
            yield RejectFile(path=path, media_type=kind, charset=writer.charset)

    async def _load(
        self, table: str, resource: Resource, batch_id: UUID, *, caller: Caller, after: int, open_only: bool
    ) -> list[dict[str, Any]]:
        async with self._database.transaction() as connection:
            if await store.load_batch(connection, resource_code=resource.code, batch_id=batch_id) is None:
                raise _no_batch()
            found = await store_quarantine.load_rows(
                connection, table=table, batch_id=batch_id, after=after, limit=PAGE, open_only=open_only
            )
            await self._log.append(
                connection,
                event=Event.REJECTS_READ,
                caller=caller,
                resource_code=resource.code,
                subject=name_mass_reading(resource.code),
                details={"batch": str(batch_id), "kind": table, "rows": len(found)},
            )
        return found


def _no_batch() -> NotFound:
    msg = "there is no such batch of this resource"
    return NotFound(msg)
