"""The feed's forms over HTTP: the same changes as NDJSON, Arrow, Parquet and server-sent events."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.database import Database
from core.errors import Conflict, GrantMissing, NotFound, SchemaViolation
from exchange.accounting.digest import digest_table
from exchange.publish.store_retention import Partition, detach, drop
from signing import sm3
from signing.canonical_json import parse_json
from signing.merkle.receipts import TrustedKeys, verify_receipt
from subscriptions.delivery.model import Proof
from subscriptions.errors import FormNotOffered, VersionsPruned
from subscriptions.feed.columns import parse_block
from subscriptions.feed.negotiate import choose_media_type
from subscriptions.feed.page import Form
from subscriptions.feed.read import Wanted
from subscriptions.feed.stream import stream_events
from subscriptions.model import Operation, Start
from subscriptions.store import load_needed_after
from subscriptions.threads import SHORT_ROWS
from tests.exchange_world import PURPOSE, World, build_row, open_world
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed, open_feed
from tests.integration.subscriptions.test_feed import begin, read

HARD = ["a\tb", "c\nd\r", "back\\slash", "\\N", "\\t", "", "引\"号',", "\b\f\v", "🀄", " "]


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


@pytest.mark.parametrize("limit", [SHORT_ROWS, SHORT_ROWS + 1])
async def test_columnar_forms_hold_what_ndjson_holds_whatever_the_text(
    world: World, feed: Feed, limit: int
) -> None:
    await world.give()
    subscription = await begin(feed, world)
    moments = {"JKSJ": datetime(1949, 10, 1, 7, 0, 1, tzinfo=UTC), "SR": Decimal("-0.01")}
    await world.publish([build_row(n, XM=text, **moments) for n, text in enumerate(HARD)])
    await world.publish([build_row(0, XM=None, SR=None, SFYX=None)], [str(build_row(1)["GMSFHM"])])
    pages = {form: await read(feed, world, subscription, form=form, limit=limit) for form in Form}
    expected = pages[Form.NDJSON].changes
    assert [change.row["XM"] for change in expected[: len(HARD)]] == HARD  # type: ignore[index]
    assert expected[-1].row is None
    arrow = pa.ipc.open_stream(pages[Form.ARROW].body).read_all()
    parquet = pq.read_table(io.BytesIO(pages[Form.PARQUET].body))
    assert pages[Form.ARROW].changes == pages[Form.PARQUET].changes == expected
    assert arrow.to_pylist() == parquet.to_pylist() == pages[Form.NDJSON].table.to_pylist()
    assert arrow.schema.field("SR").type == pa.decimal128(12, 2)
    assert arrow.column("XM").to_pylist()[: len(HARD)] == HARD


def test_block_of_copy_text_with_a_row_longer_than_the_usual_buffer_is_read() -> None:
    schema = pa.schema([("_version", pa.int64()), ("text", pa.string())])
    long = "长" * 2_000_000
    table = parse_block(f"1\t{long}\n2\t\\N\n".encode(), schema)
    assert table.to_pylist() == [{"_version": 1, "text": long}, {"_version": 2, "text": None}]


async def test_masks_hold_in_every_form(world: World, feed: Feed) -> None:
    await world.give(masks={"XM": {"*": "name"}, "CSRQ": {"*": "full"}, "GMSFHM": {"*": "hash"}})
    await world.publish([build_row(n, XM="欧阳某某") for n in range(5)])
    subscription = await begin(feed, world, Start.START)
    for form in Form:
        page = await read(feed, world, subscription, form=form, limit=3)
        rest = await read(feed, world, subscription, form=form, after=page.next_cursor)
        shown = [*page.changes, *rest.changes]
        assert len(shown) == len({change.key["GMSFHM"] for change in shown}) == 5
        assert {change.row["XM"] for change in shown if change.row} == {"欧***"}
        assert {change.row["CSRQ"] for change in shown if change.row} == {"***"}
        for secret in ("欧阳", "19900101", "1990-01"):
            assert secret.encode() not in page.body


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, Form.NDJSON),
        ("*/*", Form.NDJSON),
        ("application/*", Form.NDJSON),
        ("application/vnd.apache.arrow.stream", Form.ARROW),
        ("application/x-ndjson;q=0.1, application/vnd.apache.parquet", Form.PARQUET),
        ("text/html, text/event-stream;q=0.5, */*;q=0.1", "text/event-stream"),
        ("application/vnd.apache.arrow.stream;q=0, */*", Form.NDJSON),
    ],
)
def test_accept_field_chooses_the_form(accept: str | None, chosen: str) -> None:
    assert choose_media_type(accept) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/x-ndjson;q=0", "*/*;q=x", ",;,"])
def test_accept_field_without_a_form_offered_is_refused(accept: str) -> None:
    with pytest.raises(FormNotOffered):
        choose_media_type(accept)


async def test_consumers_of_one_subscription_have_places_of_their_own(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    service, caller = feed.services.subscriptions, world.consumer
    await world.publish([build_row(1), build_row(2)])
    ids = {"caller": caller, "subscription_id": subscription}
    await service.add_consumer(**ids, name="report", start=Start.START)
    with pytest.raises(Conflict):
        await service.add_consumer(**ids, name="report", start=Start.NOW)
    with pytest.raises(SchemaViolation):
        await service.add_consumer(**ids, name="../x", start=Start.NOW)
    with pytest.raises(NotFound):
        await read(feed, world, subscription, consumer="nobody")
    first = await read(feed, world, subscription)
    await feed.acknowledge(**ids, cursor=first.next_cursor)
    assert not (await read(feed, world, subscription)).changes
    assert len((await read(feed, world, subscription, consumer="report")).changes) == 2
    await service.pause(**ids, name="report", reason="维护")
    with pytest.raises(Conflict, match="维护"):
        await read(feed, world, subscription, consumer="report")
    await service.resume(**ids, name="report", reason="维护完毕")
    lags = {each.consumer.name: each.lag_versions for each in await service.list_consumers(**ids)}
    assert lags == {"default": 0, "report": 1}
    await service.remove_consumer(**ids, name="report", reason="停用")
    with pytest.raises(Conflict):
        await service.remove_consumer(**ids, name="default", reason="停用")


async def test_consumer_is_rewound_to_a_version_or_to_all_rows_and_skips_with_a_reason(
    world: World, feed: Feed
) -> None:
    await world.give()
    subscription = await begin(feed, world)
    service = feed.services.subscriptions
    ids = {"caller": world.consumer, "subscription_id": subscription}
    for number in range(3):
        await world.publish([build_row(number)])
    page = await read(feed, world, subscription)
    await feed.acknowledge(**ids, cursor=page.next_cursor)
    await service.rewind(**ids, name="default", start=1, reason="库损坏")
    replayed = await read(feed, world, subscription)
    assert [change.position.version for change in replayed.changes] == [2, 3]
    await service.rewind(**ids, name="default", start=Start.START, reason="库损坏")
    assert len((await read(feed, world, subscription, limit=10)).changes) == 3
    await service.skip(**ids, name="default", cursor=replayed.next_cursor, reason="已线下处理")
    assert not (await read(feed, world, subscription)).changes
    with pytest.raises(Conflict):
        await service.skip(**ids, name="default", cursor="1.0", reason="倒退")
    with pytest.raises(SchemaViolation):
        await service.skip(**ids, name="default", cursor="9.0", reason=" ")
    acts = [leaf["details"] for leaf in await world.events() if leaf["event"] == "consumer.changed"]
    assert [(act["act"], act["reason"]) for act in acts] == [
        ("rewound", "库损坏"),
        ("rewound", "库损坏"),
        ("skipped", "已线下处理"),
    ]


async def test_versions_pruned_are_told_apart_and_a_snapshot_still_begins(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world, 0)
    for number in range(257):
        await world.publish([build_row(number % 7, XM=f"第{number}版")])
    await feed.acknowledge(caller=world.consumer, subscription_id=subscription, cursor="255.0")
    async with world.database.acquire() as connection:
        assert await load_needed_after(connection, resource_code="people") == 254
        partition = Partition(resource_code="people", first_version=0, is_detached=False)
        assert await detach(connection, partition=partition)
        await drop(connection, partition=partition)
    for after in (None, "3.0", "3.1", "255.1"):
        with pytest.raises(VersionsPruned, match="from version 256 on"):
            await read(feed, world, subscription, after=after)
    with pytest.raises(VersionsPruned):
        await begin(feed, world, 10)
    assert len((await read(feed, world, subscription, after="256.0")).changes) == 2
    ids = {"caller": world.consumer, "subscription_id": subscription}
    await feed.services.subscriptions.rewind(**ids, name="default", start=Start.START, reason="已清理")
    assert len((await read(feed, world, subscription)).changes) == 7


async def test_listening_readers_wake_without_a_poll(
    world: World, feed: Feed, migrated_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subscriptions.feed.wake.POLL_LISTENING_S", 60)
    await world.give()
    async with open_feed(world, database_url=migrated_url) as listening:
        waker = asyncio.create_task(listening.services.waker.run())
        while not listening.services.waker.is_listening:
            await asyncio.sleep(0.01)
        subscription = await begin(listening, world)
        waiting = asyncio.create_task(read(listening, world, subscription, wait=30))
        await asyncio.sleep(0.2)
        await world.publish([build_row(1)])
        async with world.database.acquire() as connection:
            await connection.execute("SELECT pg_notify('shuzheng_versions', 'people 1')")
        async with asyncio.timeout(10):
            assert len((await waiting).changes) == 1
        waker.cancel()


async def test_manifest_tells_what_was_delivered_and_holds_offline(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(n) for n in range(5)])
    for form, proof in ((Form.NDJSON, None), (Form.ARROW, Proof.ROWS), (Form.PARQUET, None)):
        page = await read(feed, world, subscription, form=form, proof=proof)
        assert page.delivery_id is not None
        delivery = await feed.services.acknowledger.find_delivery(
            caller=world.consumer,
            subscription_id=subscription,
            consumer="default",
            delivery_id=page.delivery_id,
        )
        trust = TrustedKeys(keys=(HUB_KEY.public_key,))
        verify_receipt(delivery.receipt, trust=trust, payload=delivery.manifest)
        manifest = parse_json(delivery.manifest)
        assert isinstance(manifest, dict)
        assert (manifest["rows"], manifest["first"], manifest["last"]) == (5, "1.1", "1.5")
        assert manifest["body_sm3"] == sm3.digest(page.body).hex()
        if "rows_digest" in manifest:
            assert manifest["rows_digest"] == digest_table(page.table, page.table.column_names).digest.hex()
        assert ("rows_digest" in manifest) == (form is not Form.PARQUET)


async def test_grant_narrowed_in_mid_stream_narrows_the_next_page(world: World, feed: Feed) -> None:
    grant = await world.give()
    await world.publish([build_row(n) for n in range(10)])
    subscription = await begin(feed, world, Start.START)
    page = await read(feed, world, subscription, limit=4)
    async with world.database.transaction() as connection:
        await connection.execute(
            "UPDATE exchange.grant_ SET items = $2, row_filter = $3 WHERE id = $1",
            grant.id,
            ["GMSFHM", "XB"],
            {"sex": {"item": "XB", "equals": "1"}},
        )
    taken = await read(feed, world, subscription, after=page.next_cursor)
    assert {change.operation for change in taken.changes} == {Operation.DELETE}
    shown = {change.key["GMSFHM"] for change in page.changes if change.row and change.row["XB"] != "1"}
    assert {change.key["GMSFHM"] for change in taken.changes} == shown
    rest = await read(feed, world, subscription, after=taken.next_cursor)
    assert {frozenset(change.row or ()) for change in rest.changes} == {frozenset({"GMSFHM", "XB"})}
    assert {(change.row or {})["XB"] for change in rest.changes} == {"1"}
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    with pytest.raises(GrantMissing):
        await read(feed, world, subscription, after=page.next_cursor)


async def test_schema_that_grows_in_mid_stream_shows_from_the_next_page_on(world: World, feed: Feed) -> None:
    await world.give()
    await world.publish([build_row(n) for n in range(4)])
    subscription = await begin(feed, world, Start.START)
    page = await read(feed, world, subscription, limit=2, form=Form.ARROW)
    async with world.database.transaction() as connection:
        await connection.execute('ALTER TABLE data."people" ADD COLUMN "NEW" text')
        await connection.execute(
            "INSERT INTO exchange.resource_item SELECT (jsonb_populate_record(i, jsonb_build_object("
            "'name', 'NEW', 'title', 'NEW', 'position', 99))).* FROM exchange.resource_item i"
            " WHERE resource_code = 'people' AND name = 'XM'"
        )
        await connection.execute("UPDATE exchange.grant_ SET items = items || '{NEW}'::text[]")
    rest = await read(feed, world, subscription, after=page.next_cursor, form=Form.ARROW)
    assert "NEW" not in page.table.column_names
    assert rest.table.column("NEW").to_pylist() == [None, None]


async def test_key_that_is_masked_in_mid_stream_refuses_instead_of_making_one_row_of_many(
    world: World, feed: Feed
) -> None:
    await world.give()
    await world.publish([build_row(n) for n in range(4)])
    subscription = await begin(feed, world, Start.START)
    page = await read(feed, world, subscription, limit=2)
    rules = {"GMSFHM": {"*": "id_number"}}
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks=rules)
    with pytest.raises(GrantMissing, match="GMSFHM"):
        await read(feed, world, subscription, after=page.next_cursor)
    other = {"GMSFHM": {"别的事项": "id_number"}}
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks=other)
    rest = await read(feed, world, subscription, after=page.next_cursor)
    assert len({change.key["GMSFHM"] for change in (*page.changes, *rest.changes)}) == 4


def parse_events(text: str) -> list[dict[str, str]]:
    """Read an event stream as browsers do: fields by name, data lines joined by line feeds."""
    events = []
    for block in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in block.splitlines():
            name, _, value = line.partition(": ")
            if name:
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
        if fields:
            events.append(fields)
    return events


async def test_event_stream_goes_on_from_the_last_event_id_and_ends_with_the_grant(
    world: World, feed: Feed
) -> None:
    grant = await world.give()
    subscription = await begin(feed, world)
    await world.publish([build_row(1, XM="甲\n乙"), build_row(2)])
    page = await read(feed, world, subscription, limit=1)
    stream = stream_events(
        feed.services.feed,
        caller=world.consumer,
        purpose=PURPOSE,
        wanted=Wanted(subscription_id=subscription, limit_rows=1),
        first=page,
    )
    pieces = [await anext(stream) for _ in range(3)]
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    async with asyncio.timeout(20):
        pieces += [piece async for piece in stream]
    events = parse_events(b"".join(pieces).decode())
    lines = [json.loads(event["data"]) for event in events if event.get("event") == "changes"]
    assert [line["row"]["XM"] for line in lines] == ["甲\n乙", "人2"]
    assert [event["id"] for event in events if event.get("event") == "changes"] == ["1.1", "1.2"]
    assert events[-1]["event"] == "problem"
    assert json.loads(events[-1]["data"])["code"] == "ACCESS-NOT-GRANTED"
