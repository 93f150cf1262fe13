"""Certificate types as two tables, one row per type and one per item: the shape of the Excel workbook.

Headings are Chinese, or the English names beside them; columns may stand in any order. Values that are codes
(levels, holder categories, yes and no) are understood in both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from certs.types.model import (
    BodyLevel,
    CertificateItem,
    CertificateType,
    HolderCategory,
    ServiceItem,
)
from core.errors import FieldError

TYPES_SHEET: Final = "证照类型"
ITEMS_SHEET: Final = "数据项"
TYPE_COLUMNS: Final = {
    "code": "证照类型代码",
    "version": "版本",
    "name": "证照类型名称",
    "defining_body": "证照定义机构",
    "defining_level": "证照定义机构级别",
    "holder_category": "持证主体类别",
    "issuing_level": "证照颁发机构级别",
    "validity_range": "有效期限范围",
    "end_required": "须有截止日期",
    "max_years": "最长年限",
    "template": "版式模板",
    "related_items": "关联事项",
    "service_items": "用证事项",
}
ITEM_COLUMNS: Final = {
    "code": "证照类型代码",
    "name": "数据项名称",
    "title": "中文名称",
    "format": "格式",
    "is_required": "必填",
    "is_sensitive": "敏感",
    "allowed": "值域",
}
LEVELS: Final = {
    BodyLevel.NATIONAL: "国家级",
    BodyLevel.PROVINCIAL: "省部级",
    BodyLevel.CITY: "地市级",
    BodyLevel.COUNTY: "区县级",
    BodyLevel.TOWNSHIP: "乡镇级",
    BodyLevel.OTHER: "其他",
}
CATEGORIES: Final = {
    HolderCategory.NATURAL_PERSON: "自然人",
    HolderCategory.LEGAL_PERSON: "法人",
    HolderCategory.MIXED: "混合",
    HolderCategory.OTHER: "其他",
}
_YES: Final = frozenset({"是", "yes", "true", "1", "y"})
_NO: Final = frozenset({"否", "no", "false", "0", "n", ""})
_PLAIN: Final = "\n"
"""Between entries in one cell."""

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A type as it came in: where from, and its version where one was stated."""

    place: str
    kind: CertificateType
    version: int | None


def write_type_row(kind: CertificateType) -> list[str]:
    """Write a type as a row, in the order of TYPE_COLUMNS."""
    return [
        kind.code,
        str(kind.version),
        kind.name,
        kind.defining_body,
        LEVELS[kind.defining_level],
        CATEGORIES[kind.holder_category],
        LEVELS[kind.issuing_level],
        kind.validity_range,
        "是" if kind.end_required else "否",
        "" if kind.max_years is None else str(kind.max_years),
        kind.template or "",
        _write_services(kind.related_items),
        _write_services(kind.service_items),
    ]


def write_item_rows(kind: CertificateType) -> Iterator[list[str]]:
    """Write the items of a type as rows, in the order of ITEM_COLUMNS."""
    for item in kind.items:
        flags = ["是" if flag else "否" for flag in (item.is_required, item.is_sensitive)]
        yield [kind.code, item.name, item.title, item.format, *flags, _PLAIN.join(item.allowed)]


def _write_services(items: Sequence[ServiceItem]) -> str:
    return _PLAIN.join(f"{item.code} {item.name}".strip() for item in items)


def read_drafts(
    types: Sequence[tuple[int, Row]], items: Sequence[tuple[int, Row]]
) -> tuple[list[Draft], list[FieldError]]:
    """Read rows, each with its number in the sheet, into types, with an error for each unreadable cell."""
    reader = _Reader()
    by_code: dict[str, list[CertificateItem]] = {}
    for number, row in items:
        by_code.setdefault(row.get("code", ""), []).append(reader.read_item(number, row))
    drafts = [
        reader.read_type(number, row, tuple(by_code.get(row.get("code", ""), ()))) for number, row in types
    ]
    reader.errors += find_repeated(drafts)
    seen = {draft.kind.code for draft in drafts}
    for number, row in items:
        if row.get("code", "") not in seen:
            pointer = f"/{ITEMS_SHEET}/{number}/code"
            detail = "the sheet of types has no type of this code"
            reader.errors.append(FieldError(pointer=pointer, code="UNKNOWN-TYPE", detail=detail))
    return drafts, reader.errors


def find_repeated(drafts: Sequence[Draft]) -> list[FieldError]:
    """Return an error for every type that comes again."""
    errors, seen = [], dict[str, str]()
    for draft in drafts:
        if draft.kind.code in seen:
            detail = f"the type is already in {seen[draft.kind.code]}"
            errors.append(FieldError(pointer=f"{draft.place}/code", code="DUPLICATE", detail=detail))
        seen.setdefault(draft.kind.code, draft.place)
    return errors


class _Reader:
    """Reads cells and collects what is wrong."""

    def __init__(self) -> None:
        self.errors: list[FieldError] = []

    def read_type(self, number: int, row: Row, items: tuple[CertificateItem, ...]) -> Draft:
        place = f"/{TYPES_SHEET}/{number}"
        kind = CertificateType(
            code=row.get("code", ""),
            name=row.get("name", ""),
            defining_body=row.get("defining_body", ""),
            defining_level=self._level(place, row, "defining_level"),
            holder_category=self._category(place, row),
            issuing_level=self._level(place, row, "issuing_level"),
            validity_range=row.get("validity_range", ""),
            end_required=self._flag(place, row, "end_required"),
            max_years=self._number(place, row, "max_years"),
            template=row.get("template") or None,
            related_items=_read_services(row.get("related_items", "")),
            service_items=_read_services(row.get("service_items", "")),
            items=items,
        )
        return Draft(place=place, kind=kind, version=self._number(place, row, "version"))

    def read_item(self, number: int, row: Row) -> CertificateItem:
        place = f"/{ITEMS_SHEET}/{number}"
        return CertificateItem(
            name=row.get("name", ""),
            title=row.get("title", ""),
            format=row.get("format", ""),
            is_required=self._flag(place, row, "is_required"),
            is_sensitive=self._flag(place, row, "is_sensitive"),
            allowed=tuple(line.strip() for line in row.get("allowed", "").splitlines() if line.strip()),
        )

    def _level(self, place: str, row: Row, name: str) -> BodyLevel:
        value = row.get(name, "")
        words = {
            **{word: level for level, word in LEVELS.items()},
            **{str(level): level for level in BodyLevel},
        }
        if value and value not in words:
            self._refuse(place, name, f"is one of {', '.join(LEVELS.values())}")
        return words.get(value, BodyLevel.OTHER)

    def _category(self, place: str, row: Row) -> HolderCategory:
        value = row.get("holder_category", "")
        words = {word: category for category, word in CATEGORIES.items()}
        words |= {str(category): category for category in HolderCategory}
        if value not in words:
            self._refuse(place, "holder_category", f"is one of {', '.join(CATEGORIES.values())}")
        return words.get(value, HolderCategory.OTHER)

    def _flag(self, place: str, row: Row, name: str) -> bool:
        value = row.get(name, "").lower()
        if value not in _YES | _NO:
            self._refuse(place, name, "is 是 or 否")
        return value in _YES

    def _number(self, place: str, row: Row, name: str) -> int | None:
        value = row.get(name, "")
        if not value:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 6):
            self._refuse(place, name, "is a whole number")
            return None
        return int(value)

    def _refuse(self, place: str, name: str, detail: str) -> None:
        self.errors.append(FieldError(pointer=f"{place}/{name}", code="CELL", detail=detail))


def _read_services(cell: str) -> tuple[ServiceItem, ...]:
    """Read service items, one a line: code, blank, name."""
    parts = [line.strip().partition(" ") for line in cell.splitlines() if line.strip()]
    return tuple(ServiceItem(code=code, name=name.strip()) for code, _, name in parts)
