"""A folder of signed packages, on the side of a gap where the hub is: each once, in order, none missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from connectors.cursors import FOREIGN_CURSOR
from connectors.errors import TerminalError, TransientError
from connectors.model import Batch, Cursor, Reading, SourceCapabilities
from connectors.options import Options
from connectors.packages import PackageName, list_packages, read_rows, read_schema, verify_package
from connectors.protocols import BaseSource


class PackagesOptions(Options):
    """The options of `kind = "packages"`.

    `connector` is the name of the sending one, `key` the columns that name a row, `public_key` 04 ‖ x ‖ y in
    hexadecimal. With `remove` packages are deleted once their rows have reached the sink.
    """

    folder: Path
    connector: str
    public_key: str = Field(pattern=r"^04[0-9a-fA-F]{128}$")
    key: tuple[str, ...] = Field(min_length=1)
    remove: bool = True


class PackagesSource(BaseSource):
    """Waits for a number that has not come, and refuses what the sender did not sign."""

    options_model = PackagesOptions

    def __init__(self, options: PackagesOptions) -> None:
        self._options = options

    @property
    def capabilities(self) -> SourceCapabilities:
        """As the sender's: deletes and repeated rows may come."""
        return SourceCapabilities(
            reading=Reading.INCREMENTAL, deletes=True, repeats=True, acknowledges=True, key=self._options.key
        )

    def fetch_schema(self) -> pa.Schema:
        """Return the schema of the first package that is there; no columns where none is."""
        for package in self._list():
            return read_schema(package)
        return pa.schema([])

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Yield the packages behind the cursor. Raises TransientError where one of them has not come."""
        epoch, number = _read_cursor(cursor)
        packages = [p for p in self._list() if epoch is None or p.epoch == epoch]
        if epoch is None and len({package.epoch for package in packages}) > 1:
            msg = "packages of several states of the sender lie here; remove those of the older one"
            raise TerminalError(msg)
        if epoch is not None and any(p.epoch != epoch for p in self._list()):
            msg = "the sender was reset: once all before has arrived, say `connector reset` here too"
            raise TerminalError(msg)
        for package in packages:
            if package.number <= number:
                continue
            if package.number != number + 1:
                msg = f"package {number + 1} has not come, but {package.number} has"
                raise TransientError(msg)
            yield from self._read(package)
            number = package.number

    def acknowledge(self, cursor: Cursor) -> None:
        """Delete the packages up to the cursor."""
        epoch, number = _read_cursor(cursor)
        for package in self._list() if self._options.remove else ():
            if package.epoch == epoch and package.number <= number:
                package.path.unlink(missing_ok=True)

    def _read(self, package: PackageName) -> Iterator[Batch]:
        operation = verify_package(package, bytes.fromhex(self._options.public_key))
        batches = read_rows(package)
        last = next(batches, None)
        for rows in batches:
            yield Batch(rows=last, operation=operation)
            last = rows
        if last is None:  # a snapshot of nothing: what there was is gone
            last = pa.RecordBatch.from_pylist([], schema=read_schema(package))
        yield Batch(rows=last, operation=operation, cursor={"epoch": package.epoch, "number": package.number})

    def _list(self) -> list[PackageName]:
        if not self._options.folder.is_dir():
            msg = "the folder of packages is not there"
            raise TransientError(msg)
        return list_packages(self._options.folder, self._options.connector)


def _read_cursor(cursor: Cursor | None) -> tuple[str | None, int]:
    if cursor is None:
        return None, 0
    epoch, number = cursor.get("epoch"), cursor.get("number")
    if not isinstance(epoch, str) or not isinstance(number, int):
        raise TerminalError(FOREIGN_CURSOR)
    return epoch, number
