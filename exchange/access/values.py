"""Values from outside turned into what the columns hold, and back into JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from core.china_time import CHINA_TIME
from core.errors import BadInput
from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import CheckRule, Item

MAX_VALUE_CHARACTERS = 10_000
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_DAY = re.compile(r"(\d{4})(?:([-/.])(\d{1,2})\2(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))", re.ASCII)
_SECOND = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})", re.ASCII)
_BOOLEANS = {"true": True, "1": True, "是": True, "false": False, "0": False, "否": False}
SUBJECT_RULES = frozenset({CheckRule.CITIZEN_NUMBER, CheckRule.CREDIT_CODE})
_MAX_NUMBER_CHARACTERS = 60
_UNFIT = re.compile("[\x00\ud800-\udfff]")
_MAX_INTEGER_BITS = 128


def narrow_to_half(text: str) -> str:
    """Turn full-width letters, digits, signs and blanks (U+FF01–FF5E, U+3000) into their half-width forms."""
    if text.isascii():
        return text
    return "".join(
        chr(ord(character) - 0xFEE0) if "\uff01" <= character <= "\uff5e" else character
        for character in text.replace("\u3000", " ")
    )


def parse_value(item: Item, value: object) -> str | Decimal | date | datetime | bool:
    """Read a JSON value as one of `item`'s column. Raises BadInput, without the value, where it is none.

    Text is kept as it is, but for numbers of persons and bodies, which are brought to half width and upper
    case. Days are read as `20260102`, `2026-01-02`, `2026/1/2`, `2026.1.2` or `2026年1月2日`.
    """
    kind = parse_format(item.format).kind
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, str | float) or (
        isinstance(value, int) and value.bit_length() <= _MAX_INTEGER_BITS
    ):
        text = str(value)
    else:
        msg = f"the value for {item.name} must be text, a number or true/false"
        raise BadInput(msg)
    if len(text) > MAX_VALUE_CHARACTERS or _UNFIT.search(text):
        msg = f"the value for {item.name} is too long, or holds NUL or half a surrogate pair"
        raise BadInput(msg)
    if kind in {Kind.TEXT, Kind.DIGITS}:
        return _parse_text(item, text)
    plain = narrow_to_half(text).strip()
    if kind is Kind.DAY:
        return _parse_day(item, plain)
    if kind is Kind.SECOND:
        return _parse_second(item, plain)
    if kind is Kind.DECIMAL:
        return _parse_decimal(item, plain)
    if plain.lower() not in _BOOLEANS:
        msg = f"the value for {item.name} must be true or false"
        raise BadInput(msg)
    return _BOOLEANS[plain.lower()]


def _parse_text(item: Item, text: str) -> str:
    if item.check_rule in SUBJECT_RULES:
        return narrow_to_half(text).strip().upper()
    return text


def _parse_day(item: Item, text: str) -> date:
    found = _DAY.fullmatch(text)
    if found:
        year, month, day = (int(part) for part in found.groups() if part is not None and part.isdigit())
        try:
            return date(year, month, day)
        except ValueError:
            found = None
    msg = f"the value for {item.name} must be a day such as 2026-01-02"
    raise BadInput(msg)


def _parse_second(item: Item, text: str) -> datetime:
    try:
        if found := _SECOND.fullmatch(text):
            year, month, day, hour, minute, second = (int(part) for part in found.groups())
            moment = datetime(year, month, day, hour, minute, second, tzinfo=CHINA_TIME)
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=CHINA_TIME)
        moment.astimezone(UTC)  # as it is compared: there is no year 0, and none after 9999
    except (ValueError, OverflowError) as wrong:
        msg = f"the value for {item.name} must be a time such as 2026-01-02T03:04:05+08:00"
        raise BadInput(msg) from wrong
    return moment


def _parse_decimal(item: Item, text: str) -> Decimal:
    try:
        number = Decimal(text) if text.isascii() and len(text) <= _MAX_NUMBER_CHARACTERS else None
    except InvalidOperation:
        number = None
    if number is None or not number.is_finite() or abs(number.adjusted()) > _MAX_NUMBER_CHARACTERS:
        msg = f"the value for {item.name} must be a number such as 1234.50"
        raise BadInput(msg)
    return number


def render_value(value: object) -> str | bool | None:
    """Render a column's value as JSON: days and times after ISO 8601, decimals as exact text."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)


def name_subject(resource_key: tuple[Item, ...], values: dict[str, object]) -> str | None:
    """Return the personal or firm number among `values` of the key items; None where there is none."""
    for item in resource_key:
        if item.check_rule in SUBJECT_RULES and item.name in values:
            return str(values[item.name])
    return None


def subject_items(items: Iterable[Item]) -> set[str]:
    """Return the names of the items that hold a personal or firm number."""
    return {item.name for item in items if item.check_rule in SUBJECT_RULES}


def name_subjects(items: Sequence[Item], rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the personal and firm numbers that stand in rows, in their order, each once."""
    wanted = subject_items(items)
    named = [item.name for item in items if item.name in wanted]
    found = (row.get(name) for row in rows for name in named)
    return list(dict.fromkeys(str(value) for value in found if value is not None))


def name_identity(resource_code: str, subject: Mapping[str, object]) -> str:
    """Write one text for a resource and a subject of it; keyed hashes of it name budgets and evidence."""
    rendered = {name: render_value(value) for name, value in sorted(subject.items())}
    return _ENCODER.encode([resource_code, rendered])
