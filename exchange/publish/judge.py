"""Judging a staged batch as a whole, and taking out of it what does not pass."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import pyarrow as pa

from core.database import Connection
from core.threads import make_in_thread
from exchange.accounting.digest import digest_table
from exchange.catalogue.model import Resource, RuleKind, Severity
from exchange.publish import store_staging as staging
from exchange.publish.cross_checks import title_of
from exchange.publish.decoded import DecodedBatch
from exchange.publish.model import Mode, Reason, Reject
from exchange.publish.stage import Source, Staged
from exchange.publish.tally import Tally
from exchange.publish.validate import Validator

Judgement = dict[int, list[tuple[Reason, Severity]]]


async def judge(
    connection: Connection,
    *,
    resource: Resource,
    mode: Mode,
    validator: Validator,
    staged: Staged,
    targets: Mapping[str, Resource],
) -> Judgement:
    """Find what only the whole batch shows: repeated keys, values that must be unique, missing references."""
    found: Judgement = {}
    keys = ", ".join(item.name for item in resource.key_items)
    for row, first in (await _find_repeated(connection, resource=resource, staged=staged)).items():
        place = "earlier in the file" if first is None else f"in row {first}"
        detail = f"the key {keys} came before, {place}, which was taken"
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


async def _find_repeated(
    connection: Connection, *, resource: Resource, staged: Staged
) -> dict[int, int | None]:
    """Find staged rows whose key came before in the batch: their row number → that of the first, if known."""
    suspects, found = staged.suspects, dict[int, int | None]()
    if suspects is None or suspects:
        found |= await staging.find_duplicates(connection, resource=resource, suspects=suspects)
    if staged.direct is not None:
        taken = await staging.find_taken(connection, resource=resource)
        firsts = await asyncio.to_thread(staged.watch.first_of, taken) if taken else {}
        found |= {row: firsts.get(row) for row in taken}
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

    while (rows := await make_in_thread(next_rows)) is not None:
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
