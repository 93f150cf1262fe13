"""Making the staged rows of a batch the next version, or telling what that would do."""

from __future__ import annotations

from core.database import Connection
from core.errors import PreconditionFailed
from exchange.accounting import store as accounting
from exchange.accounting.model import Station
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource
from exchange.publish import store, store_quarantine
from exchange.publish import store_staging as staging
from exchange.publish.direct import MANY_ROWS, DirectLoad
from exchange.publish.model import BatchResult, Mode
from exchange.publish.tally import Tally
from exchange.publish.validate import Validator

MAX_DELETE_SHARE = 0.2


async def apply(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    tally: Tally,
    mode: Mode,
    confirm: bool,
    direct: DirectLoad | None = None,
) -> BatchResult:
    """Merge the staged rows under the next version number; without an accepted row, make no version.

    Only a snapshot that came without any row, refused ones included, means that nothing is there any more.
    Rows of a `direct` load are in the table already, under that number.
    """
    staged = await staging.count_staged(connection) + (0 if direct is None else direct.rows)
    current_version, current_rows = await store.lock_resource(connection, resource=resource)
    operations: dict[str, int] = {}
    version, closed = None, 0
    if staged or (mode is Mode.SNAPSHOT and tally.received == 0 and current_rows > 0):
        if mode is Mode.SNAPSHOT and not confirm and direct is None:
            await _guard_snapshot(connection, resource=resource, current_rows=current_rows)
        version = current_version + 1
        operations = await _merge(
            connection,
            resource=resource,
            item_names=validator.item_names,
            mode=mode,
            version=version,
            staged=staged,
            direct=direct,
        )
        closed = await store_quarantine.close_tickets(
            connection, resource_code=resource.code, batch_id=tally.batch_id, tickets=tally.tickets
        )
        if mode is not Mode.DELETE:
            closed += await store_quarantine.close_by_key(
                connection, resource=resource, batch_id=tally.batch_id, is_in_table=direct is not None
            )
    result = await _account(
        tally,
        mode=mode,
        version=version,
        staged=staged,
        current_rows=current_rows,
        operations=operations,
        closed=closed,
    )
    if version is not None:
        await store.save_version(connection, result=result)
        await accounting.save_count(
            connection,
            resource_code=resource.code,
            version=version,
            station=Station.ACCEPTED,
            digest=await tally.digests.finish(),
        )
    await store_quarantine.save_quality(connection, result=result)
    return result


async def foresee(
    connection: Connection,
    *,
    resource: Resource,
    validator: Validator,
    tally: Tally,
    mode: Mode,
) -> BatchResult:
    """Tell what applying would do; nothing is locked and nothing changed."""
    staged = await staging.count_staged(connection)
    await staging.analyze_staging(connection, resource=resource)
    operations = await staging.predict(
        connection, resource=resource, item_names=validator.item_names, mode=mode
    )
    current_rows = await catalogue_store.count_rows(connection, code=resource.code)
    return await _account(
        tally,
        mode=mode,
        version=None,
        staged=staged,
        current_rows=current_rows,
        operations=operations,
        closed=0,
    )


async def _merge(
    connection: Connection,
    *,
    resource: Resource,
    item_names: list[str],
    mode: Mode,
    version: int,
    staged: int,
    direct: DirectLoad | None,
) -> dict[str, int]:
    is_first = mode is not Mode.DELETE and await staging.is_empty(connection, code=resource.code)
    if is_first or direct is not None:
        loaded = 0 if direct is None else direct.rows
        return await staging.insert_first(
            connection, resource=resource, item_names=item_names, version=version, loaded=loaded
        )
    await staging.analyze_staging(connection, resource=resource)
    merge = staging.merge_many if staged >= MANY_ROWS else staging.merge
    return await merge(connection, resource=resource, item_names=item_names, mode=mode, version=version)


async def _account(
    tally: Tally,
    *,
    mode: Mode,
    version: int | None,
    staged: int,
    current_rows: int,
    operations: dict[str, int],
    closed: int,
) -> BatchResult:
    inserted, updated = operations.get("insert", 0), operations.get("update", 0)
    deleted = operations.get("delete", 0)
    digest = await tally.digests.finish()
    return BatchResult(
        batch_id=tally.batch_id,
        resource_code=tally.resource_code,
        mode=mode,
        version=version,
        received=tally.received,
        accepted=staged,
        rejected=tally.rejected,
        inserted=inserted,
        updated=updated,
        unchanged=0 if mode is Mode.DELETE else staged - inserted - updated,
        deleted=deleted,
        missing=staged - deleted if mode is Mode.DELETE else 0,
        current_rows=current_rows + inserted - deleted,
        rejected_by_reason=dict(tally.by_reason),
        flagged=tally.flagged,
        flagged_by_reason=dict(tally.by_flag),
        tickets_closed=closed,
        accepted_digest=digest.digest,
    )


async def _guard_snapshot(connection: Connection, *, resource: Resource, current_rows: int) -> None:
    doomed = await staging.count_missing_from_staging(connection, resource=resource)
    if doomed > MAX_DELETE_SHARE * current_rows:
        msg = (
            f"this snapshot would delete {doomed} of {current_rows} rows, more than "
            f"{MAX_DELETE_SHARE:.0%}; send it with confirm=true if that is meant"
        )
        raise PreconditionFailed(msg)
