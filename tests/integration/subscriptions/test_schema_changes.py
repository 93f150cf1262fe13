"""A description or a grant whose items change while a target is in the middle of its messages."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.dataset as pa_dataset
import pyarrow.parquet as pq
import pytest

from signing.merkle.receipts import TrustedKeys, verify_receipt
from subscriptions.model import Start
from subscriptions.push.files import DirectoryCarrier
from subscriptions.push.model import TargetKind, TargetState
from subscriptions.push.postgresql import PostgresCarrier
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed
from tests.integration.subscriptions.push_world import add, look, resume, work
from tests.integration.subscriptions.push_world import build_worker as build_webhook_worker
from tests.integration.subscriptions.receiver import Receiver
from tests.integration.subscriptions.schema_world import (
    PHONE,
    POINTS,
    Midway,
    add_items,
    change_format,
    take_away,
)
from tests.integration.subscriptions.socket_bridge import Bridge, bridged
from tests.integration.subscriptions.test_push_database import LOCAL, add_table, build_worker

ITEMS = ("GMSFHM", "XM", "CSRQ", "SR")
Own: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


def key(number: int) -> str:
    return str(build_row(number)["GMSFHM"])


@pytest.fixture
async def own(database_url: str) -> AsyncIterator[Own]:
    """The subscriber's database."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


@pytest.fixture
async def bridge(database_url: str) -> AsyncIterator[Bridge]:
    async with bridged(database_url) as opened:
        yield opened


async def read_table(own: Own) -> dict[str, dict[str, Any]]:
    rows = await own.fetch("SELECT * FROM people_copy")
    return {row["GMSFHM"]: {name: row[name] for name in row.keys() if name != "GMSFHM"} for row in rows}  # noqa: SIM118


async def test_table_gets_a_column_for_an_item_that_is_added_in_mid_stream(
    world: World, feed: Feed, own: Own, bridge: Bridge, database_url: str
) -> None:
    grant = await world.give(items=("GMSFHM", "XM"))
    await world.publish([build_row(n) for n in range(6)])
    await add_table(feed, bridge, database_url, start=Start.START, batch_rows=2)

    async def grow() -> None:
        grown = await add_items(world, grant, PHONE, POINTS)
        await grown.publish([build_row(n, LXDH=f"139{n}", JF=Decimal("2.5")) for n in (0, 5, 6)])

    carrier = Midway(PostgresCarrier(addresses=LOCAL), grow, after=2)
    await work(build_worker(feed, TargetKind.POSTGRESQL, carrier))
    expected = {
        key(n): {"XM": f"人{n}", "LXDH": f"139{n}", "JF": Decimal("2.5")}
        if n in {0, 5, 6}
        else {"XM": f"人{n}", "LXDH": None, "JF": None}
        for n in range(7)
    }
    assert await read_table(own) == expected


async def test_column_of_an_item_that_is_taken_away_is_emptied_and_columns_of_others_are_not(
    world: World, feed: Feed, own: Own, bridge: Bridge, database_url: str
) -> None:
    grant = await world.give(items=ITEMS)
    await own.execute(
        'CREATE TABLE people_copy ("GMSFHM" text PRIMARY KEY, "XM" text, "CSRQ" date,'
        " \"SR\" numeric, note text DEFAULT 'mine', \"XB\" text DEFAULT 'mine')"
    )
    await world.publish([build_row(n) for n in range(6)])
    await add_table(feed, bridge, database_url, start=Start.START, batch_rows=2)

    async def shrink() -> None:
        await take_away(world, grant, "XM", "CSRQ")
        await world.publish([build_row(n, XM="改", SR=Decimal(9)) for n in (0, 7)])

    await work(
        build_worker(feed, TargetKind.POSTGRESQL, Midway(PostgresCarrier(addresses=LOCAL), shrink, after=2))
    )
    rows = await read_table(own)
    assert rows == {
        key(n): {
            "XM": None,
            "CSRQ": None,
            "SR": Decimal(9) if n in {0, 7} else Decimal(n) / 4,
            "note": "mine",
            "XB": "mine",
        }
        for n in (0, 1, 2, 3, 4, 5, 7)
    }
    await own.execute("UPDATE people_copy SET \"XM\" = 'mine now'")
    await world.publish([build_row(1, SR=Decimal(9))])
    await work(build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL)))
    assert {row["XM"] for row in (await read_table(own)).values()} == {"mine now"}


async def test_column_that_cannot_be_emptied_stops_the_target_until_it_can(
    world: World, feed: Feed, own: Own, bridge: Bridge, database_url: str
) -> None:
    grant = await world.give(items=ITEMS)
    target = await add_table(feed, bridge, database_url, batch_rows=2)
    await world.publish([build_row(1)])
    worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
    await work(worker)
    await own.execute('ALTER TABLE people_copy ALTER "XM" SET NOT NULL')
    await take_away(world, grant, "XM")
    await world.publish([build_row(1, SR=Decimal(7))])
    await work(worker)
    stopped = await look(feed, target)
    assert (stopped.state, stopped.failures) == (TargetState.STOPPED, 0)
    assert "XM" in str(stopped.state_reason)
    await own.execute('ALTER TABLE people_copy ALTER "XM" DROP NOT NULL')
    await resume(feed, target)
    await work(worker)
    assert (await read_table(own))[key(1)] == {"XM": None, "CSRQ": build_row(1)["CSRQ"], "SR": Decimal(7)}


async def test_decimal_that_grows_in_mid_stream_widens_its_column_and_parks_nothing(
    world: World, feed: Feed, own: Own, bridge: Bridge, database_url: str
) -> None:
    await world.give(items=("GMSFHM", "SR"))
    target = await add_table(feed, bridge, database_url, batch_rows=2)
    await world.publish([build_row(1)])
    worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
    await work(worker)
    wider = await change_format(world, "SR", "N..20,2")
    await wider.publish([build_row(2, SR=Decimal("999999999999999999.99"))])
    await work(worker)
    assert (await look(feed, target)).failures == 0
    assert {row["SR"] for row in (await read_table(own)).values()} == {
        Decimal("0.25"),
        Decimal("999999999999999999.99"),
    }


async def test_item_masked_in_mid_stream_stops_a_table_whose_column_takes_no_text(
    world: World, feed: Feed, own: Own, bridge: Bridge, database_url: str
) -> None:
    await world.give(items=("GMSFHM", "CSRQ"))
    target = await add_table(feed, bridge, database_url, batch_rows=2)
    await world.publish([build_row(1)])
    worker = build_worker(feed, TargetKind.POSTGRESQL, PostgresCarrier(addresses=LOCAL))
    await work(worker)
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks={"CSRQ": {"*": "full"}})
    await world.publish([build_row(2), build_row(3)])
    await work(worker)
    stopped = await look(feed, target)
    assert stopped.state is TargetState.STOPPED
    assert "CSRQ" in str(stopped.state_reason)
    assert set(await read_table(own)) == {key(1)}
    await own.execute('ALTER TABLE people_copy ALTER "CSRQ" TYPE text')
    await resume(feed, target)
    await work(worker)
    assert {row["CSRQ"] for row in (await read_table(own)).values()} == {"1990-01-02", "***"}
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks={})
    await world.publish([build_row(4)])
    await work(worker)
    assert (await read_table(own))[key(4)] == {"CSRQ": "1990-01-05"}


@pytest.mark.parametrize("form", ["parquet", "csv"])
async def test_files_each_name_the_columns_of_their_moment(
    world: World, feed: Feed, tmp_path: Path, form: str
) -> None:
    grant = await world.give(items=("GMSFHM", "XM", "CSRQ"))
    await world.publish([build_row(n) for n in range(4)])
    target = await add(
        feed,
        "",
        kind=TargetKind.DIRECTORY,
        address={"folder": "in", "format": form},
        start=Start.START,
        name="files",
        batch_rows=2,
    )

    async def grow() -> None:
        grown = await add_items(world, grant, PHONE)
        await grown.publish([build_row(0, LXDH="1390"), build_row(4, LXDH="1394")], [key(1)])

    await work(build_worker(feed, TargetKind.DIRECTORY, Midway(DirectoryCarrier(tmp_path), grow)))
    await take_away(world, grant, "XM", "LXDH")
    await world.publish([build_row(5, LXDH="1395")])  # the item is no column of this world's resource
    await work(build_worker(feed, TargetKind.DIRECTORY, DirectoryCarrier(tmp_path)))
    folder = tmp_path / str(target.subscription_id) / "in"
    files = sorted(path for path in folder.iterdir() if path.suffix == f".{form}")
    places = ["_version", "_sequence", "_operation"]
    wanted = [
        [*places, "GMSFHM", "XM", "CSRQ"],
        [*places, "GMSFHM", "XM", "CSRQ", "LXDH"],
    ]
    tables = [read_file(path) for path in files]
    assert [table.column_names for table in tables[:2]] == wanted
    assert tables[-1].column_names == [*places, "GMSFHM", "CSRQ"]
    for path, table in zip(files, tables, strict=True):
        receipt = Path(f"{path}.manifest.json").read_bytes()
        verify_receipt(receipt, trust=TrustedKeys(keys=(HUB_KEY.public_key,)))
        described = json.loads(receipt)["payload"]["columns"]
        assert [column["name"] for column in described] == table.column_names
    if form == "parquet":
        whole = pa_dataset.dataset(files, schema=pa.unify_schemas([table.schema for table in tables]))
        held: dict[str, Any] = {}
        for row in (
            whole.to_table().sort_by([("_version", "ascending"), ("_sequence", "ascending")]).to_pylist()
        ):
            held[row["GMSFHM"]] = None if row["_operation"] == "delete" else row["LXDH"]
        assert held == {
            key(0): "1390",
            key(1): None,
            key(2): None,
            key(3): None,
            key(4): "1394",
            key(5): None,
        }


def read_file(path: Path) -> pa.Table:
    """Read a file of a target as a subscriber does who knows no schema."""
    if path.suffix == ".parquet":
        return pq.read_table(io.BytesIO(path.read_bytes()))
    return pa_csv.read_csv(io.BytesIO(path.read_bytes()))


async def test_webhook_rows_have_the_items_of_the_moment_they_are_sent(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    grant = await world.give(items=("GMSFHM", "XM"))
    await world.publish([build_row(n) for n in range(4)])
    await add(feed, receiver.url, start=Start.START, batch_rows=2)
    worker = build_webhook_worker(feed)
    carrier = worker._carriers[TargetKind.WEBHOOK]

    async def change() -> None:
        grown = await add_items(world, grant, PHONE)
        await grown.publish([build_row(0, LXDH="1390")])
        await take_away(grown, grant, "XM")

    worker._carriers = {TargetKind.WEBHOOK: Midway(carrier, change)}
    await work(worker)
    rows = {row["GMSFHM"]: row for row in receiver.held().values()}
    assert rows[key(1)] == {"GMSFHM": key(1), "XM": "人1"}
    assert rows[key(3)] == {"GMSFHM": key(3)}


async def test_message_under_way_while_the_grant_shrinks_comes_again_under_another_key(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    grant = await world.give(items=("GMSFHM", "XM"))
    await add(feed, receiver.url, batch_rows=2)
    await world.publish([build_row(1)])
    worker = build_webhook_worker(feed)
    receiver.script.extend(["late", "500"])
    await worker.work_once()
    await worker.work_once()
    await take_away(world, grant, "XM")
    await work(worker)
    first, again, other = receiver.keys
    assert first == again != other
    assert len(receiver.effects) == 1
