"""From one hub to another: the catalogue's entry, then its data, through the runner and the feed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from connectors import HubClient, TerminalError
from connectors.cascade import copy_entry
from connectors.model import Batch, Operation
from connectors.sources.hub import HubSource, HubSourceOptions
from tests.hubs import Member, RunningHub
from tests.integration.connectors.test_client_keys import Bridge
from tests.integration.exchange.catalogue_bodies import body, ok, publish
from tests.integration.subscriptions.test_feed_http import follow


def connect_as(hub: RunningHub, member: Member) -> HubClient:
    return HubClient(
        "http://hub.test",
        client_id=member.client_id,
        client_secret=member.client_secret,
        transport=Bridge(hub, asyncio.get_running_loop()),
    )


@pytest.fixture
async def source(hub: RunningHub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., HubSource]:
    subscription = await follow(hub)
    loop_client: list[HubClient] = []
    loop = asyncio.get_running_loop()
    member = hub.members["approval"]

    def connect(_options: Any) -> HubClient:
        loop_client.append(
            HubClient(
                "http://hub.test",
                client_id=member.client_id,
                client_secret=member.client_secret,
                transport=Bridge(hub, loop),
            )
        )
        return loop_client[-1]

    monkeypatch.setattr("connectors.sources.hub.connect", connect)

    def make(**more: Any) -> HubSource:
        given = {
            "url": "http://hub.test",
            "subscription": subscription,
            "key": ["code"],
            "client_id": member.client_id,
            "client_secret": member.client_secret,
            "service_item": "食品经营许可",
            "case_number": "2026-000001",
            "operator": "王审批",
            "page_rows": 10,
        }
        return HubSource(HubSourceOptions.model_validate(given | more))

    return make


async def test_feed_of_another_hub_is_followed_with_deletes_and_acknowledged(
    hub: RunningHub, source: Callable[..., HubSource]
) -> None:
    def read(cursor: Any = None) -> list[Batch]:
        reader = source()
        batches = list(reader.read(cursor))
        reader.close()
        return batches

    first = await asyncio.to_thread(read)
    assert [batch.rows.num_rows for batch in first] == [10, 10, 5]
    assert first[0].rows.schema.names == ["code", "name", "amount"]
    rest = await asyncio.to_thread(read, first[0].cursor)
    assert pa.Table.from_batches([b.rows for b in rest]) == pa.Table.from_batches([b.rows for b in first[1:]])
    await publish(hub, "things", "code,name,amount\nk001,改,1.00\n", "2")
    answer = await hub.client.post(
        "/v1/resources/things/batches?mode=delete",
        content="code\nk002\nk003\n",
        headers=hub.members["market"].headers | {"Idempotency-Key": "3", "Content-Type": "text/csv"},
    )
    assert answer.status_code == 200, answer.text
    changes = await asyncio.to_thread(read, first[-1].cursor)
    assert [(b.operation, b.rows.num_rows, b.cursor is not None) for b in changes] == [
        (Operation.UPSERT, 1, False),
        (Operation.DELETE, 2, True),
    ]
    assert changes[1].rows.to_pylist() == [{"code": "k002"}, {"code": "k003"}]

    def acknowledge() -> None:
        reader = source()
        reader.acknowledge(changes[-1].cursor or {})
        reader.acknowledge(changes[-1].cursor or {})
        assert not list(reader.read(None))
        with pytest.raises(TerminalError, match="none of this source"):
            list(reader.read({"x": 1}))
        reader.close()

    await asyncio.to_thread(acknowledge)


async def test_feed_without_the_key_is_told(source: Callable[..., HubSource]) -> None:
    def read() -> None:
        reader = source(key=["none"])
        try:
            with pytest.raises(TerminalError, match="no column none"):
                reader.fetch_schema()
        finally:
            reader.close()

    await asyncio.to_thread(read)


async def test_entry_of_a_catalogue_is_copied_once_and_then_compared(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    market = hub.members["market"]
    reader, writer = connect_as(hub, market), connect_as(hub, market)

    def copy(**more: Any) -> Any:
        return copy_entry(reader, writer, "things", code="things_city", **more)

    made = await asyncio.to_thread(copy, items=["code", "name"])
    assert (made.code, made.is_new) == ("things_city", True)
    entry = await ok(hub, "GET", "/v1/resources/things_city", None)
    assert [item["name"] for item in entry["items"]] == ["code", "name"]
    assert entry["external_codes"] == {"upstream": "things"}
    again = await asyncio.to_thread(copy, items=["code", "name"])
    assert (again.is_new, again.differing) == (False, ())
    assert (await asyncio.to_thread(copy)).differing == ("items",)
    with pytest.raises(TerminalError, match="no item none"):
        await asyncio.to_thread(copy, items=["none"])
    reader.close()
    writer.close()
