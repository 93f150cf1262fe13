"""The catalogue of certificate types: exported, changed and imported as JSON and as a workbook."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook

from certs.types.table import ITEM_COLUMNS, ITEMS_SHEET, TYPE_COLUMNS, TYPES_SHEET
from tests.hubs import RunningHub

LICENCE = "11100000MB0143028R001"
PATH = "/v1/certificate-types"


async def export(hub: RunningHub, form: str) -> bytes:
    answer = await hub.client.get(f"{PATH}/export", params={"format": form}, headers=hub.admin.headers)
    assert answer.status_code == 200, answer.text
    return answer.content


async def send(hub: RunningHub, data: bytes, form: str, **params: Any) -> Any:
    return await hub.client.post(
        f"{PATH}/import", params={"format": form, **params}, content=data, headers=hub.admin.headers
    )


def local_code(hub: RunningHub, number: int = 1) -> str:
    return f"{hub.members['market'].code}{number:03d}"


def local_type(hub: RunningHub, **changes: Any) -> dict[str, Any]:
    item = {"name": "FZR", "title": "负责人", "format": "C..50", "is_required": True}
    return {
        "code": local_code(hub),
        "name": "示例市户外广告设置许可证",
        "defining_body": "示例市市场监督管理局",
        "defining_level": "city",
        "holder_category": "mixed",
        "issuing_level": "county",
        "validity_range": "2年",
        "related_items": [{"code": "000199990001", "name": "户外广告设置许可"}],
        "items": [item],
    } | changes


def catalogue(*types: dict[str, Any]) -> bytes:
    return json.dumps({"format": "shuzheng-certificate-types", "version": 1, "types": types}).encode()


@pytest.mark.parametrize("form", ["json", "xlsx"])
async def test_catalogue_exported_is_imported_without_any_change(hub: RunningHub, form: str) -> None:
    before = await export(hub, "json")
    answer = await send(hub, await export(hub, form), form)
    assert answer.status_code == 200, answer.text
    assert {each["outcome"] for each in answer.json()["types"]} == {"unchanged"}
    assert len(answer.json()["types"]) == len(json.loads(before)["types"])
    assert await export(hub, "json") == before


async def test_import_of_new_and_changed_types_makes_versions(hub: RunningHub) -> None:
    first = await send(hub, catalogue(local_type(hub)), "json")
    changed = local_type(hub, validity_range="3年")
    second = await send(hub, catalogue(changed), "json")
    assert [each["outcome"] for each in first.json()["types"]] == ["new"]
    assert [(each["outcome"], each["version"]) for each in second.json()["types"]] == [("new_version", 2)]
    path = f"{PATH}/{local_code(hub)}"
    versions = await hub.client.get(f"{path}/versions", headers=hub.admin.headers)
    assert [(each["version"], each["validity_range"]) for each in versions.json()] == [(2, "3年"), (1, "2年")]
    old = await hub.client.get(path, params={"version": 1}, headers=hub.admin.headers)
    assert old.json()["related_items"] == [{"code": "000199990001", "name": "户外广告设置许可"}]
    missing = await hub.client.get(path, params={"version": 9}, headers=hub.admin.headers)
    assert missing.status_code == 404


async def test_import_as_dry_run_tells_all_and_changes_nothing(hub: RunningHub) -> None:
    before = await export(hub, "json")
    answer = await send(hub, catalogue(local_type(hub)), "json", dry_run=True)
    assert answer.json() == {
        "dry_run": True,
        "types": [
            {"code": local_code(hub), "name": "示例市户外广告设置许可证", "version": 1, "outcome": "new"}
        ],
    }
    assert await export(hub, "json") == before


async def test_import_with_bad_rows_names_every_one_and_changes_nothing(hub: RunningHub) -> None:
    before = await export(hub, "json")
    good = local_type(hub)
    bad_code = local_type(hub, code="X")
    bad_item = local_type(hub, code=local_code(hub, 2), items=[{"name": "fzr", "title": "", "format": "Q9"}])
    answer = await send(hub, catalogue(good, bad_code, bad_item, good), "json")
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {
        "/types/1/code",
        "/types/2/items/0/name",
        "/types/2/items/0/title",
        "/types/2/items/0/format",
        "/types/3/code",
    }
    assert await export(hub, "json") == before


async def test_import_with_a_version_that_is_not_due_is_refused(hub: RunningHub) -> None:
    await send(hub, catalogue(local_type(hub)), "json")
    answer = await send(hub, catalogue(local_type(hub, validity_range="9年", version=7)), "json")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/types/0/version"]


def workbook(types: list[dict[str, Any]], items: list[dict[str, Any]], *, chinese: bool = True) -> bytes:
    book = Workbook()
    sheets = ((book.active, TYPES_SHEET, TYPE_COLUMNS, types), (None, ITEMS_SHEET, ITEM_COLUMNS, items))
    for given, title, columns, rows in sheets:
        sheet = given or book.create_sheet()
        sheet.title = title
        sheet.append(list(columns.values() if chinese else columns))
        for row in rows:
            sheet.append([row.get(name) for name in columns])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def type_row(hub: RunningHub, **changes: Any) -> dict[str, Any]:
    return {
        "code": local_code(hub),
        "name": "示例市户外广告设置许可证",
        "defining_body": "示例市市场监督管理局",
        "defining_level": "地市级",
        "holder_category": "混合",
        "issuing_level": "区县级",
        "validity_range": "2年",
        "end_required": "是",
        "max_years": 2,
        "related_items": "000199990001 户外广告设置许可",
        "service_items": "*",
    } | changes


@pytest.mark.parametrize("chinese", [True, False])
async def test_workbook_filled_by_hand_is_imported(hub: RunningHub, chinese: bool) -> None:
    item = {"code": local_code(hub), "name": "FZR", "title": "负责人", "format": "C..50", "is_required": "是"}
    answer = await send(hub, workbook([type_row(hub)], [item], chinese=chinese), "xlsx")
    assert answer.status_code == 200, answer.text
    shown = await hub.client.get(f"{PATH}/{local_code(hub)}", headers=hub.admin.headers)
    kind = shown.json()
    assert (kind["defining_level"], kind["issuing_level"], kind["max_years"]) == ("city", "county", 2)
    assert kind["items"][0]["is_required"] is True
    assert kind["service_items"] == [{"code": "*", "name": ""}]


async def test_workbook_with_bad_cells_names_sheet_row_and_column(hub: RunningHub) -> None:
    rows = [
        type_row(hub, holder_category="狗", max_years="两年"),
        type_row(hub),
        type_row(hub, code=local_code(hub, 2), name=""),
    ]
    items = [
        {"code": local_code(hub), "name": "A", "title": "甲", "format": "C..5", "is_required": "也许"},
        {"code": "没有", "name": "A", "title": "甲", "format": "C..5"},
    ]
    answer = await send(hub, workbook(rows, items), "xlsx")
    assert answer.status_code == 422
    pointers = {error["pointer"] for error in answer.json()["errors"]}
    assert pointers == {
        f"/{TYPES_SHEET}/2/holder_category",
        f"/{TYPES_SHEET}/2/max_years",
        f"/{TYPES_SHEET}/3/code",
        f"/{TYPES_SHEET}/4/name",
        f"/{ITEMS_SHEET}/2/is_required",
        f"/{ITEMS_SHEET}/3/code",
    }


@pytest.mark.parametrize(
    ("form", "data", "status"),
    [
        ("xlsx", b"PK\x03\x04 no workbook", 400),
        ("xlsx", b"", 400),
        ("json", b"{", 422),
        ("json", b'{"format": "x", "version": 1, "types": []}', 422),
        ("pdf", b"", 422),
    ],
)
async def test_import_of_what_is_no_catalogue_is_refused(
    hub: RunningHub, form: str, data: bytes, status: int
) -> None:
    answer = await send(hub, data, form)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


async def test_workbook_exported_holds_codes_as_text_and_formulas_as_words(hub: RunningHub) -> None:
    await send(hub, catalogue(local_type(hub, name="=1+1")), "json")
    book = load_workbook(io.BytesIO(await export(hub, "xlsx")))
    rows = list(book[TYPES_SHEET].iter_rows(min_row=2))
    row = next(row for row in rows if row[0].value == local_code(hub))
    assert [row[0].data_type, row[2].data_type, row[2].value] == ["s", "s", "=1+1"]


async def test_import_needs_an_administrator(hub: RunningHub) -> None:
    answer = await hub.client.post(
        f"{PATH}/import", content=catalogue(), headers=hub.members["market"].headers
    )
    assert answer.status_code == 403
