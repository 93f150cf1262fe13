"""Bringing a batch into its staging table: decoded, validated, judged as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from core.database import Connection
from exchange.accounting.digest import digest_table, hash_rows
from exchange.catalogue.model import Resource, RuleKind, Severity
from exchange.publish import store_staging as staging
from exchange.publish.cross_checks import title_of
from exchange.publish.decode import open_upload
from exchange.publish.decoded import DecodedBatch
from exchange.publish.duplicates import KeyWatch
from exchange.publish.media import TICKET_HEADER
from exchange.publish.model import Mode, Reason, Reject, Ticket, Upload
from exchange.publish.progress import Phase, Progress
from exchange.publish.tally import Tally
from exchange.publish.typed import ROW_COLUMN, encode_rows
from exchange.publish.validate import Validator
from exchange.publish.validated import ValidatedBatch

Judgement = dict[int, list[tuple[Reason, Severity]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows to publish: header → item name, the batches, and a way to read them once more."""

    columns: dict[str, str]
    batches: Iterator[DecodedBatch]
    reopen: Callable[[], Iterator[DecodedBatch]]


def open_source(upload: Upload, resource: Resource, *, keys_only: bool) -> Source:
    """Open an upload. Raises what `open_upload` raises."""
    columns, batches = open_upload(upload, resource, keys_only=keys_only)
    return Source(
        columns=columns,
        batches=batches,
        reopen=lambda: open_upload(upload, resource, keys_only=keys_only)[1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    validated: ValidatedBatch
    data: bytes
    hashes: NDArray[np.uint8]
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

    The heavy work leaves the event loop, a piece ahead of the database. Memory holds two pieces, however many
    rows are refused. Returns the rows that may share a key with another; None for "any of them".
    """
    await staging.create_staging(connection, resource=resource, item_names=validator.item_names)
    watch = KeyWatch([item.name for item in resource.key_items])

    def next_piece() -> _Piece | None:
        decoded = next(source.batches, None)
        if decoded is None:
            return None
        validated = validator.validate(decoded)
        watch.add(validated.accepted)
        return _Piece(
            validated=validated,
            data=encode_rows(validated.accepted),
            hashes=hash_rows(validated.accepted, validator.item_names),
            tickets=_tickets_of(decoded, validated.accepted),
        )

    coming = asyncio.create_task(asyncio.to_thread(next_piece))
    try:
        while (piece := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next_piece))
            if piece.data:
                names = validator.item_names
                await staging.copy_to_staging(connection, item_names=names, data=piece.data)
            await _count(connection, piece, tally)
            await progress.report(Phase.READING, tally.received)
    finally:
        await asyncio.gather(coming, return_exceptions=True)
    return await asyncio.to_thread(watch.suspects)


async def _count(connection: Connection, piece: _Piece, tally: Tally) -> None:
    tally.received += piece.validated.received_rows
    tally.tickets += piece.tickets
    await tally.digests.add(piece.hashes)
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


async def judge(
    connection: Connection,
    *,
    resource: Resource,
    mode: Mode,
    validator: Validator,
    suspects: list[int] | None,
    targets: Mapping[str, Resource],
) -> Judgement:
    """Find what only the whole batch shows: repeated keys, values that must be unique, missing references."""
    found: Judgement = {}
    if suspects is None or suspects:
        keys = ", ".join(item.name for item in resource.key_items)
        firsts = await staging.find_duplicates(connection, resource=resource, suspects=suspects)
        for row, first in firsts.items():
            detail = f"the key {keys} came before, in row {first}, which was taken"
            reason = Reason(item=None, code="DUPLICATE-KEY", detail=detail)
            found[row] = [(reason, Severity.REJECT)]
    for rule in resource.rules if mode is not Mode.DELETE else ():
        if not set(rule.items) <= set(validator.item_names):
            continue
        if rule.kind is RuleKind.UNIQUE:
            rows = await staging.find_repeated(connection, resource=resource, rule=rule, mode=mode)
            code, detail = "UNIQUE", f"{title_of(resource, rule)} is in another row too"
        elif rule.kind is RuleKind.REFERENCE and (target := targets.get(rule.target or "")):
            rows = await staging.find_unreferenced(connection, resource=resource, rule=rule, target=target)
            code, detail = "REFERENCE", f"{title_of(resource, rule)} is not in {target.title}"
        else:
            continue
        reason = Reason(item=rule.items[0], code=code, detail=detail)
        for row in rows:
            found.setdefault(row, []).append((reason, rule.severity))
    return found


async def enforce(
    connection: Connection,
    judgement: Judgement,
    *,
    resource: Resource,
    validator: Validator,
    source: Source,
    tally: Tally,
) -> None:
    """Take refused rows out of the staging table, and keep refused and flagged ones as they were sent.

    The file is read once more for that.
    """
    if not judgement:
        return
    doomed = [row for row, found in judgement.items() if any(s is Severity.REJECT for _, s in found)]
    names = validator.item_names
    taken = await staging.take_rows(connection, resource=resource, item_names=names, rows=doomed)
    table = pa.table({name: pa.array([row[name] for row in taken], pa.string()) for name in names})
    tally.digests.subtract(await asyncio.to_thread(digest_table, table, names))
    refused = set(doomed)
    for row, reasons in (await tally.unflag(connection, list(judgement))).items():
        judgement[row] = [*((reason, Severity.FLAG) for reason in reasons), *judgement[row]]
    batches = await asyncio.to_thread(source.reopen)

    def next_rows() -> list[Reject] | None:
        batch = next(batches, None)
        return None if batch is None else list(_judged_in(batch, judgement))

    while (rows := await asyncio.to_thread(next_rows)) is not None:
        await tally.refuse(connection, [row for row in rows if row.row_number in refused])
        await tally.flag(connection, [row for row in rows if row.row_number not in refused])


def _judged_in(batch: DecodedBatch, judgement: Judgement) -> Iterator[Reject]:
    for place, number in enumerate(batch.numbers):
        if number in judgement:
            yield Reject(
                row_number=int(number),
                original={header: column[place].as_py() for header, column in batch.columns.items()},
                reasons=tuple(reason for reason, _ in judgement[int(number)]),
            )
