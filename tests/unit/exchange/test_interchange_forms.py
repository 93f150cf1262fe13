"""Round trips of catalogues through JSON, Excel and DCAT, and what foreign or broken documents give."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.caller import OrganisationCode
from core.errors import BadInput, SchemaViolation
from exchange.catalogue.check import check_resource
from exchange.catalogue.metadata import FormatClass, Metadata, OpenType, ShareMethod
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle
from exchange.catalogue.wire import DescriptionIn, build_resource
from exchange.interchange.dcat_read import read_dcat
from exchange.interchange.dcat_write import write_dcat
from exchange.interchange.excel import read_excel, write_excel
from exchange.interchange.json_form import read_json, write_json
from exchange.interchange.model import Entry
from exchange.interchange.words import ITEM_COLUMNS, RESOURCE_COLUMNS
from exchange.standards.schemas import STANDARD_SCHEMAS

PROVIDER = OrganisationCode("11990000MA0000019X")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def as_dcat(resources: list[Resource]) -> bytes:
    return write_dcat(resources, public_url="https://hub.test", providers={PROVIDER: "示例市局"}, at=AT)


FORMS: dict[str, tuple[Callable[[list[Resource]], bytes], Callable[[bytes], list[Entry]]]] = {
    "json": (write_json, lambda data: read_json(data).entries),
    "excel": (write_excel, lambda data: read_excel(data).entries),
    "dcat": (as_dcat, lambda data: read_dcat(data).entries),
}
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), max_size=30)
LINE = TEXT.filter(str.strip)
NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,20}", fullmatch=True)
CODE = st.from_regex(r"[a-z][a-z0-9_]{1,12}", fullmatch=True)


@st.composite
def items(draw: st.DrawFn) -> Item:
    share = draw(st.sampled_from(ShareType))
    return Item(
        name=draw(NAME),
        title=draw(LINE),
        format=draw(st.sampled_from(["C18", "C..50", "n6", "N..24,6", "YYYYMMDD", "B"])),
        is_required=draw(st.booleans()),
        share_type=share,
        share_basis=draw(LINE),
        code_list=draw(st.none() | st.sampled_from(["fr.a2", "gbt3304"])),
        check_rule=draw(st.none() | st.sampled_from(CheckRule)),
        is_sensitive=draw(st.booleans()),
        title_en=draw(TEXT),
        description=draw(TEXT),
        element=draw(st.none() | LINE),
        source_system=draw(TEXT),
        source_item=draw(TEXT),
        update_cycle=draw(st.none() | st.sampled_from(UpdateCycle)),
        is_authoritative=draw(st.booleans()),
        is_incremental=draw(st.booleans()),
        is_open=share is ShareType.UNCONDITIONAL and draw(st.booleans()),
    )


@st.composite
def resources(draw: st.DrawFn) -> Resource:
    lists = st.lists(LINE, max_size=3).map(tuple)
    found = draw(st.lists(items(), min_size=1, max_size=5, unique_by=lambda item: item.name.lower()))
    key = Item(name="zz_key", title="键", format="C..20", is_key=True, is_required=True)
    return Resource(
        code=draw(CODE),
        title=draw(LINE),
        summary=draw(TEXT),
        theme=draw(st.sampled_from(Theme)),
        provider_code=PROVIDER,
        update_cycle=draw(st.sampled_from(UpdateCycle)),
        items=(*found, key),
        external_codes=draw(
            st.dictionaries(
                LINE.filter(lambda scheme: "=" not in scheme and scheme != "national"), LINE, max_size=3
            )
        ),
        metadata=Metadata(
            title_en=draw(TEXT),
            aliases=draw(lists),
            labels=draw(lists),
            classification_titles=draw(lists),
            format_class=draw(st.sampled_from(FormatClass)),
            format_type=draw(TEXT),
            share_methods=tuple(draw(st.lists(st.sampled_from(ShareMethod), unique=True))),
            open_type=draw(st.sampled_from(OpenType)),
            open_condition=draw(TEXT),
            office=draw(TEXT),
            source_system=draw(TEXT),
            contact_name=draw(TEXT),
            contact_phone=draw(TEXT),
        ),
    )


def rebuild(entries: list[Entry]) -> list[Resource]:
    return [
        build_resource(DescriptionIn.model_validate(each.description), provider_code=PROVIDER)
        for each in entries
    ]


@pytest.mark.parametrize("form", list(FORMS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=st.lists(resources(), min_size=1, max_size=3, unique_by=lambda resource: resource.code))
def test_catalogue_survives_a_round_trip(form: str, made: list[Resource]) -> None:
    assert all(check_resource(each) == [] for each in made)
    write, read = FORMS[form]
    found = {each.code: each for each in rebuild(read(write(made)))}
    assert found == {each.code: each for each in made}


@pytest.mark.parametrize("form", list(FORMS))
def test_ready_schemas_survive_a_round_trip(form: str) -> None:
    write, read = FORMS[form]
    made = [schema.build(provider_code=PROVIDER) for schema in STANDARD_SCHEMAS.values()]
    found = {each.code: each for each in rebuild(read(write(made)))}
    assert {code: each.items for code, each in found.items()} == {each.code: each.items for each in made}


def workbook(resource: dict[str, str], *rows: dict[str, str], **sheets: str) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        for name, columns, lines in (("资源", RESOURCE_COLUMNS, [resource]), ("数据项", ITEM_COLUMNS, rows)):
            sheet = book.add_worksheet(sheets.get(name, name))
            for place, (field, header) in enumerate(columns.items()):
                sheet.write(0, place, header)
                for number, line in enumerate(lines, start=1):
                    if field in line:
                        sheet.write(number, place, line[field])
    return out.getvalue()


RESOURCE = {"code": "things", "title": "物品", "theme": "其他", "update_cycle": "每日"}
ITEM = {
    "resource": "things",
    "name": "code",
    "title": "编号",
    "format": "C..9",
    "is_key": "是",
    "is_required": "是",
}


def test_workbook_filled_in_by_hand_reads_with_numbers_and_flags_as_typed() -> None:
    typed: dict[str, Any] = {"resource": "things", "name": "x", "title": 2024.0, "format": "C..9"}
    entry = read_excel(workbook(RESOURCE, ITEM, typed)).entries[0]
    assert entry.description["items"][1]["title"] == "2024"
    assert entry.description["theme"] == "other"
    assert entry.locate("/items/1/format") == "/数据项/3/格式"
    assert entry.locate("/metadata/source_system") == "/资源/2/来源系统"


def test_workbook_tells_every_cell_that_has_no_known_word() -> None:
    wrong = ITEM | {"share_type": "1", "is_key": "对", "check_rule": "身份证"}
    orphan = ITEM | {"resource": "nothing"}
    with pytest.raises(SchemaViolation) as caught:
        read_excel(workbook(RESOURCE | {"theme": "2"}, wrong, orphan))
    told = {error.pointer: error.detail for error in caught.value.errors}
    assert set(told) == {
        "/资源/2/基础目录",
        "/数据项/2/共享类型",
        "/数据项/2/主键",
        "/数据项/2/校验规则",
        "/数据项/3/资源代码",
    }
    assert "codes of words differ" in told["/数据项/2/共享类型"]


@pytest.mark.parametrize(
    "data",
    [b"", b"PK\x03\x04 no zip", b"{}", workbook(RESOURCE, ITEM, 资源="Sheet1"), b"<html>"],
    ids=["empty", "broken zip", "json", "other sheets", "html"],
)
def test_what_is_no_catalogue_workbook_gives_one_clear_error(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_excel(data)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "[]",
        "nul",
        '{"format": "other"}',
        '{"format": "shuzheng-catalogue", "version": 1, "resources": 1}',
        "[" * 100_000,
    ],
)
def test_what_is_no_catalogue_json_gives_one_clear_error(name: str) -> None:
    with pytest.raises(BadInput):
        read_json(name.encode())


def test_formula_in_a_title_is_written_as_text() -> None:
    made = STANDARD_SCHEMAS["xzqh"].build(provider_code=PROVIDER, title='=HYPERLINK("http://x")')
    assert rebuild(read_excel(write_excel([made])).entries)[0].title == made.title


FOREIGN = {
    "@context": {
        "dcat": "http://www.w3.org/ns/dcat#",
        "dct": "http://purl.org/dc/terms/",
        "csvw": "http://www.w3.org/ns/csvw#",
        "title": {"@id": "dct:title", "@language": "zh"},
    },
    "@graph": [
        {
            "@id": "https://elsewhere.test/d/1",
            "@type": "dcat:Dataset",
            "dct:identifier": "bus_routes",
            "title": "公交线路",
            "dct:description": {"@value": "线路与站点", "@language": "zh-Hans"},
            "dct:accrualPeriodicity": {
                "@id": "http://publications.europa.eu/resource/authority/frequency/WEEKLY"
            },
            "dcat:keyword": ["交通", "公交"],
            "dcat:distribution": {"@id": "https://elsewhere.test/d/1/csv"},
        },
        {
            "@id": "https://elsewhere.test/d/1/csv",
            "@type": "dcat:Distribution",
            "csvw:tableSchema": {
                "csvw:column": {"@list": [{"csvw:name": "line", "csvw:title": "线路", "csvw:required": True}]}
            },
        },
    ],
}


def test_dcat_of_others_is_read_by_its_meaning_not_its_shape() -> None:
    entry = read_dcat(json.dumps(FOREIGN).encode()).entries[0]
    assert entry.description["code"] == "bus_routes"
    assert entry.description["title"] == "公交线路"
    assert entry.description["summary"] == "线路与站点"
    assert entry.description["update_cycle"] == "weekly"
    assert entry.description["metadata"]["labels"] == ["交通", "公交"]
    assert entry.description["items"] == [{"name": "line", "title": "线路", "is_required": True}]


@pytest.mark.parametrize(
    "document",
    [
        {"@context": "https://evil.test/context.jsonld", "@id": "urn:x"},
        {"@context": [{"a": "urn:a"}, "https://evil.test/c"], "@graph": []},
        {"@context": {"@import": "https://evil.test/c"}},
        {"@context": {"x": {"@id": "urn:x", "@context": "https://evil.test/c"}}, "x": {"y": 1}},
        {"@context": {"a": "b", "b": "a"}, "a": 1},
        {"@context": {"@version": 3}},
        {"@id": "urn:nothing"},
        [],
        17,
    ],
)
def test_dcat_that_would_call_elsewhere_or_means_nothing_is_refused(document: Any) -> None:
    with pytest.raises(BadInput):
        read_dcat(json.dumps(document).encode())


def test_dcat_nested_a_million_deep_is_refused() -> None:
    with pytest.raises(BadInput):
        read_dcat(b'{"a":' * 1_000_000)
    with pytest.raises(BadInput):
        read_dcat(b'{"http://a":' * 500 + b"1" + b"}" * 500)
