"""Bringing a batch into its staging table: decoded, validated, encoded for COPY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from core.database import Connection
from core.errors import Unavailable
from core.threads import make_in_thread
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource
from exchange.publish import store_staging as staging
from exchange.publish.columns import Mask
from exchange.publish.decode import open_upload
from exchange.publish.decoded import DecodedBatch
from exchange.publish.direct import MANY_ROWS, DirectLoad, begin_direct_load
from exchange.publish.duplicates import KeyWatch
from exchange.publish.media import TICKET_HEADER
from exchange.publish.model import Ticket, Upload
from exchange.publish.progress import Phase, Progress
from exchange.publish.tally import Tally
from exchange.publish.typed import ROW_COLUMN, encode_rows
from exchange.publish.validate import Validator
from exchange.publish.validated import ValidatedBatch

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows to publish: header → item name, the batches, and a way to read them once more.

    What of a large source does not fit into memory may wait in files of `folder`.
    """

    columns: dict[str, str]
    batches: Iterator[DecodedBatch]
    reopen: Callable[[], Iterator[DecodedBatch]]
    folder: Path | None = None


def open_source(upload: Upload, resource: Resource, *, keys_only: bool) -> Source:
    """Open an upload. Raises what `open_upload` raises, and Unavailable where the disk refuses."""
    try:
        columns, batches = open_upload(upload, resource, keys_only=keys_only)
    except OSError as trouble:
        msg = "the hub cannot convert the upload; its disk may be full; nothing was changed"
        raise Unavailable(msg) from trouble
    return Source(
        columns=columns,
        batches=batches,
        reopen=lambda: open_upload(upload, resource, keys_only=keys_only)[1],
        folder=upload.path.parent,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What staging found: the rows that may share a key with another, None for "any of them".

    `direct` tells of the rows that did not have to be staged. All others with one of the same key are.
    """

    suspects: list[int] | None
    watch: KeyWatch
    direct: DirectLoad | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    validated: ValidatedBatch
    staged: bytes
    loaded: bytes
    loaded_rows: int
    tickets: list[Ticket]


class _Preparer:
    """Makes pieces of a source ready for the database: one is validated while another is encoded."""

    def __init__(
        self, validator: Validator, source: Source, *, keys: list[str], order: Sequence[str]
    ) -> None:
        self._validator = validator
        self._batches = source.batches
        self._order = order
        self.watch = KeyWatch(keys)
        self.direct: DirectLoad | None = None

    def validate_next(self) -> tuple[DecodedBatch, ValidatedBatch] | None:
        """Decode and validate the next piece; None behind the last."""
        decoded = next(self._batches, None)
        return None if decoded is None else (decoded, self._validator.validate(decoded))

    def load_directly(self, direct: DirectLoad | None) -> None:
        """Let rows go straight into the table, but for those that may share a key; to be said at first."""
        self.direct = direct
        if direct is not None:
            self.watch.tell_at_once()

    def encode(self, decoded: DecodedBatch, validated: ValidatedBatch) -> _Piece:
        """Watch the keys of a validated piece and encode it."""
        stays, goes = validated.accepted, validated.accepted[:0]
        repeated = self.watch.add(validated.accepted)
        loaded = b""
        if self.direct is not None:
            stays, goes = _divide(validated.accepted, repeated)
            loaded = encode_rows(goes, version=self.direct.version, order=self._order)
        return _Piece(
            validated=validated,
            staged=encode_rows(stays, order=self._order),
            loaded=loaded,
            loaded_rows=goes.num_rows,
            tickets=_tickets_of(decoded, validated.accepted),
        )


async def stage(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    source: Source,
    tally: Tally,
    progress: Progress,
    may_load: bool = False,
) -> Staged:
    """Decode, validate and copy into the staging table, a piece of the file at a time.

    While the database takes one piece, a thread encodes the next and another validates the one after that.
    Memory holds these pieces and those that wait to be digested, however many rows come or are refused. With
    `may_load`, many rows for an empty resource go straight into its table, but for those that share a key.
    Rows for an empty table that has its index go in the order of their keys: it then grows in few places at
    once. Where it has none, it gets it at the end.
    """
    names = validator.item_names
    await staging.create_staging(connection, resource=resource, item_names=names)
    is_first = await staging.is_empty(connection, code=resource.code)
    keys = [item.name for item in resource.key_items]
    grows_index = is_first and await catalogue_store.has_key_index(connection, code=resource.code)
    preparer = _Preparer(validator, source, keys=keys, order=keys if grows_index else [])
    is_begun = False

    async def prepare_next() -> _Piece | None:
        nonlocal is_begun
        found = await anext(validated, None)
        if found is None:
            return None
        if not is_begun and may_load and is_first and found[1].accepted.num_rows >= MANY_ROWS:
            preparer.load_directly(await begin_direct_load(connection, resource=resource))
        is_begun = True
        return await make_in_thread(preparer.encode, *found)

    async with (
        aclosing(_ahead(lambda: make_in_thread(preparer.validate_next))) as validated,
        aclosing(_ahead(prepare_next)) as pieces,
    ):
        async for piece in pieces:
            await _copy(connection, piece, preparer.direct, code=resource.code, item_names=names)
            await _count(connection, piece, tally, names)
            await progress.report(Phase.READING, tally.received)
    tally.digests.start()
    if preparer.direct is not None:
        await catalogue_store.ensure_key_index(connection, resource=resource)
    suspects = await asyncio.to_thread(preparer.watch.suspects) if preparer.direct is None else None
    return Staged(suspects=suspects, watch=preparer.watch, direct=preparer.direct)


async def _copy(
    connection: Connection, piece: _Piece, direct: DirectLoad | None, *, code: str, item_names: list[str]
) -> None:
    if piece.staged:
        await staging.copy_to_staging(connection, item_names=item_names, data=piece.staged)
    if direct is not None and piece.loaded:
        await staging.copy_to_table(connection, code=code, item_names=item_names, data=piece.loaded)
        direct.rows += piece.loaded_rows


def _divide(table: pa.Table, repeated: Mask | None) -> tuple[pa.Table, pa.Table]:
    """Divide rows into those whose key may have come before, and the others."""
    if repeated is None or not repeated.any():
        return table[:0], table
    return table.filter(pa.array(repeated)), table.filter(pa.array(~repeated))


async def _ahead(step: Callable[[], Awaitable[T | None]]) -> AsyncGenerator[T, None]:
    """Yield what `step` returns until that is None; it always runs once ahead of whoever takes."""
    coming = asyncio.ensure_future(step())
    try:
        while (found := await coming) is not None:
            coming = asyncio.ensure_future(step())
            yield found
    finally:
        await asyncio.gather(coming, return_exceptions=True)


async def _count(connection: Connection, piece: _Piece, tally: Tally, names: list[str]) -> None:
    tally.received += piece.validated.received_rows
    tally.tickets += piece.tickets
    await tally.digests.add(piece.validated.accepted.select(names))
    await tally.refuse(connection, piece.validated.rejects)
    await tally.flag(connection, piece.validated.flags)


def _tickets_of(decoded: DecodedBatch, accepted: pa.Table) -> list[Ticket]:
    """Read the tickets that accepted rows carry."""
    if TICKET_HEADER not in decoded.columns:
        return []
    numbers = np.asarray(decoded.numbers, dtype=np.int64)
    kept = np.isin(numbers, accepted.column(ROW_COLUMN).to_numpy())
    texts = decoded.columns[TICKET_HEADER].filter(pa.array(kept)).drop_null().to_pylist()
    return [ticket for text in texts if (ticket := Ticket.parse(text)) is not None]
