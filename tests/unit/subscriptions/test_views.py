"""Views: rows, items and masks cut out of tables, and changes as a view shows them."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.access.model import Condition, FilterOperator
from subscriptions.sharing.changes import show_changes
from subscriptions.sharing.view import View

SCHEMA = pa.schema([("k", pa.string()), ("v", pa.string()), ("n", pa.decimal128(8, 2))])
FEED = pa.schema([*SCHEMA, pa.field("_change_type", pa.string())])


def build_view(*conditions: Condition, items: tuple[str, ...] = ("k", "v"), **more: object) -> View:
    fields: dict[str, object] = {"masks": {}, "own": {}} | more
    return View(
        digest=b"", schema=pa.schema([SCHEMA.field(name) for name in items]), keys=("k",),
        row_filter=conditions, **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def condition(operator: FilterOperator, item: str, *values: object) -> Condition:
    return Condition(label="c", item=item, operator=operator, values=values)


def test_rows_outside_every_kind_of_filter_are_left_out() -> None:
    table = pa.Table.from_pylist(
        [{"k": "1101", "v": "a", "n": Decimal("1.50")}, {"k": "2201", "v": None, "n": None}], schema=SCHEMA
    )
    for test, kept in (
        (condition(FilterOperator.EQUALS, "n", Decimal("1.5")), ["1101"]),
        (condition(FilterOperator.EQUALS, "n", Decimal("1.505")), []),
        (condition(FilterOperator.IN, "v", "a", "b"), ["1101"]),
        (condition(FilterOperator.PREFIX, "k", "22"), ["2201"]),
        (condition(FilterOperator.DIVISION, "k", "11"), ["1101"]),
    ):
        assert build_view(test).select_rows(table).column("k").to_pylist() == kept, test
    own = condition(FilterOperator.IN_OWN, "k", "mine", "k")
    assert build_view(own, own={"c": ["2201"]}).select_rows(table).column("k").to_pylist() == ["2201"]
    assert build_view(own, own={"c": []}).select_rows(table).num_rows == 0


rows = st.dictionaries(
    st.sampled_from("abcd"),
    st.tuples(st.sampled_from(["x", "y", None]), st.sampled_from([None, Decimal("1.00"), Decimal("2.00")])),
)


@settings(max_examples=150, deadline=None)
@given(before=rows, after=rows, wanted=st.sampled_from(["x", "y"]), filtered=st.booleans())
def test_changes_of_a_view_turn_its_rows_before_into_those_after(
    before: dict[str, tuple[object, object]],
    after: dict[str, tuple[object, object]],
    wanted: str,
    filtered: bool,
) -> None:
    feed = []
    for key in before.keys() | after.keys():
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        for row, kind in ((old, "delete" if new is None else "update_preimage"),
                          (new, "insert" if old is None else "update_postimage")):  # fmt: skip
            if row is not None:
                feed.append({"k": key, "v": row[0], "n": row[1], "_change_type": kind})
    view = build_view(*([condition(FilterOperator.EQUALS, "v", wanted)] if filtered else []))
    shown = show_changes(view, pa.Table.from_pylist(feed, schema=FEED)).to_pylist()

    def seen(side: dict[str, tuple[object, object]]) -> dict[str, object]:
        return {key: row[0] for key, row in side.items() if not filtered or row[0] == wanted}

    held = seen(before)
    for change in sorted(shown, key=lambda each: each["_change_type"] in {"insert", "update_postimage"}):
        if change["_change_type"] in {"delete", "update_preimage"}:
            assert held.pop(change["k"]) == change["v"]
        else:
            assert change["k"] not in held
            held[change["k"]] = change["v"]
    assert held == seen(after)
    untouched = {key for key in seen(before) if seen(before)[key] == seen(after).get(key, "gone")}
    assert not untouched & {change["k"] for change in shown}
