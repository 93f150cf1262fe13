"""Grants whose row filter changes in mid-stream: what left it and what entered it is told once, in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

import asyncpg
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import BadInput, Conflict
from exchange.access.grants import Shrink
from exchange.access.model import Grant, Mode
from subscriptions.feed.page import Page
from subscriptions.model import EPOCH_SEQUENCES, Change, Operation, Start
from subscriptions.push.files import DirectoryCarrier
from subscriptions.push.model import TargetKind
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.worker import Carrier
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.push_world import add, build_worker, work
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.socket_bridge import bridged
from tests.integration.subscriptions.test_feed import apply_changes, batches, begin, drain, read, view
from tests.integration.subscriptions.test_push_database import LOCAL, add_table
from tests.integration.subscriptions.test_push_database import build_worker as build_table_worker

ITEMS = ("GMSFHM", "XM", "HJSZD")


async def set_filter(world: World, grant: Grant, prefix: str) -> None:
    """Change a grant's row filter in the database, wider ones included."""
    async with world.database.transaction() as connection:
        await connection.execute(
            "UPDATE exchange.grant_ SET row_filter = $2 WHERE id = $1", grant.id, by_place(prefix)
        )


def by_place(prefix: str) -> dict[str, Mapping[str, object]]:
    return {"place": {"item": "HJSZD", "prefix": prefix}} if prefix else {}


async def give(world: World, prefix: str = "") -> Grant:
    return await world.give(items=ITEMS, modes=frozenset({Mode.SUBSCRIBE}), row_filter=by_place(prefix))


def tell(changes: tuple[Change, ...] | list[Change]) -> list[tuple[str, str]]:
    return [(str(change.operation), str(change.key["GMSFHM"])) for change in changes]


def key(number: int) -> str:
    return str(build_row(number)["GMSFHM"])


prefixes = st.sampled_from(["", "9901", "9902", "99", "98"])
steps = st.lists(
    st.one_of(
        batches.map(lambda found: ("publish", found)),
        prefixes.map(lambda prefix: ("filter", prefix)),
        st.integers(1, 3).map(lambda pages: ("read", pages)),
    ),
    min_size=3,
    max_size=14,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=batches, steps=steps, prefix=prefixes, limit=st.integers(1, 4), from_start=st.booleans(),
    acknowledges=st.booleans(),
)  # fmt: skip
async def test_copy_equals_the_grant_whenever_its_filter_changes(
    world: World, feed: Feed, first, steps, prefix, limit, from_start, acknowledges
) -> None:
    async with world.database.acquire() as connection:
        stored = await connection.fetch('SELECT * FROM data."people"')
    rows = {row["GMSFHM"]: dict(row) for row in stored}

    async def publish(found) -> None:
        for batch in found:
            upserts = [build_row(number, **change) for number, change in batch if change is not None]
            deletes = [key(number) for number, change in batch if change is None]
            await world.publish(upserts, deletes)
            rows.update({str(row["GMSFHM"]): dict(row) for row in upserts})
            for gone in deletes:
                rows.pop(gone, None)

    async def take(pages: int) -> int:
        nonlocal after
        for _ in range(pages):
            page = await read(feed, world, subscription, after=after, limit=limit)
            if acknowledges:
                await feed.acknowledge(
                    caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor
                )
            after = None if acknowledges else page.next_cursor
            apply_changes(held, list(page.changes))
            places.extend(change.position for change in page.changes)
        return len(page.changes)

    await publish(first)
    grant = await give(world, prefix)
    try:
        subscription = await begin(feed, world, Start.START if from_start else Start.NOW)
        held = {} if from_start else view(rows, list(ITEMS), prefix)
        places: list[object] = []
        after: str | None = None
        for step, what in steps:
            if step == "publish":
                await publish(what)
            elif step == "filter":
                prefix = what
                await set_filter(world, grant, prefix)
            else:
                await take(what)
        while await take(1):
            pass
        assert held == view(rows, list(ITEMS), prefix)
        assert places == sorted(set(places))  # type: ignore[type-var]
    finally:
        await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="试验结束")


async def shrink(world: World, grant: Grant, prefix: str) -> None:
    """Narrow a grant as its provider does."""
    await world.grants.shrink(
        caller=world.provider,
        grant_id=grant.id,
        shrink=Shrink(reason="只看本县", row_filter=by_place(prefix)),
    )


async def test_narrowed_grant_tells_deletes_once_with_nothing_but_the_key(world: World, feed: Feed) -> None:
    grant = await give(world)
    await world.publish([build_row(1, HJSZD="990101"), build_row(2, HJSZD="990201"), build_row(3)])
    subscription = await begin(feed, world)
    await shrink(world, grant, "9901")
    left = [each for each in (1, 2, 3) if not str(build_row(each)["HJSZD"]).startswith("9901")]
    page = await read(feed, world, subscription)
    assert sorted(tell(page.changes)) == sorted(("delete", key(n)) for n in {2, *left} - {1})
    assert {change.row for change in page.changes} == {None}
    names = [name for name in page.table.column_names if name not in {"_version", "_sequence", "_operation"}]
    assert all(page.table.column(name).null_count == page.table.num_rows for name in names[1:])
    assert {change.position.version for change in page.changes} == {1}
    assert min(change.position.sequence for change in page.changes) == EPOCH_SEQUENCES + 1
    again = await read(feed, world, subscription)
    assert (again.changes, again.body) == (page.changes, page.body)
    assert not (await read(feed, world, subscription, after=page.next_cursor)).changes
    await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor)
    assert await drain(feed, world, subscription, 5) == []


async def test_consumers_and_rewinds_are_told_from_where_each_of_them_is(world: World, feed: Feed) -> None:
    grant = await give(world)
    subscription = await begin(feed, world)
    await world.publish([build_row(1, HJSZD="990101"), build_row(2, HJSZD="990201")])
    ids = {"caller": world.consumer, "subscription_id": subscription}
    await feed.services.subscriptions.add_consumer(**ids, name="late", start=0)
    page = await read(feed, world, subscription)
    await feed.acknowledge(**ids, cursor=page.next_cursor)
    await set_filter(world, grant, "9901")
    await feed.services.subscriptions.add_consumer(**ids, name="fresh", start=Start.START)
    assert tell((await read(feed, world, subscription)).changes) == [("delete", key(2))]
    for name in ("late", "fresh"):
        assert tell((await read(feed, world, subscription, consumer=name)).changes) == [("insert", key(1))]
    with pytest.raises(Conflict, match="row filter changed"):
        await feed.services.subscriptions.rewind(**ids, name="default", start=0, reason="重读")
    await feed.services.subscriptions.rewind(**ids, name="default", start=Start.START, reason="重读")
    assert tell((await read(feed, world, subscription)).changes) == [("insert", key(1))]


async def test_cursor_made_up_tells_no_key_that_was_never_shown(world: World, feed: Feed) -> None:
    grant = await give(world)
    subscription = await begin(feed, world)
    await world.publish([build_row(1, HJSZD="990101")])
    await set_filter(world, grant, "9901")
    await world.publish([build_row(2, HJSZD="990201")])
    assert (await read(feed, world, subscription, after="3.0")).changes == ()
    for cursor in (f"1.{EPOCH_SEQUENCES + 1}@1", f"1.{EPOCH_SEQUENCES + 1}", "1.0@0", "1.0@01", "1.0@"):
        with pytest.raises(BadInput):
            await read(feed, world, subscription, after=cursor)
    with pytest.raises(Conflict):
        await read(feed, world, subscription, after="1.0@2")


async def test_version_under_way_when_the_filter_changes_counts_as_shown(world: World, feed: Feed) -> None:
    grant = await give(world)
    async with world.database.transaction() as publishing:
        await publishing.execute("SELECT FROM exchange.resource WHERE code = 'people' FOR NO KEY UPDATE")
        await set_filter(world, grant, "9901")
    async with world.database.acquire() as connection:
        rows = await connection.fetch("SELECT epoch, until_version FROM subscriptions.filter_change")
        await connection.execute("UPDATE exchange.grant_ SET row_filter = row_filter, purpose = 'x'")
        assert await connection.fetchval("SELECT count(*) FROM subscriptions.filter_change") == 1
    assert [tuple(row) for row in rows] == [(0, 1)]


async def test_webhook_brings_what_left_the_grant_though_no_version_follows(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    grant = await give(world)
    await add(feed, receiver.url, batch_rows=2)
    await world.publish([build_row(n, HJSZD="990201") for n in range(5)] + [build_row(9, HJSZD="990101")])
    worker = build_worker(feed)
    await work(worker)
    assert len(receiver.held()) == 6
    await shrink(world, grant, "9901")
    await work(worker)
    assert [row["GMSFHM"] for row in receiver.held().values()] == [key(9)]
    assert len(receiver.effects) == len(set(receiver.effects)) == 11
    assert not await worker.work_once()


async def test_letter_that_was_parked_is_sent_again_as_what_it_was(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    grant = await give(world)
    target = await add(feed, receiver.url)
    worker = build_worker(feed)
    await world.publish([build_row(1, HJSZD="990101"), build_row(2, HJSZD="990201")])
    receiver.script.extend(["400"] * 5)
    await work(worker)
    await set_filter(world, grant, "9901")
    receiver.script.extend(["400"] * 5)
    await work(worker)
    where = {"caller": world.consumer, "subscription_id": target.subscription_id, "name": "hook"}
    letters = await feed.services.push.targets.list_dead_letters(**where)
    assert [each.is_announcement for each in letters] == [False, True]
    assert receiver.effects == []
    await feed.services.push.targets.redrive(**where, letters=None)
    await work(worker)
    assert receiver.effects == [(1, 1), (1, EPOCH_SEQUENCES + 1)]
    assert [row["GMSFHM"] for row in receiver.held().values()] == [key(1)]


async def read_all(feed: Feed, world: World, subscription: UUID, limit: int) -> list[Change]:
    found: list[Change] = []
    page: Page = await read(feed, world, subscription, limit=limit)
    while page.changes:
        found += page.changes
        page = await read(feed, world, subscription, limit=limit, after=page.next_cursor)
    return found


@pytest.mark.parametrize("limit", [1, 2, 1500])
async def test_filter_that_changes_again_while_it_is_announced_ends_right(
    world: World, feed: Feed, limit: int
) -> None:
    grant = await give(world)
    await world.publish([build_row(n, HJSZD=f"990{1 + n % 2}01") for n in range(6)])
    subscription = await begin(feed, world)
    await set_filter(world, grant, "9901")
    page = await read(feed, world, subscription, limit=limit)
    held = {key(n): {} for n in range(6)}
    for change in page.changes:
        assert change.operation is Operation.DELETE
        del held[str(change.key["GMSFHM"])]
    await set_filter(world, grant, "9902")
    await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor)
    for change in await read_all(feed, world, subscription, limit):
        if change.operation is Operation.DELETE:
            del held[str(change.key["GMSFHM"])]
        else:
            assert str(change.key["GMSFHM"]) not in held
            held[str(change.key["GMSFHM"])] = {}
    assert set(held) == {key(n) for n in range(6) if n % 2}


async def test_change_told_with_the_rest_of_its_version_is_not_told_again(world: World, feed: Feed) -> None:
    """An announcement that begins inside a version is broken off by the next one, behind what it told."""
    grant = await give(world, "9902")
    subscription = await begin(feed, world)
    await world.publish([build_row(n, HJSZD=place) for n, place in enumerate(["990201", "990201", "990101"])])
    page = await read(feed, world, subscription, limit=1)
    told = list(page.changes)
    for prefix in ("99", "", "9901", ""):
        await set_filter(world, grant, prefix)
        page = await read(feed, world, subscription, after=page.next_cursor, limit=1)
        told += page.changes
    while page.changes:
        page = await read(feed, world, subscription, after=page.next_cursor, limit=1)
        told += page.changes
    held: dict[str, dict[str, object]] = {}
    apply_changes(held, told)
    assert set(held) == {key(n) for n in range(3)}


async def test_table_and_files_get_what_left_the_grant_once(
    world: World, feed: Feed, database_url: str, tmp_path: Path
) -> None:
    grant = await give(world)
    await world.publish([build_row(n, HJSZD=f"990{1 + n % 2}01") for n in range(6)])
    async with bridged(database_url) as bridge:
        await add_table(feed, bridge, database_url, start=Start.START)
        address = {"folder": "in", "format": "parquet"}
        more = {"kind": TargetKind.DIRECTORY, "address": address, "start": Start.START}
        target = await add(feed, "", name="files", batch_rows=100, **more)
        carriers: dict[TargetKind, Carrier] = {
            TargetKind.POSTGRESQL: PostgresCarrier(addresses=LOCAL),
            TargetKind.DIRECTORY: DirectoryCarrier(tmp_path),
        }
        worker = build_table_worker(feed, TargetKind.POSTGRESQL, carriers[TargetKind.POSTGRESQL])
        worker._carriers = carriers
        await work(worker)
        await shrink(world, grant, "9901")
        await work(worker)
    own = await asyncpg.connect(database_url)
    rows = await own.fetch('SELECT "GMSFHM" FROM people_copy')
    await own.close()
    assert {row["GMSFHM"] for row in rows} == {key(n) for n in range(6) if not n % 2}
    files = sorted((tmp_path / str(target.subscription_id) / "in").glob("*.parquet"))
    tables = [pq.read_table(path) for path in files]
    assert [table.num_rows for table in tables] == [6, 3]
    assert set(tables[1].column("_operation").to_pylist()) == {"delete"}
    assert {key(n) for n in range(6) if n % 2} == set(tables[1].column("GMSFHM").to_pylist())
