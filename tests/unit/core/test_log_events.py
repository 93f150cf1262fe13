"""The catalogue of events, the entries of the tree, and personal numbers in texts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.log.chain import Link, build_entry, split_entry
from core.log.event_details import check_details
from core.log.events import CATALOGUE, Kind
from core.log.leaf_body import MAX_BODY_BYTES, build_leaf, build_leaf_id, read_body, render_body
from core.log.model import Event
from core.log.privacy import contains_number, mask_numbers
from signing.merkle.hashing import HashSuite
from signing.merkle.tiles import MAX_ENTRY_BYTES

NUMBER = "11010519491231002X"
AT = datetime(2026, 3, 1, 8, 30, 15, 123456, tzinfo=UTC)
SAMPLES = {
    Kind.TEXT: "text",
    Kind.INTEGER: 3,
    Kind.BOOLEAN: True,
    Kind.TEXTS: ["a", "b"],
    Kind.COUNTS: {"match": 2},
    Kind.ROWS: [{"table": "t", "key": "[1]", "number": 1, "tags": {"a": "00"}}],
}


@pytest.mark.parametrize("event", list(Event))
def test_event_with_its_declared_fields_is_taken_and_each_wrong_one_refused(event: Event) -> None:
    fields = CATALOGUE[event].fields
    details = {field.name: SAMPLES[field.kind] for field in fields.values()}
    assert check_details(event, details) == details
    with pytest.raises(ValueError, match="declares no field"):
        check_details(event, details | {"undeclared": 1})
    for field in fields.values():
        wrong = 1.5 if field.kind is not Kind.INTEGER else True
        with pytest.raises(ValueError, match=f"{field.name} of the event"):
            check_details(event, details | {field.name: wrong})
        if not field.is_optional:
            with pytest.raises(ValueError, match="lacks its fields"):
                check_details(event, details | {field.name: None})


@given(
    st.lists(st.tuples(st.integers(1, 2**40), st.none() | st.binary(min_size=32, max_size=32)), max_size=4)
)
def test_entry_comes_apart_into_the_body_and_links_it_was_built_of(
    links: list[tuple[int, bytes | None]],
) -> None:
    body = render_body({"id": "x", "details": {"a": '}"{'}, "case_number": "一"})
    built = [Link(number=number, previous=previous) for number, previous in links]
    entry = build_entry(body, built)
    assert split_entry(entry) == (body, tuple(built))
    assert list(json.loads(entry)) == sorted(json.loads(entry))


def test_citizen_number_is_masked_wherever_it_stands_in_a_leaf() -> None:
    members = {
        "id": str(build_leaf_id(AT)),
        "time": AT.isoformat(),
        "event": "access.refused",
        "organisation": "hub",
        "operator": f"王{NUMBER}",
        "case_number": NUMBER.lower(),
        "details": {"action": f"see {NUMBER}."},
    }
    leaf = build_leaf(
        members, suite=HashSuite.SM3, mask=lambda text: mask_numbers(text, lambda n: n[::-1].encode())
    )
    assert NUMBER not in leaf.body.upper()
    assert leaf.operator is not None
    assert leaf.operator.startswith("王hmac-sm3:")
    assert leaf.leaf_hash == HashSuite.SM3.leaf_hash(leaf.body.encode())


@pytest.mark.parametrize(
    "text", ["110105194912310021", f"9{NUMBER}", f"{NUMBER}0", "2026-000001", "11010519491331002X", ""]
)
def test_text_that_is_no_citizen_number_is_left_alone(text: str) -> None:
    assert not contains_number(text)


def test_leaf_with_endless_lists_stays_within_the_limit_of_an_entry() -> None:
    names = [f"项目{n:06d}" for n in range(20_000)]
    members = {
        "id": str(build_leaf_id(AT)),
        "time": AT.isoformat(),
        "event": "resource.registered",
        "organisation": "hub",
        "details": {"items": names},
    }
    leaf = build_leaf(members, suite=HashSuite.SM3, mask=str)
    assert len(leaf.body.encode()) <= MAX_BODY_BYTES
    links = [Link(number=2**62, previous=b"p" * 32)] * 200
    assert len(build_entry("{" + " " * MAX_BODY_BYTES + "}", links)) <= MAX_ENTRY_BYTES
    assert read_body(leaf.body, leaf_hash=leaf.leaf_hash) == leaf


def test_leaf_ids_are_version_seven_and_sort_by_time() -> None:
    first, second = build_leaf_id(AT), build_leaf_id(AT.replace(minute=31))
    assert (first.version, first.variant) == (7, "specified in RFC 4122")
    assert first < second
