"""Formats of items, and what a resource's description may say."""

from __future__ import annotations

import pytest

from core.caller import OrganisationCode
from core.codes.divisions import is_known_division, load_divisions
from core.errors import BadInput
from exchange.catalogue.formats import Format, Kind, parse_format
from exchange.catalogue.service import check_resource
from exchange.standards.schemas import STANDARD_SCHEMAS
from tests.hubs import organisation_code


@pytest.mark.parametrize(
    ("text", "expected", "sql_type"),
    [
        ("C18", Format(kind=Kind.TEXT, min_characters=18, max_characters=18), "text"),
        ("C..50", Format(kind=Kind.TEXT, max_characters=50), "text"),
        ("n2", Format(kind=Kind.DIGITS, min_characters=2, max_characters=2), "text"),
        ("N..24,6", Format(kind=Kind.DECIMAL, precision=24, scale=6), "numeric(24,6)"),
        ("YYYYMMDD", Format(kind=Kind.DAY), "date"),
        ("YYYYMMDDhhmmss", Format(kind=Kind.SECOND), "timestamptz"),
        ("B", Format(kind=Kind.BOOLEAN), "boolean"),
    ],
)
def test_format_of_each_kind_is_read(text: str, expected: Format, sql_type: str) -> None:
    assert parse_format(text) == expected
    assert parse_format(text).sql_type == sql_type


@pytest.mark.parametrize(
    "text", ["", "C", "C0", "C..0", "n-1", "N..2,3", "N..99", "C99999", "text", "C18\n", "c18"]
)
def test_format_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_format(text)


@pytest.mark.parametrize("name", sorted(STANDARD_SCHEMAS))
def test_standard_schema_passes_the_catalogue_rules(name: str) -> None:
    resource = STANDARD_SCHEMAS[name].build(provider_code=OrganisationCode(organisation_code(1)))
    assert check_resource(resource) == []


def test_divisions_form_a_tree_of_three_levels() -> None:
    divisions = load_divisions()
    assert sum(division.level == 1 for division in divisions.values()) == 31
    for division in divisions.values():
        if division.parent is None:
            assert division.level == 1
        else:
            assert divisions[division.parent].level < division.level
    assert is_known_division("110105")
    assert not is_known_division("999999")
