"""Canonical JSON: one spelling for every value, so that it can be digested and signed.

The rules of RFC 8785 (JCS) for the types that records here are made of: objects, arrays, strings, integers
up to 2^53 - 1 either way, true, false and null. Numbers with a fraction are refused: money and measures
travel as strings. Members stand in the order of their names' UTF-16 code units, without blanks; strings
escape only what JSON demands; the bytes are UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from signing.errors import DecodeError, EncodeError

MAX_SAFE_INTEGER: Final = 2**53 - 1
MAX_DEPTH: Final = 64
MAX_DENSE_VALUES: Final = 40_000
BYTES_PER_VALUE: Final = 24
_SORTER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True)
_CONTAINERS: Final = frozenset({dict, list})
_PLAIN: Final = frozenset({type(None), bool, str})
_MAX_INTEGER_DIGITS: Final = 17
_FIRST_SURROGATE: Final = "\ud800"

JsonValue = None | bool | int | str | list["JsonValue"] | tuple["JsonValue", ...] | Mapping[str, "JsonValue"]

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def build_canonical_json(value: object) -> bytes:
    """Write a value canonically; raise EncodeError for what has no canonical form here."""
    try:
        if type(value) in _PLAIN or _is_plain(value, MAX_DEPTH):
            return _SORTER.encode(value).encode()
        return _ENCODER.encode(_ordered(value, MAX_DEPTH)).encode()
    except UnicodeEncodeError as error:
        message = "A string holds half of a surrogate pair, which has no UTF-8 form."
        raise EncodeError(message) from error


def parse_json(data: bytes) -> JsonValue:
    """Read JSON of the same types in any spelling; raise DecodeError for anything else.

    Refused, because two readers may understand them differently: a member named twice, a fraction or
    exponent, an integer beyond 2^53 - 1, text that is not UTF-8, nesting deeper than 64. Refused too, so that
    no input takes longer than its bytes allow for: more than MAX_DENSE_VALUES values where there are fewer
    than BYTES_PER_VALUE bytes to each.
    """
    return _parse(data, _unique)


def _parse(data: bytes, build_object: Callable[[list[tuple[str, object]]], dict[str, object]]) -> JsonValue:
    try:
        _check_density(data)
        value = json.loads(
            data.decode(),
            object_pairs_hook=build_object,
            parse_int=_parse_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
        _check_depth(value)
        if b"\\u" in data:
            _ENCODER.encode(value).encode()  # an escape may stand for half of a surrogate pair
    except (ValueError, RecursionError) as error:
        message = "This is not JSON of objects, arrays, strings, safe integers, booleans and null."
        raise DecodeError(message) from error
    checked: JsonValue = value
    return checked


def parse_canonical_json(data: bytes) -> JsonValue:
    """Read JSON that must be spelt canonically; raise DecodeError otherwise."""
    value = _parse(data, _unique_in_order)
    if _ENCODER.encode(value).encode() != data:
        message = "This JSON is not in its canonical form."
        raise DecodeError(message)
    return value


def _check_density(data: bytes) -> None:
    """Refuse what would be too many values, counting what may stand before one."""
    if len(data) <= MAX_DENSE_VALUES:
        return
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    if values > max(MAX_DENSE_VALUES, len(data) // BYTES_PER_VALUE):
        message = f"more than {MAX_DENSE_VALUES} values in fewer than {BYTES_PER_VALUE} bytes each"
        raise ValueError(message)


def _check_depth(value: object) -> None:
    """Refuse nesting deeper than MAX_DEPTH, looking at one level of the whole value after the other."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(MAX_DEPTH + 1):
        if not level:
            return
        level = [
            inner
            for each in level
            for inner in (each.values() if type(each) is dict else each)  # type: ignore[attr-defined]
            if type(inner) in _CONTAINERS
        ]
    message = "too deep"
    raise ValueError(message)


def _is_plain(value: object, depth: int) -> bool:
    """Tell whether a value is of the exact types that JSON has, with names that C sorts as we must.

    Looks at one level of the whole value after the other. False is no verdict: `_ordered` gives that.
    """
    level: list[Any] = [value]
    for _ in range(depth):
        inner: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                if not _names_sort_alike(each):
                    return False
                inner += each.values()
            elif kind is list or kind is tuple:
                inner += each
            elif kind is not int or not -MAX_SAFE_INTEGER <= each <= MAX_SAFE_INTEGER:
                return False
        level = [each for each in inner if type(each) not in _PLAIN]
        if not level:
            return True
    return False


def _names_sort_alike(value: dict[Any, object]) -> bool:
    """Tell whether all names are text that sorts by code points, as C has it, and by UTF-16 units alike."""
    try:
        names = "".join(value)
    except TypeError:
        return False
    return names.isascii() or max(names) < _FIRST_SURROGATE


def _ordered(value: object, depth: int) -> object:
    """Check a value's types and put the members of its objects in order."""
    if type(value) in _PLAIN or isinstance(value, str):
        return value
    if isinstance(value, int):
        return _safe_integer(value)
    if depth == 0:
        message = f"Values nest deeper than {MAX_DEPTH} levels."
        raise EncodeError(message)
    if type(value) is dict or isinstance(value, Mapping):
        return {name: _ordered(value[name], depth - 1) for name in _order_of_names(value)}
    if isinstance(value, list | tuple):
        return [_ordered(each, depth - 1) for each in value]
    message = f"A {type(value).__name__} has no canonical JSON form; give text or an integer."
    raise EncodeError(message)


def _order_of_names(value: Mapping[Any, object]) -> list[str]:
    if not value:
        return []
    names = [name for name in value if isinstance(name, str)]
    if len(names) != len(value):
        message = "The names of an object's members must be text."
        raise EncodeError(message)
    # Below U+D800 code points and UTF-16 code units sort alike, so plain sorting is right for most names.
    if len(names) == 1 or "".join(names).isascii():
        return sorted(names)
    return sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))


def _safe_integer(value: int) -> int:
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        message = "An integer beyond 2^53 - 1 is read differently by different programs; give it as text."
        raise EncodeError(message)
    return int(value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        message = "a member is named twice"
        raise ValueError(message)
    return members


def _unique_in_order(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object whose members must stand in the order of their names' UTF-16 code units."""
    members = _unique(pairs)
    if len(members) > 1 and list(members) != _order_of_names(members):
        message = "members out of order"
        raise ValueError(message)
    return members


def _parse_integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS or text == "-0":
        return _refuse_number(text)
    value = int(text)
    return value if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else _refuse_number(text)


def _refuse_number(text: str) -> int:
    message = f"the number {text[:20]} is not a safe integer"
    raise ValueError(message)
