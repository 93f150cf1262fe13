"""Queries against a slow, obvious model: nothing outside the grant is ever returned."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from core.errors import BadInput, GrantMissing, NotFound, SchemaViolation
from exchange.access.model import Mode
from exchange.catalogue.formats import Kind, parse_format
from exchange.query.model import Answer, Question
from exchange.query.service import QueryService
from tests.exchange_world import ITEMS, PURPOSE, SHARED, World, build_row, open_world

HOSTILE = [
    '"; DROP TABLE data.people; --',
    "' OR '1'='1",
    "$1",
    "a\x00b",
    "../etc",
    "😀" * 50,
    "x" * 5000,
    "\ud800",
    "",
]


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


@pytest.fixture
def query(world: World) -> QueryService:
    return world.query_service()


def question(**changes: object) -> Question:
    fields: dict[str, object] = {"keys": None, "where": None, "items": None, "limit_rows": 100, "after": None}
    return Question(**(fields | changes))  # type: ignore[arg-type]


async def ask(query: QueryService, world: World, **changes: object) -> Answer:
    return await query.query(
        caller=world.consumer, purpose=PURPOSE, resource_code="people", question=question(**changes)
    )


KEY = {"GMSFHM": build_row(1)["GMSFHM"]}


async def test_query_by_key_gives_granted_items_only(world: World, query: QueryService) -> None:
    await world.publish([build_row(n) for n in range(5)])
    grant = await world.give(items=("XM", "CSRQ"), modes=frozenset({Mode.QUERY}))
    answer = await ask(query, world, keys=KEY)
    assert answer.grant_id == grant.id
    assert answer.snapshot.version == 1
    assert answer.snapshot.as_of is not None
    row = build_row(1)
    assert answer.snapshot.rows == ({"XM": row["XM"], "CSRQ": row["CSRQ"]},)


async def test_query_writes_leaf_with_hashed_subject(world: World, query: QueryService) -> None:
    await world.publish([build_row(1)])
    await world.give()
    await ask(query, world, keys=KEY, items=("XM",))
    leaf = (await world.events())[-1]
    assert leaf["event"] == "data.queried"
    assert leaf["case_number"] == PURPOSE.case_number
    assert leaf["details"] == {"items": ["XM"], "searched_by": ["GMSFHM"], "rows": 1, "version": 1}
    assert leaf["subject_hmac"] == world.log.hash_subject(str(KEY["GMSFHM"])).hex()
    assert str(KEY["GMSFHM"]) not in str(leaf)


async def test_query_without_grant_gets_same_refusal_whatever_is_asked(
    world: World, query: QueryService
) -> None:
    await world.publish([build_row(1)])
    said = set()
    for changes in (
        {"keys": KEY},
        {"keys": {"GMSFHM": "0"}},
        {"where": {"nope": 1}},
        {"items": ("ZJXY",)},
        {},
    ):
        with pytest.raises(GrantMissing) as refused:
            await ask(query, world, **changes)
        said.add((refused.value.detail, refused.value.errors))
    assert len(said) == 1
    assert [leaf["event"] for leaf in await world.events()] == ["access.refused"] * 5


async def test_query_for_other_service_item_or_mode_is_refused(world: World, query: QueryService) -> None:
    await world.give(modes=frozenset({Mode.VERIFY}))
    with pytest.raises(GrantMissing):
        await ask(query, world, keys=KEY)
    await world.give(service_items=("其他事项",))
    with pytest.raises(GrantMissing):
        await ask(query, world, keys=KEY)
    await world.give(service_items=("*",))
    await ask(query, world, keys=KEY)


async def test_query_of_ungranted_item_names_it(world: World, query: QueryService) -> None:
    await world.give(items=("GMSFHM", "XM"))
    with pytest.raises(GrantMissing, match="CSRQ"):
        await ask(query, world, keys=KEY, items=("XM", "CSRQ"))
    with pytest.raises(GrantMissing, match="SR"):
        await ask(query, world, where={"SR": "1"})
    with pytest.raises(GrantMissing, match="ZJXY"):
        await ask(query, world, keys=KEY, items=("ZJXY",))


async def test_query_after_revocation_is_refused_at_once(world: World, query: QueryService) -> None:
    grant = await world.give()
    await ask(query, world, keys=KEY)
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    with pytest.raises(GrantMissing):
        await ask(query, world, keys=KEY)


async def test_query_after_expiry_is_refused(world: World) -> None:
    grant = await world.give()
    late = world.query_service()
    late._now = lambda: grant.terms.valid_until
    with pytest.raises(GrantMissing):
        await ask(late, world, keys=KEY)


async def test_query_by_stranger_under_anothers_grant_is_refused(world: World, query: QueryService) -> None:
    await world.give()
    with pytest.raises(GrantMissing):
        await query.query(
            caller=world.stranger, purpose=PURPOSE, resource_code="people", question=question(keys=KEY)
        )


async def test_query_pages_give_every_row_once(world: World, query: QueryService) -> None:
    await world.publish([build_row(n) for n in range(25)])
    await world.give()
    found, after = [], None
    while True:
        answer = await ask(query, world, where={"XB": "1"}, limit_rows=5, after=after)
        found += [row["GMSFHM"] for row in answer.snapshot.rows]
        if (after := answer.next_cursor) is None:
            break
    assert found == [build_row(n)["GMSFHM"] for n in range(25) if n % 2 == 0]
    assert not answer.has_more


async def test_query_page_without_key_items_has_no_cursor(world: World, query: QueryService) -> None:
    await world.publish([build_row(n) for n in range(8)])
    await world.give(items=("XM", "XB"), modes=frozenset({Mode.QUERY}))
    answer = await ask(query, world, where={"XB": "1"}, limit_rows=2)
    assert answer.has_more
    assert answer.next_cursor is None


@pytest.mark.parametrize("text", HOSTILE)
async def test_query_with_hostile_text_everywhere_stays_a_clear_error_or_no_row(
    world: World, query: QueryService, text: str
) -> None:
    await world.publish([build_row(n) for n in range(3)])
    await world.give()
    for changes in (
        {"keys": {"GMSFHM": text}},
        {"keys": {text: "1"}},
        {"where": {text: text}},
        {"where": {"XM": text}},
        {"where": {"CSRQ": text}},
        {"where": {"SR": text}},
        {"where": {"SFYX": text}},
        {"where": {"JKSJ": text}},
        {"keys": KEY, "items": (text,)},
        {"keys": KEY, "after": text},
    ):
        try:
            answer = await ask(query, world, **changes)
        except (BadInput, GrantMissing):
            continue
        assert answer.snapshot.rows == ()
    with pytest.raises((BadInput, NotFound)):
        await query.query(
            caller=world.consumer, purpose=PURPOSE, resource_code=text, question=question(keys=KEY)
        )
    assert len((await ask(query, world, keys=KEY)).snapshot.rows) == 1


@pytest.mark.parametrize("value", [None, [], {}, float("nan"), 10**400])
async def test_query_with_value_of_wrong_type_is_refused(
    world: World, query: QueryService, value: object
) -> None:
    await world.give()
    with pytest.raises(SchemaViolation):
        await ask(query, world, where={"SR": value})


ROWS = [
    build_row(n, XM=["张三", "李四", "x'y", None][n % 4], SR=None if n % 5 == 0 else build_row(n)["SR"])
    for n in range(12)
]
names = st.sampled_from(SHARED)


def model_passes(row: dict[str, object], row_filter: dict[str, dict[str, object]]) -> bool:
    for condition in row_filter.values():
        value = row[str(condition["item"])]
        if value is None:
            return False
        if "equals" in condition and str(value) != condition["equals"]:
            return False
        if "in" in condition and str(value) not in condition["in"]:  # type: ignore[operator]
            return False
        if "prefix" in condition and not str(value).startswith(str(condition["prefix"])):
            return False
    return True


def filters() -> st.SearchStrategy[dict[str, dict[str, object]]]:
    def values(name: str) -> list[str]:
        return sorted({str(row[name]) for row in ROWS if row[name] is not None}) or ["20260101000000"]

    def condition(name: str) -> st.SearchStrategy[dict[str, object]]:
        text = next(item for item in ITEMS if item.name == name)
        one = st.sampled_from(values(name))
        kinds = [
            one.map(lambda value: {"item": name, "equals": value}),
            st.lists(one, min_size=1, max_size=3).map(lambda found: {"item": name, "in": found}),
        ]
        if parse_format(text.format).kind in {Kind.TEXT, Kind.DIGITS}:
            part = st.tuples(one, st.integers(1, 6)).map(lambda pair: pair[0][: pair[1]])
            kinds.append(part.map(lambda value: {"item": name, "prefix": value}))
        return st.one_of(kinds)

    chosen = st.sampled_from([name for name in SHARED if name not in {"JKSJ", "SFYX", "SR"}])
    return st.dictionaries(st.sampled_from(["a", "b"]), chosen.flatmap(condition), max_size=2)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    granted=st.lists(names, min_size=1, unique=True),
    mode=st.sampled_from([Mode.QUERY, Mode.VERIFY]),
    row_filter=filters(),
    wanted=st.none() | st.lists(st.sampled_from([item.name for item in ITEMS]), min_size=1, max_size=3),
    by_key=st.none() | st.integers(0, 14),
    searched=names.filter(lambda name: name != "JKSJ"),
    sample=st.integers(0, 11),
)
async def test_query_under_any_grant_gives_what_the_model_gives(
    world: World, query: QueryService, granted, mode, row_filter, wanted, by_key, searched, sample
) -> None:
    if not (await world.grants.list_grants(caller=world.consumer, as_provider=False)):
        await world.publish(ROWS)
    grant = await world.give(items=tuple(granted), modes=frozenset({mode}), row_filter=row_filter)
    keyed = by_key is not None
    asked = {"GMSFHM": build_row(by_key)["GMSFHM"]} if keyed else {searched: ROWS[sample][searched]}
    value = next(iter(asked.values()))
    request = {
        "keys" if keyed else "where": {
            name: value if isinstance(value, bool | str) else str(value) for name, value in asked.items()
        },
        "items": None if wanted is None else tuple(wanted),
    }
    needed = set(wanted or granted) | (set() if keyed else set(asked))
    try:
        if value is None:
            return
        if mode is not Mode.QUERY or not needed <= set(granted):
            with pytest.raises(GrantMissing):
                await ask(query, world, **request)
            return
        answer = await ask(query, world, **request)
        shown = list(dict.fromkeys(wanted)) if wanted else [name for name in SHARED if name in granted]
        expected = [
            {name: row[name] for name in shown}
            for row in ROWS
            if model_passes(row, row_filter) and all(row[name] == value for name, value in asked.items())
        ]
        assert [dict(row) for row in answer.snapshot.rows] == expected
    finally:
        await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="试验结束")


async def test_query_uses_the_grant_that_covers(world: World, query: QueryService) -> None:
    await world.publish([build_row(1)])
    await world.give(items=("GMSFHM", "XM"))
    second = await world.give(items=("GMSFHM", "CSRQ"))
    answer = await ask(query, world, keys=KEY, items=("CSRQ",))
    assert answer.grant_id == second.id


async def test_query_with_item_closed_since_the_grant_is_refused(world: World, query: QueryService) -> None:
    await world.publish([build_row(1)])
    await world.give()
    async with world.database.acquire() as connection:
        await connection.execute(
            "UPDATE exchange.resource_item SET share_type = 'not_shared' WHERE name = 'XM'"
        )
    with pytest.raises(GrantMissing, match="XM"):
        await ask(query, world, keys=KEY, items=("XM",))
    assert "XM" not in (await ask(query, world, keys=KEY)).items
