"""Code lists that departments register: kept in versions, judged against, carried with the catalogue."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exchange.interchange.model import DocumentFormat
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import ITEMS, body, ok, send
from tests.integration.exchange.test_interchange import bring, fetch
from tests.integration.exchange.test_publish import publish, rows_of

STREETS = {
    "name": "streets",
    "title": "街道",
    "source": "示例市街道编码(2026)",
    "codes": [{"code": "01", "title": "东街"}, {"code": "02", "title": "西街"}],
}
CODED = [*ITEMS, {"name": "street", "title": "街道", "format": "C2", "code_list": "streets"}]


def codes(*pairs: tuple[str, str], retired: str = "") -> dict[str, Any]:
    listed = [{"code": code, "title": title, "is_retired": code == retired} for code, title in pairs]
    return {"title": "街道", "source": "示例市街道编码(2026)", "codes": listed}


async def test_rows_are_judged_against_the_version_of_the_list_that_is_newest(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/code-lists", STREETS)
    await ok(hub, "POST", "/v1/resources", body(items=CODED))
    first = (await publish(hub, "code,name,street\n1,甲,01\n2,乙,02\n3,丙,03\n", "a")).json()
    assert first["rejected_by_reason"] == {"UNKNOWN-CODE": 1}
    wider = codes(("01", "东街"), ("02", "西街"), ("03", "南街"), retired="02")
    assert (await ok(hub, "PUT", "/v1/code-lists/streets", wider))["version"] == 2
    second = (await publish(hub, "code,name,street\n3,丙,03\n4,丁,02\n5,戊,09\n", "b")).json()
    assert second["rejected_by_reason"] == {"UNKNOWN-CODE": 1}
    assert second["flagged_by_reason"] == {"RETIRED-CODE": 1}
    assert {row["code"]: row["street"] for row in await rows_of(hub)} == {
        "1": "01",
        "2": "02",
        "3": "03",
        "4": "02",
    }
    read = await ok(hub, "GET", "/v1/code-lists/streets", who="civil")
    assert (read["used_by"], read["owner_code"]) == (["things"], hub.members["market"].code)
    versions = await ok(hub, "GET", "/v1/code-lists/streets/versions", who="civil")
    assert [each["changes"] for each in versions] == [
        {"added": ["03"], "retired": ["02"]},
        {"added": ["01", "02"]},
    ]
    assert (await ok(hub, "GET", "/v1/code-lists"))["streets"]["03"] == "南街"
    async with hub.services.database.acquire() as connection:
        leaves = await connection.fetchval(
            "SELECT count(*) FROM core.log_leaf WHERE event = 'code_list.changed'"
        )
    assert leaves == 2


async def test_code_that_rows_may_hold_is_retired_and_not_left_out(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/code-lists", STREETS)
    assert (await ok(hub, "PUT", "/v1/code-lists/streets", codes(("01", "东街"))))["version"] == 2
    assert (await ok(hub, "PUT", "/v1/code-lists/streets", codes(("01", "东街"))))["version"] == 2
    await ok(hub, "POST", "/v1/resources", body(items=CODED))
    refused = await send(hub, "PUT", "/v1/code-lists/streets", codes(("09", "北街")))
    assert refused.status_code == 409
    assert "01" in refused.json()["detail"]
    assert "things" in refused.json()["detail"]
    assert "retire" in refused.json()["detail"]
    assert (await ok(hub, "GET", "/v1/code-lists/streets"))["version"] == 2


async def test_wrong_lists_give_one_clear_error_and_change_nothing(hub: RunningHub) -> None:
    wrong = {
        "name": "Streets!",
        "title": " ",
        "codes": [
            {"code": "1", "title": "甲"},
            {"code": "1", "title": ""},
            {"code": " 2", "title": "乙\x00"},
        ],
    }
    answer = await send(hub, "POST", "/v1/code-lists", wrong)
    assert answer.status_code == 422
    assert {(each["pointer"], each["code"]) for each in answer.json()["errors"]} == {
        ("/name", "FORM"),
        ("/title", "BLANK"),
        ("/codes/0/code", "DUPLICATE"),
        ("/codes/1/code", "DUPLICATE"),
        ("/codes/1/title", "BLANK"),
        ("/codes/2/code", "FORM"),
        ("/codes/2/title", "CONTROL-CHARACTER"),
    }
    none = await send(hub, "POST", "/v1/code-lists", STREETS | {"codes": []})
    assert none.json()["errors"][0]["code"] == "COUNT"
    shipped = await send(hub, "POST", "/v1/code-lists", STREETS | {"name": "gbt3304"})
    assert shipped.json()["errors"][0]["code"] == "SHIPPED"
    assert (await send(hub, "PUT", "/v1/code-lists/streets", codes(("1", "甲")))).status_code == 404
    assert (await send(hub, "GET", "/v1/code-lists/streets/versions")).status_code == 404
    unknown = await send(hub, "POST", "/v1/resources", body(items=CODED))
    assert [each["pointer"] for each in unknown.json()["errors"]] == ["/items/3/code_list"]
    await ok(hub, "POST", "/v1/code-lists", STREETS)
    assert (await send(hub, "POST", "/v1/code-lists", STREETS)).status_code == 409
    stranger = await send(hub, "PUT", "/v1/code-lists/streets", codes(("1", "甲")), who="civil")
    assert stranger.status_code == 403
    assert (await ok(hub, "GET", "/v1/code-lists/streets"))["version"] == 1


async def test_change_to_another_list_is_judged_by_the_codes_of_both(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/code-lists", STREETS)
    more = [*STREETS["codes"], {"code": "03", "title": "南街"}]  # type: ignore[misc]
    await ok(hub, "POST", "/v1/code-lists", STREETS | {"name": "all_streets", "codes": more})
    await ok(hub, "POST", "/v1/resources", body(items=CODED))
    await publish(hub, "code,name,street\n1,甲,02\n", "a")
    wider = [*ITEMS, CODED[-1] | {"code_list": "all_streets"}]
    changed = await ok(hub, "PUT", "/v1/resources/things", body(items=wider))
    assert [each["kind"] for each in changed["changes"]] == ["codes_widened"]
    told = await ok(hub, "GET", "/v1/resources/things/diff?first=1&second=2")
    assert [each["kind"] for each in told] == ["codes_widened"]
    assert (await send(hub, "PUT", "/v1/resources/things", body(items=CODED))).status_code == 412


@pytest.mark.parametrize("form", list(DocumentFormat))
async def test_catalogue_carries_the_lists_that_its_items_name(hub: RunningHub, form: DocumentFormat) -> None:
    retired = STREETS | {"codes": [{"code": "01", "title": "东街", "is_retired": True}]}
    await ok(hub, "POST", "/v1/code-lists", retired)
    await ok(hub, "POST", "/v1/resources", body(items=CODED))
    held = await fetch(hub, form)
    assert (await bring(hub, form, held)).json()["unchanged"] == ["things"]
    assert (await ok(hub, "GET", "/v1/code-lists/streets"))["version"] == 1
    async with hub.services.database.transaction() as connection:
        await connection.execute("DELETE FROM exchange.code_list_version")
        await connection.execute("DELETE FROM exchange.code_list")
    assert (await bring(hub, form, held)).json()["unchanged"] == ["things"]
    again = await ok(hub, "GET", "/v1/code-lists/streets")
    assert (again["title"], again["codes"]) == ("街道", retired["codes"])


async def test_document_with_a_wrong_list_names_the_place_and_changes_nothing(hub: RunningHub) -> None:
    resource = body(items=CODED) | {"summary": ""}
    held = {"format": "shuzheng-catalogue", "version": 1, "resources": [resource], "code_lists": [STREETS]}
    lame = STREETS | {"codes": [{"code": "01", "title": " "}]}
    answer = await bring(hub, DocumentFormat.JSON, json.dumps(held | {"code_lists": [lame]}).encode())
    assert answer.status_code == 422
    assert "/code_lists/0/codes/0/title" in {each["pointer"] for each in answer.json()["errors"]}
    doubled = await bring(
        hub, DocumentFormat.JSON, json.dumps(held | {"code_lists": [STREETS, STREETS]}).encode()
    )
    assert [each["pointer"] for each in doubled.json()["errors"]] == [
        "/code_lists/0/name",
        "/code_lists/1/name",
    ]
    assert (await send(hub, "GET", "/v1/code-lists/streets")).status_code == 404
    taken = await bring(hub, DocumentFormat.JSON, json.dumps(held).encode())
    assert taken.json()["created"] == ["things"], taken.text
