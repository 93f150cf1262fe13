"""Writing service items as a workbook, by xlsxwriter; every cell is text, so nothing in it is a formula."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import xlsxwriter

from evidence.rules.document import dump_item
from evidence.rules.model import ServiceItem
from evidence.workbook import words
from evidence.workbook.cells import write_condition, write_list, write_pairs, write_requirements

Row = Mapping[str, str]
MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def write_workbook(items: Iterable[ServiceItem]) -> bytes:
    """Write items as `read_workbook` reads them."""
    rows: defaultdict[str, list[Row]] = defaultdict(list)
    for item in items:
        _add_item(rows, dump_item(item))
    explained = [{"column": column, "form": form} for column, form in words.EXPLAINED]
    sheets = {name: (columns, rows[name]) for name, columns in words.SHEETS.items()}
    return write_sheets(sheets | {words.WORD_SHEET: ({"column": "列", "form": "写法"}, explained)})


def write_sheets(sheets: Mapping[str, tuple[Mapping[str, str], Sequence[Row]]]) -> bytes:
    """Write sheets of texts: name → columns (member → heading) and rows."""
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "strings_to_formulas": False}) as book:
        bold = book.add_format({"bold": True})
        cell = book.add_format({"text_wrap": True, "num_format": "@", "valign": "top"})
        for name, (columns, rows) in sheets.items():
            sheet = book.add_worksheet(name)
            sheet.freeze_panes(1, 0)
            sheet.set_column(0, len(columns) - 1, 22, cell)
            for place, heading in enumerate(columns.values()):
                sheet.write_string(0, place, heading, bold)
            for number, row in enumerate(rows, start=1):
                for place, member in enumerate(columns):
                    if row.get(member):
                        sheet.write_string(number, place, row[member], cell)
    return out.getvalue()


def _add_item(rows: defaultdict[str, list[Row]], document: Mapping[str, Any]) -> None:
    code = document["code"]
    rows[words.ITEMS].append(
        {name: document[name] for name in ("code", "title", "office", "region")}
        | {"bundles": write_list(document.get("bundles", ()))}
    )
    parts: dict[str, tuple[str, Callable[[Mapping[str, Any]], Row]]] = {
        "roles": (words.ROLES, _write_role),
        "inputs": (words.INPUTS, _write_input),
        "materials": (words.MATERIALS, _write_material),
        "facts": (words.FACTS, _write_fact),
        "examples": (words.EXAMPLES, _write_example),
    }
    for member, (sheet, write) in parts.items():
        rows[sheet] += [{"item": code, **write(each)} for each in document.get(member, ())]
    rows[words.WAYS] += [
        {"item": code, "fact": fact["code"], **_write_way(way)}
        for fact in document["facts"]
        for way in fact["ways"]
    ]
    rows[words.FORM] += [
        {"item": code, "field": name, "value": value} for name, value in document.get("form", {}).items()
    ]


def _write_role(role: Mapping[str, Any]) -> Row:
    required = words.YES if role.get("required", True) else words.NO
    kind = words.KINDS[role.get("kind", "any")]
    return {"name": role["name"], "title": role["title"], "kind": kind, "required": required}


def _write_input(each: Mapping[str, Any]) -> Row:
    required = words.YES if each.get("required", False) else words.NO
    return {"name": each["name"], "title": each["title"], "required": required}


def _write_material(each: Mapping[str, Any]) -> Row:
    when = each.get("when")
    return {
        "code": each["code"],
        "title": each["title"],
        "facts": write_list(each["facts"]),
        "when": "" if when is None else write_condition(when),
    }


def _write_fact(fact: Mapping[str, Any]) -> Row:
    return {
        "code": fact["code"],
        "title": fact["title"],
        "confirm": words.CONFIRM[fact.get("confirm", "first")],
        "reuse_days": str(fact.get("reuse_days", 0)),
        "on_change": words.ON_CHANGE[fact.get("on_change", "notify")],
    }


def _write_way(way: Mapping[str, Any]) -> Row:
    row = {"kind": words.WAY_KINDS[way["kind"]]}
    for member, column in words.WAY_MEMBERS[way["kind"]].items():
        value = way.get(member)
        if value is None:
            continue
        match column:
            case "requires":
                row[column] = write_requirements(value)
            case "clean":
                row[column] = words.CLEAN[value]
            case _:
                row[column] = write_pairs(value) if isinstance(value, dict) else str(value)
    return row


def _write_example(each: Mapping[str, Any]) -> Row:
    roles = {role: words.KINDS[kind] for role, kind in each["roles"].items()}
    ways = {
        fact: [words.WAY_KINDS.get(kind, kind) for kind in kinds]
        for fact, kinds in each.get("ways", {}).items()
    }
    return {
        "name": each["name"],
        "roles": write_pairs(roles),
        "inputs": write_pairs(each.get("inputs", {})),
        "required": write_list(each["required"]),
        "ways": "\n".join(f"{fact}={write_list(kinds, '|')}" for fact, kinds in ways.items()),
    }
