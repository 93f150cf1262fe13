"""Samples: the same seed gives the same bytes, and dirt is counted."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from core.caller import OrganisationCode
from core.codes import citizen, credit
from core.errors import BadInput
from exchange.catalogue.check import check_resource
from exchange.publish.check_file import check_file
from exchange.standards.samples import Dirt, Part, SampleKind, SampleSummary, write_sample
from exchange.standards.schemas import STANDARD_SCHEMAS, StandardSchema


def make(kind: SampleKind, **options: object) -> tuple[bytes, SampleSummary]:
    out = io.BytesIO()
    settings = {"rows": 300, "seed": 5, "dirt": 0.1} | options
    summary = write_sample(kind, out=out, **settings)  # type: ignore[arg-type]
    return out.getvalue(), summary


@pytest.mark.parametrize("kind", list(SampleKind))
@pytest.mark.parametrize("part", list(Part))
def test_sample_of_one_seed_is_the_same_bytes_again(kind: SampleKind, part: Part) -> None:
    assert make(kind, part=part)[0] == make(kind, part=part)[0]
    assert make(kind)[0] != make(kind, seed=6)[0]


@pytest.mark.parametrize("kind", list(SampleKind))
def test_clean_sample_has_distinct_keys_and_all_its_columns(kind: SampleKind) -> None:
    content, summary = make(kind, dirt=0)
    rows = list(csv.DictReader(content.decode().splitlines()))
    schema = STANDARD_SCHEMAS[kind.schema]
    keys = [tuple(row[item.name] for item in schema.items if item.is_key) for row in rows]
    assert (summary.rows, summary.dirty_rows, len(set(keys))) == (300, 0, 300)
    assert set(rows[0]) <= {item.name for item in schema.items}


@pytest.mark.parametrize("kind", list(SampleKind))
@pytest.mark.parametrize("part", [Part.INITIAL, Part.CHANGES])
def test_every_clean_row_satisfies_its_schema_and_every_dirty_one_breaks_it(
    kind: SampleKind, part: Part, tmp_path: Path
) -> None:
    content, summary = make(kind, rows=2000, dirt=0.1, part=part)
    file = tmp_path / "rows.csv"
    file.write_bytes(content)
    report = check_file(file, STANDARD_SCHEMAS[kind.schema])
    doubled = summary.dirty.get(Dirt.DUPLICATE_KEY, 0)
    assert (report.received, report.rejected) == (summary.rows, summary.dirty_rows - doubled)
    assert report.by_reason.keys() <= {
        "CITIZEN-NUMBER",
        "CREDIT-CODE",
        "DATE",
        "BIRTH-DATE",
        "UNKNOWN-CODE",
        "LENGTH",
        "DIGITS",
    }


def test_checks_of_numbers_in_samples_are_those_of_the_standards() -> None:
    rows = list(csv.DictReader(make(SampleKind.LICENCE, dirt=0)[0].decode().splitlines()))
    assert all(credit.is_check_valid(row["XK_XKJGDM"]) for row in rows)
    persons = [row["XK_XDR_ZJHM"] for row in rows if row["XK_XDR_LB"] == "自然人"]
    assert len(persons) == 30
    assert all(citizen.is_check_valid(number) for number in persons)


def test_more_divisions_than_there_can_be_are_refused() -> None:
    with pytest.raises(BadInput, match="at most"):
        make(SampleKind.DIVISION, rows=100_000)


def test_licence_and_penalty_have_the_items_of_the_2018_formats_in_order() -> None:
    licence, penalty = STANDARD_SCHEMAS["xy_xzxk"].items, STANDARD_SCHEMAS["xy_xzcf"].items
    assert (len(licence), len(penalty)) == (28, 30)
    assert [item.name for item in licence[:5]] == [
        "XK_XDR_MC",
        "XK_XDR_LB",
        "XK_XDR_SHXYM",
        "XK_XDR_GSZC",
        "XK_XDR_ZZJG",
    ]
    assert [item.name for item in penalty[13:23]] == [
        "CF_WSH",
        "CF_WFXW",
        "CF_SY",
        "CF_YJ",
        "CF_CFLB",
        "CF_NR",
        "CF_NR_FK",
        "CF_NR_WFFF",
        "CF_NR_ZKDX",
        "CF_JDRQ",
    ]


@pytest.mark.parametrize("schema", list(STANDARD_SCHEMAS.values()), ids=lambda schema: schema.code)
def test_ready_schema_passes_the_catalogues_own_checks(schema: StandardSchema) -> None:
    resource = schema.build(provider_code=OrganisationCode("x"))
    assert check_resource(resource) == []
    names = {item.name for item in resource.items}
    assert all(set(rule.items) <= names for rule in resource.rules)


BROKEN_ROWS = {
    "a company without its credit code": ("xy_xzxk", {"XK_XDR_SHXYM": ""}, "REQUIRED"),
    "valid until before it began": ("xy_xzxk", {"XK_YXQZI": "20000101"}, "ORDER"),
    "decided in the future": ("xy_xzxk", {"XK_JDRQ": "20990101"}, "FUTURE"),
    "a fine in words": ("xy_xzcf", {"CF_NR_FK": "贰仟元"}, "NUMBER"),
    "an unknown address level": ("dz_bzdz", {"DZCJ": "16"}, "UNKNOWN-CODE"),
    "a historical address without its end": ("dz_bzdz", {"ZT": "2"}, "REQUIRED"),
    "a broken commitment without the breach": ("xy_cn", {"LXZT": "未履行"}, "REQUIRED"),
    "left before it entered": ("xy_mdxx", {"YCRQ": "20000101"}, "ORDER"),
    "published before it was filed": ("xy_sxbzxr", {"FBRQ": "20000101"}, "ORDER"),
    "died before birth": ("rk_jbxx", {"SWRQ": "19000102"}, "ORDER"),
}


@pytest.mark.parametrize("case", list(BROKEN_ROWS))
def test_rule_of_a_schema_catches_its_breach(case: str, tmp_path: Path) -> None:
    code, changes, reason = BROKEN_ROWS[case]
    kind = next(kind for kind in SampleKind if kind.schema == code)
    row = next(csv.DictReader(make(kind, dirt=0)[0].decode().splitlines())) | changes
    file = tmp_path / "row.csv"
    with file.open("w", encoding="utf-8") as out:
        writer = csv.DictWriter(out, row)
        writer.writeheader()
        writer.writerow(row)
    report = check_file(file, STANDARD_SCHEMAS[code])
    assert (report.received, report.rejected, dict(report.by_reason)) == (1, 1, {reason: 1})
