"""Schema evolution: additions while rows are read and written, breaking changes rehearsed and released."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from exchange.catalogue import store as catalogue_store
from exchange.evolution.service import PAUSE_S
from hub.services import utc_now
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import ITEMS, body, grant, ok, publish, send

WIDER: list[dict[str, Any]] = [
    ITEMS[0],
    {"name": "kind", "title": "种类", "format": "C..8", "code_list": "fr.a4"},
    ITEMS[1] | {"format": "C..40"},
    ITEMS[2] | {"format": "N..12,2"},
    {"name": "day", "title": "日期", "format": "YYYYMMDD"},
]
SOON = (utc_now() + timedelta(days=3)).date().isoformat()


async def follow(hub: RunningHub) -> str:
    made = await ok(hub, "POST", "/v1/subscriptions", {"resource": "things", "from": "start"}, who="approval")
    return str(made["id"])


async def changes(hub: RunningHub, subscription: str) -> list[dict[str, Any]]:
    answer = await send(hub, "GET", f"/v1/subscriptions/{subscription}/changes", who="approval")
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_added_items_are_there_at_once_for_rows_changes_and_subscribers(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name,amount\na,甲,1.50\nb,乙,2\n", "1")
    await grant(hub, "things", ["code", "name"], ["query", "subscribe"])
    before = await follow(hub)
    answer = await ok(hub, "PUT", "/v1/resources/things", body(items=WIDER))
    kinds = [(change["kind"], change["item"]) for change in answer["changes"]]
    assert kinds == [
        ("format_widened", "name"),
        ("format_widened", "amount"),
        ("item_added", "kind"),
        ("item_added", "day"),
    ]
    assert answer["resource"]["schema_version"] == 2
    lines = f"code,name,kind,amount,day\na,{'甲' * 40},1,9999999999.99,20240229\nc,丙,2,,\n"
    await publish(hub, "things", lines, "2")
    assert len(await changes(hub, before)) >= 2
    late = await follow(hub)
    rows = {change["key"]["code"]: change["row"] for change in await changes(hub, late)}
    assert {code: row["name"] for code, row in rows.items()} == {"a": "甲" * 40, "b": "乙", "c": "丙"}
    await grant(hub, "things", ["code", "kind", "day", "amount"], ["query"], who="civil")
    asked = await ok(hub, "POST", "/v1/resources/things/query", {"keys": {"code": "a"}}, who="civil")
    assert asked["rows"] == [{"code": "a", "kind": "1", "amount": "9999999999.99", "day": "2024-02-29"}]


async def test_first_load_after_an_addition_writes_whole_rows_to_the_change_log(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await ok(hub, "PUT", "/v1/resources/things", body(items=WIDER))
    await publish(hub, "things", "code,name,day\na,甲,20240229\n", "1")
    await grant(hub, "things", ["code", "name", "day", "kind"], ["subscribe"])
    found = await changes(hub, await follow(hub))
    assert found[0]["row"] == {"code": "a", "name": "甲", "day": "2024-02-29", "kind": None}
    async with hub.services.database.acquire() as connection:
        logged = await connection.fetchrow(
            "SELECT (_after).day, (_after)._version AS v, (_after).kind FROM data.things__changes"
        )
    assert (str(logged["day"]), logged["v"], logged["kind"]) == ("2024-02-29", 1, None)


async def test_addition_waits_for_a_long_reader_without_blocking_others(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name\na,甲\n", "1")
    await grant(hub, "things", ["code", "name"], ["query"])
    async with hub.services.database.acquire() as reader:
        transaction = reader.transaction()
        await transaction.start()
        await reader.fetch("SELECT * FROM data.things")
        evolving = asyncio.create_task(send(hub, "PUT", "/v1/resources/things", body(items=WIDER)))
        for _ in range(8):
            await asyncio.sleep(PAUSE_S / 2)
            asked = await ok(
                hub, "POST", "/v1/resources/things/query", {"keys": {"code": "a"}}, who="approval"
            )
            assert asked["rows"][0]["name"] == "甲"
        assert not evolving.done()
        await transaction.rollback()
    assert (await evolving).status_code == 200


async def test_addition_while_batches_are_published_loses_no_row(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())

    async def pour() -> int:
        total = 0
        for number in range(12):
            lines = "".join(f"r{number}_{row},名\n" for row in range(50))
            total += (await publish(hub, "things", f"code,name\n{lines}", f"b{number}"))["inserted"]
        return total

    pouring = asyncio.create_task(pour())
    for width in range(5):
        items = [*ITEMS, *({"name": f"n{n}", "title": "新", "format": "C..5"} for n in range(width + 1))]
        await ok(hub, "PUT", "/v1/resources/things", body(items=items))
    assert await pouring == 600
    async with hub.services.database.acquire() as connection:
        counts = await connection.fetchrow(
            "SELECT (SELECT count(*) FROM data.things) AS rows,"
            " (SELECT count(*) FROM data.things__changes) AS log"
        )
        columns = await catalogue_store.load_columns(connection, code="things")
    assert (counts["rows"], counts["log"]) == (600, 600)
    assert columns == ["code", "name", "amount", "_version", "n0", "n1", "n2", "n3", "n4"]


BREAKING: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "an item is gone": (ITEMS[:2], "/items/amount", "ITEM-REMOVED"),
    "narrower": ([ITEMS[0], ITEMS[1] | {"format": "C..5"}, ITEMS[2]], "/items/name", "FORMAT-NARROWED"),
    "another type": ([ITEMS[0], ITEMS[1], ITEMS[2] | {"format": "C..9"}], "/items/amount", "FORMAT-CHANGED"),
    "another scale": ([*ITEMS[:2], ITEMS[2] | {"format": "N..9,3"}], "/items/amount", "FORMAT-CHANGED"),
    "now required": ([*ITEMS[:2], ITEMS[2] | {"is_required": True}], "/items/amount", "REQUIREMENT-ADDED"),
    "another key": ([ITEMS[0], ITEMS[1] | {"is_key": True}, ITEMS[2]], "/items/name", "KEY-CHANGED"),
    "a new key": (
        [*ITEMS, {"name": "k", "title": "键", "format": "C1", "is_key": True}],
        "/items/k",
        "KEY-CHANGED",
    ),
    "a code list where there was none": (
        [ITEMS[0], ITEMS[1] | {"code_list": "fr.a4"}, ITEMS[2]],
        "/items/name",
        "CODES-CHANGED",
    ),
    "closed": (
        [*ITEMS[:2], ITEMS[2] | {"share_type": "not_shared", "share_basis": "法"}],
        "/items/amount",
        "SHARING-CLOSED",
    ),
}


async def test_breaking_changes_are_refused_at_once_and_each_is_named(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    for case, (items, pointer, code) in BREAKING.items():
        answer = await send(hub, "PUT", "/v1/resources/things", body(items=items))
        assert answer.status_code == 412, case
        assert (pointer, code) in [(e["pointer"], e["code"]) for e in answer.json()["errors"]], (
            case,
            answer.text,
        )
    assert (await ok(hub, "GET", "/v1/resources/things"))["schema_version"] == 1
    closed = await ok(hub, "PUT", "/v1/resources/things?close=true", body(items=BREAKING["closed"][0]))
    assert closed["changes"][0]["kind"] == "sharing_closed"


async def test_rehearsal_tells_who_would_break_on_which_item_and_changes_nothing(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name,amount\na,甲甲甲甲甲甲,1\nb,乙,2\n", "1")
    breaks = await grant(hub, "things", ["code", "name", "amount"], ["query", "subscribe"])
    subscription = await follow(hub)
    survives = await grant(hub, "things", ["code", "name"], ["query"], who="civil")
    next_body = body(items=[ITEMS[0], ITEMS[1] | {"format": "C..5"}])
    report = await ok(hub, "POST", "/v1/resources/things/rehearsals", next_body)
    assert report["breaking"]
    assert report["broken"] == [
        {
            "grant": breaks,
            "organisation": hub.members["approval"].code,
            "modes": ["query", "subscribe"],
            "subscriptions": [subscription],
            "items": ["amount"],
            "changes": [
                {
                    "kind": "item_removed",
                    "item": "amount",
                    "field": "items",
                    "before": "金额",
                    "after": None,
                    "breaking": True,
                }
            ],
        }
    ]
    assert report["unbroken_grants"] == [survives]
    assert report["misfits"] == [{"item": "name", "kind": "format_narrowed", "rows": 1}]
    assert [item["name"] for item in (await ok(hub, "GET", "/v1/resources/things"))["items"]] == [
        "code",
        "name",
        "amount",
    ]
    assert (
        await send(hub, "POST", "/v1/resources/things/rehearsals", next_body, who="civil")
    ).status_code == 403


async def test_new_major_version_carries_whole_grants_over_and_leaves_the_old_one_readable(
    hub: RunningHub,
) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name,amount\na,甲,1\n", "1")
    await grant(hub, "things", ["code", "name", "amount"], ["query", "subscribe"])
    subscription = await follow(hub)
    await grant(hub, "things", ["code", "name"], ["query"], who="civil")
    masks = {"name": {"*": "name"}, "amount": {"*": "full"}}
    await ok(hub, "PUT", "/v1/resources/things/masks", {"masks": masks})
    next_body = body(items=ITEMS[:2])
    release = {"description": next_body, "rehearsal": "0" * 64, "readable_until": SOON}
    stale = await send(hub, "POST", "/v1/resources/things/majors", release)
    assert stale.status_code == 412
    report = await ok(hub, "POST", "/v1/resources/things/rehearsals", next_body)
    release["rehearsal"] = report["rehearsal"]
    past = await send(hub, "POST", "/v1/resources/things/majors", release | {"readable_until": "2020-01-01"})
    assert (past.status_code, past.json()["errors"][0]["pointer"]) == (422, "/readable_until")
    released = await ok(hub, "POST", "/v1/resources/things/majors", release)
    assert (released["code"], released["major"], released["supersedes"]) == ("things_v2", 2, "things")
    old = await ok(hub, "GET", "/v1/resources/things")
    assert (old["superseded_by"], old["readable_until"]) == ("things_v2", SOON)
    await publish(hub, "things_v2", "code,name\na,甲\n", "2")
    asked = {"keys": {"code": "a"}}
    for code in ("things", "things_v2"):
        rows = await ok(hub, "POST", f"/v1/resources/{code}/query", asked, who="civil")
        assert rows["masked"] == ["name"]
    carried = await ok(hub, "GET", "/v1/resources/things_v2/masks")
    assert carried["masks"] == {"name": masks["name"]}
    kept = await ok(hub, "POST", "/v1/resources/things/query", asked, who="approval")
    assert kept["rows"][0].keys() == {"code", "name", "amount"}
    assert len(await changes(hub, subscription)) == 1
    refused = await send(hub, "POST", "/v1/resources/things_v2/query", asked, who="approval")
    assert refused.json()["code"] == "ACCESS-NOT-GRANTED"
    again = await send(hub, "POST", "/v1/resources/things/majors", release)
    assert again.status_code == 409
    async with hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE exchange.resource SET readable_until = '2020-01-01' WHERE code = 'things'"
        )
    closed = await send(hub, "POST", "/v1/resources/things/query", asked, who="civil")
    assert (closed.status_code, closed.json()["code"]) == (409, "RESOURCE-CLOSED")
    assert "things_v2" in closed.json()["detail"]


async def test_revisions_are_kept_and_their_difference_is_told(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await ok(hub, "PUT", "/v1/resources/things", body(title="物品登记", items=WIDER))
    await ok(
        hub, "PUT", "/v1/resources/things", body(title="物品登记", items=WIDER, external_codes={"a": "1"})
    )
    listed = await ok(hub, "GET", "/v1/resources/things/revisions", who="civil")
    assert [each["revision"] for each in listed] == [1, 2, 3]
    found = await ok(hub, "GET", "/v1/resources/things/diff?first=1&second=3", who="civil")
    assert [(c["kind"], c["item"] or c["field"]) for c in found] == [
        ("resource_changed", "external_codes.a"),
        ("resource_changed", "title"),
        ("format_widened", "name"),
        ("format_widened", "amount"),
        ("item_added", "kind"),
        ("item_added", "day"),
    ]
    backwards = await ok(hub, "GET", "/v1/resources/things/diff?first=2&second=1")
    assert {c["kind"] for c in backwards if c["breaking"]} == {"item_removed", "format_narrowed"}
    assert (await send(hub, "GET", "/v1/resources/things/diff?first=1&second=9")).status_code == 404
    for wrong in ("0", "-1", "99999999999", "x"):
        assert (await send(hub, "GET", f"/v1/resources/things/revisions/{wrong}")).status_code == 422


@pytest.mark.parametrize("member", ["civil", "approval"])
async def test_only_the_provider_evolves_a_resource(hub: RunningHub, member: str) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    answer = await send(hub, "PUT", "/v1/resources/things", body(items=WIDER), who=member)
    assert answer.status_code == 403


async def test_rules_of_a_ready_schema_hold_in_the_hub_and_go_over_to_its_next_major_version(
    hub: RunningHub,
) -> None:
    made = await ok(hub, "POST", "/v1/resources/standard/xy_mdxx", {"code": "lists"})
    description = {name: made[name] for name in ("code", "title", "theme", "update_cycle", "metadata")}
    items = [item for item in made["items"] if item["name"] != "YXQZ"]
    row = "某公司,91990000M00000019P,名单,失信惩戒,事由,20240101,某局,20230101"
    header = "XDRMC,XDRDM,MDMC,MDXZ,LRSY,LRRQ,LRJG,YCRQ"
    first = await publish(hub, "lists", f"{header}\n{row}\n", "1")
    assert "ORDER" in first["rejected_by_reason"]
    narrowed = description | {"items": items}
    report = await ok(hub, "POST", "/v1/resources/lists/rehearsals", narrowed)
    release = {"description": narrowed, "rehearsal": report["rehearsal"], "readable_until": SOON}
    await ok(hub, "POST", "/v1/resources/lists/majors", release)
    second = await publish(hub, "lists_v2", f"{header}\n{row}\n", "2")
    assert second["rejected_by_reason"] == first["rejected_by_reason"]
