"""Making the files of a view from those of the lake, each once, and keeping them in the object store.

Files of the lake never change, and a view's digest names all that decides what it shows; so a file that was
made is good as long as it is kept. Making it again gives the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from io import BytesIO
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from core.database import Database
from core.errors import Conflict, NotFound, Unavailable
from core.objects import ObjectStore
from subscriptions.lake.columns import plain_types
from subscriptions.lake.place import object_key as lake_key
from subscriptions.lake.table import LakeTable
from subscriptions.sharing import store
from subscriptions.sharing.changes import keep_moved, show_changes, show_transition
from subscriptions.sharing.model import SharedFile
from subscriptions.sharing.spans import measure
from subscriptions.sharing.ticket import name_of, object_key
from subscriptions.sharing.view import View

ROWS_PER_GROUP: Final = 500_000
MAX_MAKING: Final = 2


class FileMaker:
    """Makes the files of views. At most two are made at a time in one process."""

    def __init__(self, *, database: Database, objects: ObjectStore, now: Callable[[], datetime]) -> None:
        self._database = database
        self._objects = objects
        self._now = now
        self._making = asyncio.Semaphore(MAX_MAKING)

    async def snapshot(self, view: View, code: str, paths: Sequence[str]) -> list[SharedFile]:
        """Return a view's files of a table's data files, in order. Raises Unavailable."""
        return await self._all(view, paths, lambda path: self._cut(view, code, path))

    async def changes(self, view: View, table: LakeTable, delta_versions: Sequence[int]) -> list[SharedFile]:
        """Return a view's files of the changes of commits, in order. Raises Unavailable."""
        sources = [f"changes/{version}" for version in delta_versions]
        return await self._all(
            view, sources, lambda source: show_changes(view, table.read_changes(int(source.split("/")[1])))
        )

    async def transition(
        self, view: View, former: View, table: LakeTable, *, code: str, base: int, delta_version: int | None
    ) -> SharedFile:
        """Return the file of a commit's changes before which rows were shown as `former` has them.

        `base` is the commit before; `delta_version` None: the version itself changed nothing. Raises
        Unavailable.
        """

        def cut(_source: str) -> pa.Table:
            paths = [file.path for file in table.list_files(base) if file.rows]
            needed = list(dict.fromkeys([*view.needed, *former.needed]))
            parts = [keep_moved(view, former, self._read(code, path, needed)) for path in paths]
            feed = None if delta_version is None else table.read_changes(delta_version)
            told = [] if feed is None else [show_changes(view, feed, former=former)]
            if parts:
                rows = pa.concat_tables(parts, promote_options="default")
                touched = rows.slice(0, 0) if feed is None else feed
                told.append(show_transition(view, former, rows, touched))
            empty = view.show(pa.schema([*view.schema]).empty_table())
            return pa.concat_tables(told) if told else empty

        source = f"changes/{delta_version}/after/{base}/as/{former.digest.hex()}"
        return (await self._all(view, [source], cut))[0]

    async def _all(
        self, view: View, sources: Sequence[str], cut: Callable[[str], pa.Table]
    ) -> list[SharedFile]:
        async with self._database.transaction() as connection:
            known = await store.load_files(connection, view=view.digest, sources=sources, at=self._now())
        for source in sources:
            if source not in known:
                known[source] = await self._make(view, source, cut)
        return [known[source] for source in sources]

    async def _make(self, view: View, source: str, cut: Callable[[str], pa.Table]) -> SharedFile:
        async with self._making:
            made = await asyncio.to_thread(lambda: self._write(view, source, cut(source)))
        async with self._database.transaction() as connection:
            await store.save_file(connection, view=view.digest, file=made, at=self._now())
        return made

    def _cut(self, view: View, code: str, path: str) -> pa.Table:
        return view.show(view.select_rows(self._read(code, path, view.needed)))

    def _read(self, code: str, path: str, needed: Sequence[str]) -> pa.Table:
        try:
            data = self._objects.get(lake_key(code, path))
        except NotFound as lost:
            msg = "a file of the table is gone; the lake is damaged, or was tended meanwhile; try again"
            raise Unavailable(msg) from lost
        file = pq.ParquetFile(BytesIO(data))
        held = set(file.schema_arrow.names)
        return plain_types(file.read([name for name in needed if name in held], use_threads=False))

    def _write(self, view: View, source: str, table: pa.Table) -> SharedFile:
        key = object_key(view.digest, name_of(source))
        buffer = BytesIO()
        pq.write_table(table, buffer, compression="snappy", row_group_size=ROWS_PER_GROUP)
        data = buffer.getvalue()
        if table.num_rows:
            try:
                self._objects.put(key, data)
            except Conflict:  # another version of the Parquet writer made it: the same rows in other bytes
                data = self._objects.get(key)
        return SharedFile(
            source=source,
            object_key=key,
            rows=table.num_rows,
            size_bytes=len(data) if table.num_rows else 0,
            stats=measure(table),
        )
