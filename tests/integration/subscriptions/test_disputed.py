"""Values under objection: marked in every form of the feed, and corrected to those who read them."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from uuid import UUID

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from core.database import Database
from exchange.objections.model import HoldingBasis, Objection, Ruling
from signing.canonical_json import parse_json
from subscriptions.feed.disputes import METADATA
from subscriptions.feed.page import Form, Page
from subscriptions.model import Start
from tests.exchange_world import PURPOSE, World, build_row, open_world
from tests.integration.subscriptions.feed_world import Feed, open_feed
from tests.integration.subscriptions.test_feed import begin, read

NUMBERS = [str(build_row(n)["GMSFHM"]) for n in range(4)]


@pytest.fixture
async def world(database: Database) -> World:
    opened = await open_world(database)
    await opened.publish([build_row(n) for n in range(4)])
    return opened


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


async def dispute(world: World, number: str, item: str = "XM") -> Objection:
    return await world.objection_service().raise_objection(
        caller=world.consumer,
        purpose=PURPOSE,
        resource_code="people",
        keys={"GMSFHM": number},
        item=item,
        claim="有误",
        basis="户口簿",
    )


async def rule(world: World, objection: Objection, ruling: Ruling) -> None:
    await world.objection_service().rule(
        caller=world.provider, objection_id=objection.id, ruling=ruling, reason="已核实"
    )


def marks(page: Page) -> dict[str, list[str]]:
    """Read the marks of an NDJSON page: items by number."""
    lines = map(json.loads, page.body.decode().splitlines())
    return {line["key"]["GMSFHM"]: line["disputed"] for line in lines if "disputed" in line}


async def load_manifest(world: World, page: Page) -> dict[str, object]:
    async with world.database.acquire() as connection:
        text = await connection.fetchval(
            "SELECT manifest FROM subscriptions.delivery WHERE id = $1", page.delivery_id
        )
    found = parse_json(text)
    assert isinstance(found, dict)
    return found


async def test_mark_stands_in_every_form_and_in_the_manifest_until_ruled(world: World, feed: Feed) -> None:
    await world.give(items=("GMSFHM", "XM", "CSRQ"))
    subscription = await begin(feed, world, Start.START)
    objection = await dispute(world, NUMBERS[2])
    another = await dispute(world, NUMBERS[2], "CSRQ")
    pages = {form: await read(feed, world, subscription, form=form) for form in Form}
    row = next(n for n, change in enumerate(pages[Form.CSV].changes) if change.key["GMSFHM"] == NUMBERS[2])
    places = {"CSRQ": [f"1.{row + 1}"], "XM": [f"1.{row + 1}"]}
    assert marks(pages[Form.NDJSON]) == {NUMBERS[2]: ["CSRQ", "XM"]}
    arrow = pa.ipc.open_stream(pages[Form.ARROW].body).schema
    parquet = pq.read_schema(io.BytesIO(pages[Form.PARQUET].body))
    assert json.loads(arrow.metadata[METADATA]) == json.loads(parquet.metadata[METADATA]) == places
    for page in pages.values():
        assert page.disputed == {row: ("CSRQ", "XM")}
        assert (await load_manifest(world, page))["disputed"] == places
    await rule(world, objection, Ruling.REJECT)
    assert marks(await read(feed, world, subscription)) == {NUMBERS[2]: ["CSRQ"]}
    await rule(world, another, Ruling.REJECT)
    page = await read(feed, world, subscription, form=Form.ARROW)
    assert page.disputed == {}
    assert "disputed" not in await load_manifest(world, page)


async def test_mark_is_on_changes_too_and_never_on_items_outside_the_grant(world: World, feed: Feed) -> None:
    wide = await world.give(items=("GMSFHM", "XM", "CSRQ"))
    await dispute(world, NUMBERS[1], "CSRQ")
    await dispute(world, NUMBERS[1], "XM")
    await world.grants.revoke(caller=world.provider, grant_id=wide.id, reason="试验")
    await world.give(items=("GMSFHM", "XM"), masks={"GMSFHM": {"*": "hash"}})
    subscription = await begin(feed, world)
    await world.publish([build_row(n, XM="改") for n in range(3)], [NUMBERS[3]])
    page = await read(feed, world, subscription)
    assert list(marks(page).values()) == [["XM"]]
    assert NUMBERS[1] not in page.body.decode()


@pytest.mark.parametrize("has_read_it", [True, False])
@pytest.mark.parametrize("further_consumer", [True, False])
async def test_correction_reaches_a_consumer_that_read_the_value_on_a_page_of_a_snapshot(
    world: World, feed: Feed, *, has_read_it: bool, further_consumer: bool
) -> None:
    """A page of a snapshot holds rows by key from its first to its last place, and no others."""
    await world.publish([build_row(9)])
    grant = await world.give(items=("GMSFHM", "XM"))
    start = Start.NOW if further_consumer else Start.START
    subscription = await begin(feed, world, start)
    consumer = "default"
    if further_consumer:
        consumer = "copy"
        await feed.services.subscriptions.add_consumer(
            caller=world.consumer, subscription_id=subscription, name=consumer, start=Start.START
        )
    first = await read(feed, world, subscription, limit=1, consumer=consumer)
    await _acknowledge(feed, world, subscription, first, consumer)
    second = await read(feed, world, subscription, limit=2, consumer=consumer)
    held = [change.key["GMSFHM"] for page in (first, second) for change in page.changes]
    assert held == NUMBERS[:3]
    number = NUMBERS[2] if has_read_it else NUMBERS[3]
    objection = await dispute(world, number)
    await world.publish([build_row(NUMBERS.index(number), XM="王正")])
    await rule(world, objection, Ruling.UPHOLD)
    corrections = await world.correction_service().take(
        caller=world.consumer, purpose=PURPOSE, unread_only=False
    )
    expected = [(grant.id, HoldingBasis.SUBSCRIPTION)] if has_read_it else []
    assert [(each.holder.grant_id, each.holder.basis) for each in corrections] == expected


async def _acknowledge(feed: Feed, world: World, subscription: UUID, page: Page, consumer: str) -> None:
    await feed.acknowledge(
        caller=world.consumer, subscription_id=subscription, cursor=page.next_cursor, consumer=consumer
    )
