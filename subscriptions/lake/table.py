"""One resource's Delta Lake table, through delta-rs (the only place that names it).

Each commit made for a hub version carries a transaction identifier (Delta protocol, "Transaction
Identifiers": `appId` the resource, `version` the hub version). By it a version is committed once, whoever
tries.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Field,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import DeltaError, TableNotFoundError

from core.errors import Conflict, Unavailable
from subscriptions.lake.columns import OPERATION_COLUMN, plain_types
from subscriptions.lake.model import DataFile
from subscriptions.lake.place import LakePlace

APP_PREFIX: Final = "shuzheng/"
VERSION_KEY: Final = "shuzheng.version"
TARGET_FILE_BYTES: Final = 64 * 1024 * 1024
CHECKPOINT_COMMITS: Final = 20
_WRITER = WriterProperties(compression="SNAPPY", max_row_group_size=500_000)
_CDF_COLUMNS: Final = frozenset({"_commit_version", "_commit_timestamp"})
_NO_HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)


class LakeTable:
    """A table that is open at its newest commit. All methods block; call them off the event loop.

    They raise Unavailable where the object store fails, and Conflict where another writer was first.
    """

    def __init__(self, table: DeltaTable, *, place: LakePlace, code: str) -> None:
        self._table = table
        self._place = place
        self._code = code
        self._app = f"{APP_PREFIX}{code}"

    @classmethod
    def open(cls, place: LakePlace, code: str) -> LakeTable | None:
        """Open a resource's table; None where there is none."""
        try:
            found = DeltaTable(place.table_uri(code), storage_options=dict(place.options))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble
        return cls(found, place=place, code=code)

    @classmethod
    def create(
        cls, place: LakePlace, code: str, *, schema: pa.Schema, title: str, keep: timedelta
    ) -> LakeTable:
        """Make a resource's table, empty, with its change data feed on."""
        kept = f"interval {max(1, round(keep / timedelta(hours=1)))} hours"
        try:
            made = DeltaTable.create(
                place.table_uri(code),
                schema,
                name=code,
                description=title,
                storage_options=dict(place.options),
                configuration={
                    "delta.enableChangeDataFeed": "true",
                    "delta.checkpointInterval": str(CHECKPOINT_COMMITS),
                    "delta.deletedFileRetentionDuration": kept,
                    "delta.logRetentionDuration": kept,
                },
            )
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble
        return cls(made, place=place, code=code)

    @property
    def version(self) -> int:
        """The table's own number of its newest commit."""
        return int(self._table.version())

    @property
    def schema(self) -> pa.Schema:
        """The columns that the table has."""
        return pa.schema(self._table.schema().to_arrow())

    @property
    def hub_version(self) -> int | None:
        """The newest hub version that a commit was made for; None before the first."""
        try:
            return self._table.transaction_version(self._app)
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def find_commit(self, hub_version: int) -> int | None:
        """Find the table's number of the commit that was made for a hub version."""
        try:
            for commit in self._table.history():
                if commit.get(VERSION_KEY) == str(hub_version):
                    return int(commit["version"])
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble
        return None

    def fit(self, schema: pa.Schema, *, spool_dir: Path) -> None:
        """Give the table the columns of `schema`: new ones are added; wider ones are rewritten, once."""
        held = self.schema
        added = [field for field in schema if held.get_field_index(field.name) < 0]
        try:
            if added:
                fields = [Field.from_arrow(field.with_nullable(True)) for field in added]
                self._table.alter.add_columns(fields)
            if any(held.field(f.name).type != f.type for f in schema if held.get_field_index(f.name) >= 0):
                self._rewrite(schema, spool_dir)
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble

    def _rewrite(self, schema: pa.Schema, spool_dir: Path) -> None:
        """Write the same rows in other types, by way of a file: delta-rs cannot read while it writes."""
        held = self.schema
        wanted = pa.schema(
            [
                schema.field(name) if schema.get_field_index(name) >= 0 else held.field(name)
                for name in held.names
            ]
        )
        wanted = pa.schema([f.with_nullable(held.field(f.name).nullable) for f in wanted])
        with tempfile.TemporaryFile(dir=spool_dir) as spool:
            with pa.ipc.new_file(spool, wanted) as writer:
                for batch in self.read():
                    writer.write_batch(batch.cast(wanted))
            spool.seek(0)
            reader = pa.ipc.open_file(spool)
            batches = (reader.get_batch(n) for n in range(reader.num_record_batches))
            write_deltalake(
                self._table,
                pa.RecordBatchReader.from_batches(wanted, batches),
                mode="overwrite",
                schema_mode="overwrite",
                target_file_size=TARGET_FILE_BYTES,
                writer_properties=_WRITER,
                post_commithook_properties=_NO_HOOKS,
            )

    def append(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, *, hub_version: int) -> int:
        """Commit a version that only inserts, in bounded memory; return the number of the commit."""
        try:
            write_deltalake(
                self._table,
                pa.RecordBatchReader.from_batches(schema, batches),
                mode="append",
                target_file_size=TARGET_FILE_BYTES,
                writer_properties=_WRITER,
                commit_properties=self._properties(hub_version),
                post_commithook_properties=_NO_HOOKS,
            )
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble
        return self.version

    def replace(self, batches: Iterator[pa.RecordBatch], schema: pa.Schema, *, hub_version: int) -> int:
        """Commit all rows of a version in place of what the table has; return the number of the commit."""
        try:
            write_deltalake(
                self._table,
                pa.RecordBatchReader.from_batches(schema, batches),
                mode="overwrite",
                schema_mode="overwrite",
                target_file_size=TARGET_FILE_BYTES,
                writer_properties=_WRITER,
                commit_properties=self._properties(hub_version),
                post_commithook_properties=_NO_HOOKS,
            )
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble
        return self.version

    def merge(self, changes: pa.Table, *, keys: Sequence[str], hub_version: int) -> int:
        """Commit a version's changes (`_operation` insert, update or delete); return the commit's number.

        The keys of `changes` are unique. A change that is there already changes nothing.
        """
        columns = {
            _quote(name): f"s.{_quote(name)}" for name in changes.column_names if name != OPERATION_COLUMN
        }
        same = " AND ".join(f"s.{_quote(key)} = t.{_quote(key)}" for key in keys)
        try:
            merger = self._table.merge(
                changes,
                predicate=same,
                source_alias="s",
                target_alias="t",
                writer_properties=_WRITER,
                commit_properties=self._properties(hub_version),
                post_commithook_properties=_NO_HOOKS,
            )
            (
                merger.when_matched_delete(predicate=f"s.{OPERATION_COLUMN} = 'delete'")
                .when_matched_update(columns)
                .when_not_matched_insert(columns, predicate=f"s.{OPERATION_COLUMN} <> 'delete'")
                .execute()
            )
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble
        return self.version

    def _properties(self, hub_version: int) -> CommitProperties:
        return CommitProperties(
            app_transactions=[Transaction(self._app, hub_version)],
            custom_metadata={VERSION_KEY: str(hub_version)},
            max_commit_retries=1,
        )

    def read(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read all rows of the newest commit."""
        try:
            dataset = self._table.to_pyarrow_dataset()
            yield from dataset.to_batches(
                columns=None if columns is None else list(columns), batch_readahead=2, fragment_readahead=1
            )
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def list_files(self, delta_version: int | None = None) -> list[DataFile]:
        """List the data files of a commit, by path. Raises NotFound where it is not kept any longer."""
        table = self._table if delta_version is None else self._at(delta_version)
        try:
            actions: Mapping[str, list[object]] = pa.table(table.get_add_actions(flatten=True)).to_pydict()
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble
        found = zip(actions["path"], actions["size_bytes"], actions["num_records"], strict=True)
        return sorted(
            (
                DataFile(path=str(path), size_bytes=int(str(size)), rows=int(str(rows)))
                for path, size, rows in found
            ),
            key=lambda file: file.path,
        )

    def read_changes(self, delta_version: int) -> pa.Table:
        """Read the change data feed of one commit: the columns, and `_change_type`."""
        try:
            reader = self._at(delta_version).load_cdf(delta_version, delta_version)
            return plain_types(pa.table(reader).drop_columns(["_commit_version", "_commit_timestamp"]))
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def stream_changes(self, delta_version: int, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Read the change data feed of one commit piece by piece; all columns, or those named."""
        quoted = None if columns is None else ['"' + name.replace('"', '""') + '"' for name in columns]
        try:
            reader = pa.RecordBatchReader.from_stream(
                self._at(delta_version).load_cdf(delta_version, delta_version, columns=quoted)
            )
            for batch in reader:
                table = pa.Table.from_batches([batch])
                held = [name for name in table.column_names if name not in _CDF_COLUMNS]
                yield plain_types(table.select(held))
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def _at(self, delta_version: int) -> DeltaTable:
        uri = self._place.table_uri(self._code)
        try:
            return DeltaTable(uri, version=delta_version, storage_options=dict(self._place.options))
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def compact(self, *, fewest_files: int) -> int:
        """Join small files where there are at least `fewest_files`; return how many went."""
        small = [file for file in self.list_files() if file.size_bytes < TARGET_FILE_BYTES // 4]
        if len(small) < fewest_files:
            return 0
        try:
            done = self._table.optimize.compact(
                target_size=TARGET_FILE_BYTES,
                max_concurrent_tasks=1,
                writer_properties=_WRITER,
                post_commithook_properties=_NO_HOOKS,
            )
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble
        return int(done["numFilesRemoved"])

    def checkpoint(self) -> None:
        """Write a checkpoint and drop log files that are older than the table keeps them."""
        try:
            self._table.create_checkpoint()
            self._table.cleanup_metadata()
        except (DeltaError, OSError) as trouble:
            raise _unavailable() from trouble

    def vacuum(self, keep: timedelta) -> int:
        """Remove files that no commit of the last `keep` needs; return how many."""
        hours = max(0, round(keep / timedelta(hours=1)))
        try:
            gone = self._table.vacuum(
                retention_hours=hours,
                dry_run=False,
                enforce_retention_duration=False,
                post_commithook_properties=_NO_HOOKS,
            )
        except (DeltaError, OSError) as trouble:
            raise _failed(trouble) from trouble
        return len(gone)


def _quote(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _failed(trouble: Exception) -> Conflict | Unavailable:
    """Tell a commit that lost against another from an object store that fails."""
    if isinstance(trouble, DeltaError) and "concurrent" in str(trouble).lower():
        return Conflict("another process wrote to the table first; nothing was changed")
    return _unavailable()


def _unavailable() -> Unavailable:
    return Unavailable("the lake does not answer or refuses; nothing was changed; try again later")
