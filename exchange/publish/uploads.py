"""Uploads that may be interrupted: created, appended to at an offset, published when they are whole.

The parts lie in the object store, so that any hub process takes the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from core.caller import Caller
from core.database import Database
from core.errors import BadInput, Conflict, NotFound, TooLarge
from core.objects import ObjectStore
from exchange.catalogue.model import Resource
from exchange.publish import store_uploads as store
from exchange.publish.model import Mode, PartialUpload, Upload
from exchange.publish.receive import receive_upload

LIFE: Final = timedelta(days=3)


class CutConnection(Exception):
    """The sender went away; what had come until then is kept."""


class UploadService:
    """Takes uploads in parts. Each belongs to the system that created it."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        spool_dir: Path,
        max_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._objects = objects
        self._spool_dir = spool_dir
        self._max_bytes = max_bytes
        self._now = now

    async def create(
        self,
        resource: Resource,
        *,
        caller: Caller,
        media_type: str,
        charset: str | None,
        coding: str | None,
        length_bytes: int | None,
    ) -> PartialUpload:
        """Begin an upload of an announced length. Raises TooLarge."""
        if length_bytes is not None and length_bytes > self._max_bytes:
            raise self._too_large()
        upload = PartialUpload(
            id=uuid4(),
            media_type=media_type,
            charset=charset,
            coding=coding,
            length_bytes=length_bytes,
            offset_bytes=0,
        )
        async with self._database.transaction() as connection:
            await store.save_upload(
                connection,
                upload=upload,
                resource_code=resource.code,
                system_id=caller.system_id,
                expires_at=self._now() + LIFE,
            )
        return upload

    async def load(self, resource: Resource, upload_id: UUID, *, caller: Caller) -> PartialUpload:
        """Load how far an upload is. Raises NotFound."""
        async with self._database.acquire() as connection:
            found = await store.load_upload(
                connection, upload_id=upload_id, resource_code=resource.code, system_id=caller.system_id
            )
        if found is None:
            raise _no_upload()
        return found

    async def append(
        self,
        resource: Resource,
        upload_id: UUID,
        *,
        caller: Caller,
        offset_bytes: int,
        body: AsyncIterable[bytes],
    ) -> PartialUpload:
        """Append a part at `offset_bytes`, which must be where the upload ends.

        Where the connection is cut, the octets that came are kept. Raises Conflict for another offset,
        TooLarge or BadInput for more than was announced.
        """
        upload = await self.load(resource, upload_id, caller=caller)
        _require_offset(upload, offset_bytes)
        data = bytearray()
        try:
            async for piece in body:
                data += piece
                if offset_bytes + len(data) > self._max_bytes:
                    raise self._too_large()
        except CutConnection:
            pass
        if upload.length_bytes is not None and offset_bytes + len(data) > upload.length_bytes:
            msg = f"the upload was announced with {upload.length_bytes} bytes, and this is more"
            raise BadInput(msg)
        return await self._keep(resource, upload, bytes(data), caller=caller)

    async def _keep(
        self, resource: Resource, upload: PartialUpload, data: bytes, *, caller: Caller
    ) -> PartialUpload:
        if not data:
            return upload
        key = f"uploads/{upload.id}/{upload.offset_bytes:015d}-{uuid4().hex}"
        await asyncio.to_thread(self._objects.put, key, data)
        try:
            async with self._database.transaction() as connection:
                held = await store.load_upload(
                    connection,
                    upload_id=upload.id,
                    resource_code=resource.code,
                    system_id=caller.system_id,
                    for_update=True,
                )
                if held is None:
                    raise _no_upload()
                _require_offset(held, upload.offset_bytes)
                return await store.save_part(connection, upload=held, key=key, size_bytes=len(data))
        except (Conflict, NotFound):
            await asyncio.to_thread(self._objects.delete, key)
            raise

    @asynccontextmanager
    async def open(
        self, resource: Resource, upload_id: UUID, *, caller: Caller, mode: Mode
    ) -> AsyncIterator[Upload]:
        """Put the parts together as one body, which is removed when the block ends.

        Raises Conflict for an upload that is not whole yet.
        """
        partial = await self.load(resource, upload_id, caller=caller)
        if not partial.is_whole:
            msg = (
                f"the upload has {partial.offset_bytes} of {partial.length_bytes} bytes; send the rest first"
            )
            raise Conflict(msg)
        async with receive_upload(
            self._read_parts(upload_id),
            spool_dir=self._spool_dir,
            max_bytes=self._max_bytes,
            media_type=partial.media_type,
            charset=partial.charset,
            coding=partial.coding,
            label=f"{mode} {partial.media_type}",
        ) as upload:
            yield upload

    async def _read_parts(self, upload_id: UUID) -> AsyncIterator[bytes]:
        async with self._database.acquire() as connection:
            keys = await store.load_part_keys(connection, upload_id=upload_id)
        for key in keys:
            try:
                yield await asyncio.to_thread(self._objects.get, key)
            except NotFound:  # another call published it meanwhile
                raise _no_upload() from None

    async def delete(self, resource: Resource, upload_id: UUID, *, caller: Caller) -> None:
        """Throw an upload away. Raises NotFound."""
        await self.load(resource, upload_id, caller=caller)
        await self._remove(upload_id)

    async def delete_expired(self) -> int:
        """Throw away what nobody finished in time; return how many uploads."""
        async with self._database.acquire() as connection:
            expired = await store.load_expired(connection, at=self._now())
        for upload_id in expired:
            await self._remove(upload_id)
        return len(expired)

    async def _remove(self, upload_id: UUID) -> None:
        async with self._database.transaction() as connection:
            keys = await store.load_part_keys(connection, upload_id=upload_id)
            await store.delete_upload(connection, upload_id=upload_id)
        for key in keys:
            await asyncio.to_thread(self._objects.delete, key)

    def _too_large(self) -> TooLarge:
        msg = f"the batch is over the limit of {self._max_bytes} bytes; send it in smaller batches"
        return TooLarge(msg)


def _require_offset(upload: PartialUpload, offset_bytes: int) -> None:
    if upload.offset_bytes != offset_bytes:
        msg = f"the upload ends at offset {upload.offset_bytes}; ask with HEAD, and go on from there"
        raise Conflict(msg)


def _no_upload() -> NotFound:
    msg = "there is no such upload of this system; it may have been published, thrown away or expired"
    return NotFound(msg)
