"""Reading service items out of a workbook; every error points at sheet, row and column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import FieldError, SchemaViolation
from evidence.rules.document import parse_item
from evidence.rules.model import ServiceItem
from evidence.workbook import words
from evidence.workbook.cells import (
    lines_of,
    read_choice,
    read_condition,
    read_list,
    read_pairs,
    read_requirements,
)
from evidence.workbook.sheets import Row, open_sheets

Members = Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Draft:
    """An item as the workbook has it: the document, and which row each part of it stands in."""

    document: dict[str, Any]
    rows: dict[str, tuple[Row, Members]] = field(default_factory=dict)

    def locate(self, pointer: str) -> str:
        """Turn a pointer into the item's rules into the place in the workbook."""
        parts = pointer.split("/")
        for length in range(len(parts), 0, -1):
            found = self.rows.get("/".join(parts[:length]))
            if found is not None:
                row, members = found
                column = members.get(parts[length]) if length < len(parts) else None
                return row.place(column)
        raise AssertionError(pointer)

    def explain(self, error: FieldError) -> FieldError:
        """Return an error of the rules as one of the workbook."""
        place = self.locate(error.pointer)
        return FieldError(pointer=place, code=error.code, detail=f"{_tell(place)}: {error.detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadItem:
    """An item and where each part of it stands."""

    item: ServiceItem
    draft: Draft


def read_workbook(data: bytes) -> list[ReadItem]:
    """Read service items. Raises BadInput, TooLarge, or SchemaViolation with all that is wrong at once."""
    sheets = open_sheets(data)
    errors: list[FieldError] = []
    drafts = _read_heads(sheets[words.ITEMS], errors)
    for sheet, add in _PARTS.items():
        for row in sheets[sheet]:
            draft = drafts.get(row.cells.get("item", ""))
            if draft is None:
                _note(
                    errors, row.place("item"), "UNKNOWN", f"no row of the sheet {words.ITEMS} has this code"
                )
            else:
                add(draft, row, errors)
    found = []
    for draft in drafts.values():
        try:
            found.append(ReadItem(item=parse_item(draft.document), draft=draft))
        except SchemaViolation as wrong:
            told = {each.pointer for each in errors}
            errors += [each for each in map(draft.explain, wrong.errors) if each.pointer not in told]
    if errors:
        msg = "cells of the workbook hold what cannot be read; errors lists each"
        raise SchemaViolation(msg, errors=tuple(errors))
    return found


def _read_heads(rows: list[Row], errors: list[FieldError]) -> dict[str, Draft]:
    drafts: dict[str, Draft] = {}
    for row in rows:
        code = row.cells.get("code", "")
        if code in drafts:
            _note(errors, row.place("code"), "DUPLICATE", f"the item {code!r} has a row already")
            continue
        document: dict[str, Any] = {"roles": [], "inputs": [], "facts": [], "materials": [], "examples": []}
        document |= {name: row.cells[name] for name in ("title", "office", "region") if name in row.cells}
        document |= {"code": code, "form": {}}
        reading = _Reading(errors, row)
        document["bundles"] = reading.take("bundles", read_list, [])
        columns = {name: name for name in ("code", "title", "office", "region", "bundles")}
        drafts[code] = Draft(document=document, rows={"": (row, columns)})
    return drafts


def _add_role(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    part = _texts(row, "name", "title")
    reading = _Reading(errors, row)
    part["kind"] = reading.take("kind", _word(words.KINDS), "any")
    part["required"] = reading.take("required", _read_flag, True)
    _append(draft, "roles", part, row)


def _add_input(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    part = _texts(row, "name", "title")
    reading = _Reading(errors, row)
    part["required"] = reading.take("required", _read_flag, False)
    _append(draft, "inputs", part, row)


def _add_material(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    part = _texts(row, "code", "title")
    reading = _Reading(errors, row)
    part["facts"] = reading.take("facts", read_list, [])
    if "when" in row.cells:
        part["when"] = reading.take("when", read_condition, None)
    _append(draft, "materials", part, row)


def _add_fact(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    part = _texts(row, "code", "title")
    reading = _Reading(errors, row)
    part["confirm"] = reading.take("confirm", _word(words.CONFIRM), "first")
    part["reuse_days"] = reading.take("reuse_days", _read_number, 0)
    part["on_change"] = reading.take("on_change", _word(words.ON_CHANGE), "notify")
    _append(draft, "facts", part | {"ways": []}, row)


def _add_way(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    facts = draft.document["facts"]
    code = row.cells.get("fact", "")
    number = next((n for n, each in enumerate(facts) if each.get("code") == code), None)
    reading = _Reading(errors, row)
    kind = reading.take("kind", _word(words.WAY_KINDS), None)
    if number is None:
        _note(errors, row.place("fact"), "UNKNOWN", f"the item has no fact {code!r}")
    if "kind" not in row.cells:
        _note(errors, row.place("kind"), "MISSING", "say which kind of way this is")
    if number is None or kind is None:
        return
    members = words.WAY_MEMBERS[kind]
    way: dict[str, Any] = {"kind": kind}
    for member, column in members.items():
        if column in row.cells:
            way[member] = reading.take(column, _WAY_READERS.get(column, str), None)
        elif column in {"keys", "assertions"}:
            way[member] = {}
    for column in row.cells.keys() - {"item", "fact", "kind", *members.values()}:
        detail = f"a way of the kind {words.WAY_KINDS[kind]} has nothing here; leave it empty"
        _note(errors, row.place(column), "SURPLUS", detail)
    ways = facts[number]["ways"]
    draft.rows[f"/facts/{number}/ways/{len(ways)}"] = (row, {**members, "kind": "kind"})
    ways.append(way)


def _add_form(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    name = row.cells.get("field", "")
    if name in draft.document["form"]:
        _note(errors, row.place("field"), "DUPLICATE", f"the field {name!r} has a row already")
    draft.document["form"][name] = row.cells.get("value", "")
    pointer = name.replace("~", "~0").replace("/", "~1")
    draft.rows[f"/form/{pointer}"] = (row, {})


def _add_example(draft: Draft, row: Row, errors: list[FieldError]) -> None:
    part = _texts(row, "name")
    reading = _Reading(errors, row)
    roles = reading.take("roles", read_pairs, {})
    kinds = _word(words.KINDS)
    part["roles"] = reading.take("roles", lambda _: {role: kinds(kind) for role, kind in roles.items()}, {})
    part["inputs"] = reading.take("inputs", read_pairs, {})
    part["required"] = reading.take("required", read_list, [])
    part["ways"] = reading.take("ways", _read_example_ways, {})
    _append(draft, "examples", part, row)


def _read_example_ways(text: str) -> dict[str, list[str]]:
    kinds = _word(words.WAY_KINDS)
    found: dict[str, list[str]] = {}
    for line in lines_of(text):
        name, mark, rest = line.partition("=")
        if not mark:
            msg = f"write FACT=KIND|KIND; {line[:80]!r} is none"
            raise ValueError(msg)
        found[name.strip()] = [kinds(each) for each in read_choice(rest)]
    return found


class _Reading:
    """Reads the cells of a row, and notes those that cannot be read."""

    def __init__(self, errors: list[FieldError], row: Row) -> None:
        self._errors, self._row = errors, row

    def take(self, column: str, read: Callable[[str], Any], default: Any) -> Any:
        """Return what a cell holds, or the default where it is empty or cannot be read."""
        if column not in self._row.cells:
            return default
        try:
            return read(self._row.cells[column])
        except ValueError as wrong:
            _note(self._errors, self._row.place(column), "CELL", str(wrong))
            return default


def _append(draft: Draft, member: str, part: dict[str, Any], row: Row) -> None:
    parts = draft.document[member]
    draft.rows[f"/{member}/{len(parts)}"] = (row, {name: name for name in words.SHEETS[row.sheet]})
    parts.append(part)


def _texts(row: Row, *names: str) -> dict[str, Any]:
    return {name: row.cells[name] for name in names if name in row.cells}


def _note(errors: list[FieldError], place: str, code: str, detail: str) -> None:
    errors.append(FieldError(pointer=place, code=code, detail=f"{_tell(place)}: {detail}"))


def _tell(place: str) -> str:
    sheet, number, *heading = place.removeprefix("/").split("/", 2)
    return f"sheet {sheet}, row {number}" + (f", column {heading[0]}" if heading else "")


def _word(known: Mapping[str, str]) -> Callable[[str], str]:
    """Read one of the words of an enumeration, or its value as the JSON has it."""

    def read(text: str) -> str:
        for value, word in known.items():
            if text in {value, word}:
                return value
        msg = f"not one of {', '.join(known.values())}"
        raise ValueError(msg)

    return read


def _read_flag(text: str) -> bool:
    if text not in {words.YES, words.NO}:
        msg = f"write {words.YES} or {words.NO}"
        raise ValueError(msg)
    return text == words.YES


def _read_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        msg = "not a whole number"
        raise ValueError(msg)
    return int(text)


_WAY_READERS: Mapping[str, Callable[[str], Any]] = {
    "keys": read_pairs,
    "assertions": read_pairs,
    "gives": read_pairs,
    "requires": read_requirements,
    "clean": _word(words.CLEAN),
    "days": _read_number,
    "max_age_days": _read_number,
}
_PARTS: Mapping[str, Callable[[Draft, Row, list[FieldError]], None]] = {
    words.ROLES: _add_role,
    words.INPUTS: _add_input,
    words.MATERIALS: _add_material,
    words.FACTS: _add_fact,
    words.WAYS: _add_way,
    words.FORM: _add_form,
    words.EXAMPLES: _add_example,
}
