"""Catalogues as documents over HTTP: out of one hub and into another, whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from exchange.interchange.excel import read_excel, write_excel
from exchange.interchange.model import MEDIA_TYPES, DocumentFormat
from exchange.standards.schemas import STANDARD_SCHEMAS
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import ITEMS, body, ok, publish, send


async def bring(hub: RunningHub, form: DocumentFormat, data: bytes, **params: Any) -> httpx.Response:
    headers = hub.members["market"].headers | {"Content-Type": MEDIA_TYPES[form]}
    return await hub.client.post("/v1/catalogue/import", content=data, params=params, headers=headers)


def document(*resources: dict[str, Any]) -> bytes:
    return json.dumps({"format": "shuzheng-catalogue", "version": 1, "resources": resources}).encode()


async def fetch(hub: RunningHub, form: DocumentFormat, **params: Any) -> bytes:
    answer = await hub.client.get(
        "/v1/catalogue/export", params={"format": form, **params}, headers=hub.members["civil"].headers
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(MEDIA_TYPES[form])
    return answer.content


@pytest.mark.parametrize("form", list(DocumentFormat))
async def test_export_imports_again_without_a_change_and_notices_one(
    hub: RunningHub, form: DocumentFormat
) -> None:
    circle = [body("a1", metadata={"related_codes": ["b1"]}), body("b1", metadata={"related_codes": ["a1"]})]
    made = (await bring(hub, DocumentFormat.JSON, document(*circle))).json()
    assert made == {"dry_run": False, "created": ["a1", "b1"], "changed": [], "unchanged": []}
    data = await fetch(hub, form)
    same = (await bring(hub, form, data)).json()
    assert (same["created"], same["changed"], sorted(same["unchanged"])) == ([], [], ["a1", "b1"])
    await ok(hub, "PUT", "/v1/resources/b1", body("b1", title="新名", metadata={"related_codes": ["a1"]}))
    assert (await bring(hub, form, data)).json()["changed"] == ["b1"]
    assert (await ok(hub, "GET", "/v1/resources/b1"))["title"] == "物品"
    assert len(await fetch(hub, form, code="a1")) < len(data)


async def test_import_evolves_what_is_there_and_refuses_what_breaks_naming_each_row(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await publish(hub, "things", "code,name\na,甲\n", "1")
    wider = [*ITEMS, {"name": "note", "title": "备注", "format": "C..9"}]
    await bring(hub, DocumentFormat.JSON, document(body(items=wider)))
    assert len((await ok(hub, "GET", "/v1/resources/things"))["items"]) == 4
    bad = [
        body("fresh"),
        body(items=ITEMS[:2]),
        body("Bad Code", items=[]),
        body("other", items=[*ITEMS, {"name": "x y", "title": "", "format": "Q"}]),
    ]
    answer = await bring(hub, DocumentFormat.JSON, document(*bad))
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert {
        "/resources/1/items/amount",
        "/resources/2/code",
        "/resources/2/items",
        "/resources/3/items/3/name",
        "/resources/3/items/3/format",
    } <= pointers
    assert (await send(hub, "GET", "/v1/resources/fresh")).status_code == 404


async def test_dry_run_tells_the_outcome_and_changes_nothing(hub: RunningHub) -> None:
    answer = await bring(hub, DocumentFormat.JSON, document(body()), dry_run=True)
    assert answer.json() == {"dry_run": True, "created": ["things"], "changed": [], "unchanged": []}
    assert await ok(hub, "GET", "/v1/resources") == []


async def test_workbook_with_bad_rows_names_sheet_row_and_column(hub: RunningHub) -> None:
    schema = STANDARD_SCHEMAS["xzqh"].build(provider_code=hub.members["market"].code)  # type: ignore[arg-type]
    assert (await bring(hub, DocumentFormat.EXCEL, write_excel([schema]), draft=True)).json()["created"] == [
        "xzqh"
    ]
    assert (await ok(hub, "GET", "/v1/resources/xzqh"))["state"] == "draft"
    other = replace(schema, code="x1", items=tuple(replace(i, format="C0") for i in schema.items))
    assert len(read_excel(write_excel([other])).entries) == 1
    answer = await bring(hub, DocumentFormat.EXCEL, write_excel([other]))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        f"/数据项/{row}/格式" for row in range(2, 6)
    ]


async def test_import_of_anothers_resource_and_of_unknown_content_is_refused(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body(), who="police")
    answer = await bring(hub, DocumentFormat.JSON, document(body(title="mine")))
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/resources/0/code")
    headers = hub.members["market"].headers | {"Content-Type": "text/csv"}
    answer = await hub.client.post("/v1/catalogue/import", content=b"a", headers=headers)
    assert answer.status_code == 415
