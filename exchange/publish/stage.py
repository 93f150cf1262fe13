"""Bringing a batch into its staging table: decoded, validated, encoded for COPY."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa

from core.database import Connection
from core.errors import Unavailable
from core.threads import make_in_thread
from exchange.catalogue.model import Resource
from exchange.publish import store_staging as staging
from exchange.publish.decode import open_upload
from exchange.publish.decoded import DecodedBatch
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
class _Piece:
    validated: ValidatedBatch
    data: bytes
    tickets: list[Ticket]


async def stage(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    source: Source,
    tally: Tally,
    progress: Progress,
) -> list[int] | None:
    """Decode, validate and copy into the staging table, a piece of the file at a time.

    While the database takes one piece, a thread encodes the next and another validates the one after that.
    Memory holds these pieces and those that wait to be digested, however many rows come or are refused.
    Returns the rows that may share a key with another; None for "any of them".
    """
    names = validator.item_names
    await staging.create_staging(connection, resource=resource, item_names=names)
    is_first = await staging.is_empty(connection, code=resource.code)
    keys = [item.name for item in resource.key_items]
    watch = KeyWatch(keys)

    def validate_next() -> tuple[DecodedBatch, ValidatedBatch] | None:
        decoded = next(source.batches, None)
        return None if decoded is None else (decoded, validator.validate(decoded))

    def prepare(decoded: DecodedBatch, validated: ValidatedBatch) -> _Piece:
        watch.add(validated.accepted)
        return _Piece(
            validated=validated,
            data=encode_rows(_by_key(validated.accepted, keys) if is_first else validated.accepted),
            tickets=_tickets_of(decoded, validated.accepted),
        )

    async def prepare_next() -> _Piece | None:
        found = await anext(validated, None)
        return None if found is None else await make_in_thread(prepare, *found)

    async with (
        aclosing(_ahead(lambda: make_in_thread(validate_next))) as validated,
        aclosing(_ahead(prepare_next)) as pieces,
    ):
        async for piece in pieces:
            if piece.data:
                await staging.copy_to_staging(connection, item_names=names, data=piece.data)
            await _count(connection, piece, tally, names)
            await progress.report(Phase.READING, tally.received)
    tally.digests.start()
    return await asyncio.to_thread(watch.suspects)


async def _ahead(step: Callable[[], Awaitable[T | None]]) -> AsyncGenerator[T, None]:
    """Yield what `step` returns until that is None; it always runs once ahead of whoever takes."""
    coming = asyncio.ensure_future(step())
    try:
        while (found := await coming) is not None:
            coming = asyncio.ensure_future(step())
            yield found
    finally:
        await asyncio.gather(coming, return_exceptions=True)


def _by_key(table: pa.Table, keys: list[str]) -> pa.Table:
    """Put rows into the order of their keys: the index of an empty table then grows in few places at once."""
    return table.sort_by([(key, "ascending") for key in keys])


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
