"""The feed against a model that remembers every version: exactly the changes that the grant shows, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from core.errors import BadInput, Conflict, GrantMissing, NotFound, SchemaViolation
from exchange.access.model import Mode
from subscriptions.feed.page import Page
from subscriptions.model import Change, Operation, Start
from subscriptions.store_ground import GROUND
from tests.exchange_world import PURPOSE, SHARED, World, build_row, open_world
from tests.integration.subscriptions.feed_world import Feed, open_feed


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


async def begin(feed: Feed, world: World, start: Start | int = Start.NOW) -> UUID:
    standing = await feed.create(
        caller=world.consumer, purpose=PURPOSE, grant_id=None, resource_code="people", start=start
    )
    return standing.subscription.id


async def read(feed, world: World, subscription: UUID, after=None, limit=1000, wait=0.0, **more) -> Page:
    return await feed.read(
        caller=world.consumer,
        purpose=PURPOSE,
        subscription_id=subscription,
        after=after,
        limit_rows=limit,
        wait_s=wait,
        **more,
    )


async def drain(feed, world: World, subscription: UUID, limit: int) -> list[Change]:
    """Read to the end, acknowledging each page, as a careful consumer does."""
    found: list[Change] = []
    while True:
        page = await read(feed, world, subscription, limit=limit)
        await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor)
        if not page.changes:
            return found
        found += page.changes


def apply_changes(held: dict[str, dict[str, object]], changes: list[Change]) -> None:
    """Apply changes to a copy, insisting that each fits."""
    for change in changes:
        key = str(change.key["GMSFHM"])
        if change.operation is Operation.INSERT:
            assert key not in held
            held[key] = dict(change.row or {})
        elif change.operation is Operation.UPDATE:
            assert held[key] != change.row
            held[key] = dict(change.row or {})
        else:
            assert change.row is None
            del held[key]


def view(rows: dict[str, dict[str, object]], items: list[str], prefix: str) -> dict[str, dict[str, object]]:
    return {
        key: {name: row[name] for name in SHARED if name in items}
        for key, row in rows.items()
        if str(row["HJSZD"]).startswith(prefix)
    }


row_changes = st.tuples(
    st.integers(0, 5),
    st.none()
    | st.fixed_dictionaries(
        {
            "XM": st.sampled_from(["甲", "乙"]),
            "HJSZD": st.sampled_from(["990101", "990201"]),
            "SR": st.sampled_from([None, 1, 2]),
        }
    ),
)
batches = st.lists(
    st.lists(row_changes, min_size=1, max_size=5, unique_by=lambda change: change[0]), min_size=1, max_size=5
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=batches,
    between=batches,
    after=batches,
    items=st.sets(st.sampled_from(["XM", "SR", "HJSZD"])),
    prefix=st.sampled_from(["9901", "99", "98"]),
    limit=st.integers(1, 7),
    from_start=st.booleans(),
)
async def test_feed_over_any_batches_equals_the_model(
    world: World, feed: Feed, before, between, after, items, prefix, limit, from_start
) -> None:
    async with world.database.acquire() as connection:
        stored = await connection.fetch('SELECT * FROM data."people"')
    rows = {row["GMSFHM"]: dict(row) for row in stored}

    async def publish(found) -> None:
        for batch in found:
            upserts = [build_row(number, **change) for number, change in batch if change is not None]
            deletes = [str(build_row(number)["GMSFHM"]) for number, change in batch if change is None]
            await world.publish(upserts, deletes)
            rows.update({str(row["GMSFHM"]): dict(row) for row in upserts})
            for key in deletes:
                rows.pop(key, None)

    granted = ["GMSFHM", *items]
    grant = await world.give(
        items=tuple(granted),
        modes=frozenset({Mode.SUBSCRIBE}),
        row_filter={"place": {"item": "HJSZD", "prefix": prefix}},
    )
    await publish(before)
    subscription = await begin(feed, world, Start.START if from_start else Start.NOW)
    held = {} if from_start else view(rows, granted, prefix)
    await publish(between)
    changes = await drain(feed, world, subscription, limit)
    apply_changes(held, changes)
    assert held == view(rows, granted, prefix)
    await publish(after)
    later = await drain(feed, world, subscription, limit)
    apply_changes(held, later)
    assert held == view(rows, granted, prefix)
    places = [change.position for change in [*changes, *later]]
    assert places == sorted(set(places))
    assert not (await read(feed, world, subscription)).changes
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="试验结束")


async def test_feed_reads_again_what_was_not_acknowledged(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(n) for n in range(4)])
    first = await read(feed, world, subscription, limit=3)
    again = await read(feed, world, subscription, limit=3)
    assert (first.changes, first.next_cursor) == (again.changes, again.next_cursor)
    rest = await read(feed, world, subscription, after=first.next_cursor)
    assert len(first.changes) + len(rest.changes) == 4


async def test_feed_page_counts_in_the_chain_of_its_resource(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(1)])
    await read(feed, world, subscription)
    async with world.database.acquire() as connection:
        subjects = await connection.fetch(
            "SELECT subject_hmac FROM core.log_leaf WHERE event = 'changes.read'"
        )
    assert [row[0] for row in subjects] == [world.log.hash_subject("resource:people")]


async def test_feed_from_a_version_replays_what_came_after_it(world: World, feed: Feed) -> None:
    await world.publish([build_row(1)])
    await world.publish([build_row(2)])
    await world.give()
    subscription = await begin(feed, world, 1)
    page = await read(feed, world, subscription)
    assert [(change.position.version, change.key["GMSFHM"]) for change in page.changes] == [
        (2, build_row(2)["GMSFHM"])
    ]
    with pytest.raises(BadInput):
        await begin(feed, world, 3)


async def test_feed_after_revocation_is_refused_even_while_waiting(world: World, feed: Feed) -> None:
    grant = await world.give()
    subscription = await begin(feed, world)
    waiting = asyncio.create_task(read(feed, world, subscription, wait=20))
    await asyncio.sleep(0.3)
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    with pytest.raises(GrantMissing):
        await waiting
    with pytest.raises(GrantMissing):
        await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor="1.0")
    assert not (await feed.list_own(caller=world.consumer))[0].is_granted
    assert (await world.events())[-1]["event"] == "access.refused"


async def test_waiting_read_wakes_with_the_next_version(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    waiting = asyncio.create_task(read(feed, world, subscription, wait=20))
    await asyncio.sleep(0.1)
    await world.publish([build_row(1)])
    assert len((await waiting).changes) == 1


async def test_acknowledgement_backwards_or_beyond_is_refused(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(1), build_row(2)])

    async def acknowledge(cursor: str) -> None:
        await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor=cursor)

    for cursor in ("2.1", "3.0", "1.3", "999999999999999999.0"):
        with pytest.raises(Conflict):
            await acknowledge(cursor)
    for cursor in ("", "1", "1.2.3", "-1.0", "1.1~AAAA", "' OR 1=1", "1.0\x00", "１.0", "9" * 40 + ".0"):
        with pytest.raises(BadInput):
            await acknowledge(cursor)
    await acknowledge("1.2")
    await acknowledge("1.2")
    with pytest.raises(Conflict):
        await acknowledge("1.1")
    assert not (await read(feed, world, subscription)).changes
    standing = (await feed.list_own(caller=world.consumer))[0]
    assert standing.lag_versions == 1
    await acknowledge("2.0")
    assert (await feed.list_own(caller=world.consumer))[0].lag_versions == 0


async def test_snapshot_cursor_tells_no_key_and_belongs_to_its_subscription(world: World, feed: Feed) -> None:
    await world.publish([build_row(n) for n in range(3)])
    await world.give()
    one, other = await begin(feed, world, Start.START), await begin(feed, world, Start.START)
    page = await read(feed, world, one, limit=2)
    assert str(build_row(1)["GMSFHM"]) not in page.next_cursor
    with pytest.raises(BadInput):
        await read(feed, world, other, after=page.next_cursor)
    with pytest.raises(BadInput):
        await read(feed, world, one, after="1.2")


async def test_subscription_of_another_organisation_is_not_to_be_found(world: World, feed: Feed) -> None:
    grant = await world.give()
    subscription = await begin(feed, world)
    for call in (
        feed.read(
            caller=world.stranger,
            purpose=PURPOSE,
            subscription_id=subscription,
            after=None,
            limit_rows=1,
            wait_s=0,
        ),
        feed.acknowledge(caller=world.stranger, subscription_id=subscription, cursor="1.0"),
        feed.create(
            caller=world.stranger, purpose=PURPOSE, grant_id=grant.id, resource_code=None, start=Start.NOW
        ),
        feed.read(
            caller=world.consumer,
            purpose=PURPOSE,
            subscription_id=uuid4(),
            after=None,
            limit_rows=1,
            wait_s=0,
        ),
    ):
        with pytest.raises(NotFound):
            await call
    assert await feed.list_own(caller=world.stranger) == []


async def test_subscription_needs_the_mode_and_the_key_items(world: World, feed: Feed) -> None:
    await world.give(modes=frozenset({Mode.QUERY, Mode.VERIFY}))
    with pytest.raises(GrantMissing):
        await begin(feed, world)
    with pytest.raises(SchemaViolation):
        await world.give(items=("XM",), modes=frozenset({Mode.SUBSCRIBE}))


async def test_feed_leaves_its_trace(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(1)])
    await drain(feed, world, subscription, 10)
    events = [leaf["event"] for leaf in await world.events()]
    assert events[-4:] == [
        "subscription.created",
        "changes.read",
        "changes.acknowledged",
        "changes.acknowledged",
    ]


async def test_statement_of_the_ground_names_each_column_once(world: World) -> None:
    async with world.database.acquire() as connection:
        prepared = await connection.prepare(GROUND)
        names = [attribute.name for attribute in prepared.get_attributes()]
    assert len(set(names)) == len(names)


async def test_item_that_is_added_shows_though_the_ground_of_the_resource_is_kept(
    world: World, feed: Feed
) -> None:
    grant = await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(1)])
    before = (await read(feed, world, subscription)).table.column_names
    async with world.database.transaction() as connection:
        await connection.execute(
            "UPDATE exchange.resource_item SET share_type = 'not_shared' WHERE resource_code = 'people'"
            " AND name = 'XM'"
        )
    after = (await read(feed, world, subscription)).table.column_names
    assert set(before) - set(after) == {"XM"} <= set(grant.terms.items)
