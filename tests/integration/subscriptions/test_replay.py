"""The feed out of the lake: what the change log no longer keeps is replayed, version by version."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest

from core.errors import BadInput, Conflict
from core.settings import Settings
from exchange.publish.store_retention import Partition, detach, drop
from hub.services import utc_now
from subscriptions.errors import VersionsPruned
from subscriptions.feed import replay
from subscriptions.feed.page import Form, Page
from subscriptions.lake.model import LakeVersion
from subscriptions.model import Change, Start
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed, open_feed
from tests.integration.subscriptions.test_feed import begin, read
from tests.lake_behaviour import LakeWorld, open_lake_world

FIRST = 253  # so that the first partition of the change log, of 256 versions, fills soon


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """A world whose change log will lose versions that the lake has."""

    lake: LakeWorld
    feed: Feed

    @property
    def world(self) -> World:
        return self.lake.world

    async def drain(
        self, subscription: UUID, *, after: str, limit: int = 1000, form=Form.NDJSON
    ) -> list[Change]:
        """Read page by page from a cursor to the end."""
        found: list[Change] = []
        while True:
            page: Page = await read(self.feed, self.world, subscription, after=after, limit=limit, form=form)
            if not page.changes:
                return found
            found += page.changes
            after = page.next_cursor

    async def prune(self) -> None:
        """Drop the change log up to version 255."""
        async with self.world.database.acquire() as connection:
            partition = Partition(resource_code="people", first_version=0, is_detached=False)
            assert await detach(connection, partition=partition)
            await drop(connection, partition=partition)


@pytest.fixture
async def old(database, hub_settings: Settings) -> AsyncIterator[Old]:
    async with open_lake_world(database, hub_settings) as lake:
        async with database.acquire() as connection:
            await connection.execute("UPDATE exchange.resource SET current_version = $1", FIRST - 1)
        async with open_feed(lake.world, settings=hub_settings) as feed:
            await lake.follow()
            yield Old(lake=lake, feed=feed)


async def publish_history(old: Old) -> None:
    """Publish versions of all kinds of changes: five of them, the last two beyond what will be pruned."""
    world = old.world
    await world.publish([build_row(n) for n in range(8)])
    await world.publish(
        [build_row(1, XM="改\t\\N", SR=None), build_row(2, HJSZD="119901"), build_row(9, HJSZD="119901")],
        [str(build_row(3)["GMSFHM"])],
    )
    await world.publish([build_row(2, HJSZD="990101"), build_row(4, ZJXY="不共享")])
    await world.publish([build_row(3, XM="复")], [str(build_row(9)["GMSFHM"])])
    await world.publish([build_row(20)])
    await old.lake.follow()


def tell(changes: list[Change]) -> list[tuple[object, ...]]:
    """Tell changes by version, key and effect, whatever their numbers."""
    return sorted(
        (change.position.version, str(change.key), str(change.operation), str(change.row))
        for change in changes
    )


@pytest.mark.parametrize("prefix", [None, "99"])
async def test_replay_tells_what_the_change_log_told_page_by_page_in_every_form(
    old: Old, prefix: str | None
) -> None:
    await old.world.give(
        row_filter={} if prefix is None else {"place": {"item": "HJSZD", "prefix": prefix}},
        masks={"XM": {"*": "name"}},
    )
    await publish_history(old)
    subscription = await begin(old.feed, old.world, FIRST - 1)
    expected = tell(await old.drain(subscription, after=f"{FIRST}.0"))
    assert {told[2] for told in expected} == {"insert", "update", "delete"}
    await old.prune()
    for form in Form:
        assert tell(await old.drain(subscription, after=f"{FIRST}.0", form=form)) == expected
    for limit in (1, 2, 3, 5):
        changes = await old.drain(subscription, after=f"{FIRST}.0", limit=limit)
        places = [change.position for change in changes]
        assert places == sorted(set(places))
        assert tell(changes) == expected
    again = await begin(old.feed, old.world, FIRST)
    assert tell(await old.drain(again, after=f"{FIRST + 1}.0")) == [e for e in expected if e[0] > FIRST]


async def test_replay_takes_acknowledgements_and_refuses_places_of_the_change_logs_own_numbering(
    old: Old,
) -> None:
    await old.world.give()
    await publish_history(old)
    subscription = await begin(old.feed, old.world, FIRST - 1)
    middle = (await read(old.feed, old.world, subscription, after=f"{FIRST}.0", limit=3)).next_cursor
    await old.prune()
    with pytest.raises(VersionsPruned, match=f"from version {FIRST} on"):
        await read(old.feed, old.world, subscription, after=middle)
    page = await read(old.feed, old.world, subscription, after=f"{FIRST}.0", limit=3)
    assert str(build_row(2)["GMSFHM"]) not in page.next_cursor
    ids = {"caller": old.world.consumer, "subscription_id": subscription}
    await old.feed.acknowledge(**ids, cursor=page.next_cursor)
    rest = await read(old.feed, old.world, subscription)
    assert rest.changes[0].position > page.changes[-1].position
    assert not {str(c.key) for c in page.changes} & {
        str(c.key) for c in rest.changes if c.position.version == FIRST
    }
    with pytest.raises(BadInput):
        await read(old.feed, old.world, subscription, after=page.next_cursor[:-4] + "AAAA")


async def test_snapshot_whose_later_changes_were_pruned_is_not_made_up_from_the_lake(old: Old) -> None:
    await old.world.give()
    await old.world.publish([build_row(n) for n in range(8)])
    subscription = await begin(old.feed, old.world, Start.START)
    await publish_history(old)
    assert len((await read(old.feed, old.world, subscription, limit=3)).changes) == 3
    await old.prune()
    with pytest.raises(VersionsPruned):
        await read(old.feed, old.world, subscription)


async def test_filter_that_changes_in_the_middle_of_a_replay_asks_for_a_new_beginning(old: Old) -> None:
    grant = await old.world.give()
    await publish_history(old)
    await old.prune()
    subscription = await begin(old.feed, old.world, FIRST - 1)
    page = await read(old.feed, old.world, subscription, limit=4)
    async with old.world.database.acquire() as connection:
        await connection.execute(
            "UPDATE exchange.grant_ SET row_filter = $2 WHERE id = $1",
            grant.id,
            {"sex": {"item": "XB", "equals": "1"}},
        )
    for after in (None, page.next_cursor):
        with pytest.raises(Conflict, match="rewind the consumer to `start`"):
            await read(old.feed, old.world, subscription, after=after)
    ids = {"caller": old.world.consumer, "subscription_id": subscription, "name": "default"}
    await old.feed.services.subscriptions.rewind(**ids, start=Start.START, reason="重读")
    rest = await read(old.feed, old.world, subscription)
    assert {change.row and change.row["XB"] for change in rest.changes} == {"1"}


async def test_large_version_is_replayed_in_windows_the_same_as_at_once(
    old: Old, monkeypatch: pytest.MonkeyPatch
) -> None:
    await old.world.give(row_filter={"place": {"item": "HJSZD", "prefix": "99"}})
    await publish_history(old)
    subscription = await begin(old.feed, old.world, FIRST - 1)
    expected = tell(await old.drain(subscription, after=f"{FIRST}.0"))
    await old.prune()
    at_once = await old.drain(subscription, after=f"{FIRST}.0")
    for window in (1, 2, 3):
        monkeypatch.setattr(replay, "WINDOW_KEYS", window)
        for limit in (1, 2, 3, 100):
            changes = await old.drain(subscription, after=f"{FIRST}.0", limit=limit)
            assert changes == at_once
    assert tell(at_once) == expected


def test_lake_with_a_gap_replays_only_what_follows() -> None:
    def entry(version: int, *, rows: int = 1, has_changes: bool = True) -> LakeVersion:
        return LakeVersion(
            version=version,
            delta_version=version,
            changed_rows=rows,
            has_changes=has_changes,
            committed_at=utc_now(),
            written_at=utc_now(),
        )

    assert replay.find_oldest([], until=7) == 7
    assert replay.find_oldest([entry(n) for n in range(9)], until=7) == 1
    assert replay.find_oldest([entry(n) for n in (3, 5, 6, 8)], until=7) == 5
    assert replay.find_oldest([entry(5, has_changes=False), entry(6)], until=7) == 6
    assert replay.find_oldest([entry(5), entry(6, rows=9_000_000)], until=7) == 5
