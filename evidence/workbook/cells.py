"""The small languages of cells: pairs, lists, requirements and conditions, read and written.

A value that could be taken for something else stands in double quotes, as a JSON string.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

MAX_DEPTH: Final = 12
_TOKEN: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[(),|]|[^\s"(),|]+)')
_DECODER: Final = json.JSONDecoder()


def write_pairs(pairs: Mapping[str, str]) -> str:
    """Write `name=value` lines."""
    return "\n".join(f"{quote(name)}={quote(value)}" for name, value in pairs.items())


def read_pairs(text: str) -> dict[str, str]:
    """Read `name=value` lines. Raises ValueError."""
    found: dict[str, str] = {}
    for line in lines_of(text):
        name, rest = _take_name(line, "=")
        if not rest.startswith("="):
            msg = f"write name=value; {line[:80]!r} is none"
            raise ValueError(msg)
        if name in found:
            msg = f"{name!r} is here twice"
            raise ValueError(msg)
        found[name] = _read_value(rest[1:].strip())
    return found


def write_list(values: Iterable[str], mark: str = "\n") -> str:
    """Write values, a line each or with another mark between them."""
    return mark.join(quote(value) for value in values)


def read_list(text: str) -> list[str]:
    """Read values, a line each. Raises ValueError."""
    return [_read_value(line) for line in lines_of(text)]


def read_choice(text: str) -> list[str]:
    """Read values with `|` between them; none for a blank text. Raises ValueError."""
    if not text.strip():
        return []
    values, rest = [], text.strip()
    while True:
        value, rest = _take_name(rest, "|")
        values.append(value)
        if not rest:
            return values
        if not rest.startswith("|"):
            msg = "write | between values"
            raise ValueError(msg)
        rest = rest[1:].strip()


def write_requirements(requirements: Sequence[Mapping[str, Any]]) -> str:
    """Write requirements, a line each."""
    return "\n".join(map(_write_requirement, requirements))


def _write_requirement(each: Mapping[str, Any]) -> str:
    name, values = quote(each["item"]), each.get("values", [])
    match each["test"]:
        case "equals":
            return f"{name} = {quote(values[0])}" if len(values) == 1 else f"{name} equals {len(values)}"
        case "one_of":
            return f"{name} in {write_list(values, '|')}"
        case other:
            return f"{name} {other}"


def read_requirements(text: str) -> list[dict[str, Any]]:
    """Read requirements, a line each. Raises ValueError."""
    return [_read_requirement(line) for line in lines_of(text)]


def _read_requirement(line: str) -> dict[str, Any]:
    name, rest = _take_name(line, "= ")
    rest = rest.strip()
    if rest.startswith("="):
        return {"item": name, "test": "equals", "values": [_read_value(rest[1:].strip())]}
    word, _, values = rest.partition(" ")
    if word == "in":
        return {"item": name, "test": "one_of", "values": read_choice(values)}
    if word in {"not_past", "filled"} and not values:
        return {"item": name, "test": word}
    msg = f"write ITEM = VALUE, ITEM in A|B, ITEM not_past or ITEM filled; {line[:80]!r} is none"
    raise ValueError(msg)


def write_condition(node: Mapping[str, Any]) -> str:
    """Write a condition in one line."""
    match node["kind"]:
        case "role":
            kind = node.get("is_a", "any")
            return f"role {quote(node['role'])}" + ("" if kind == "any" else f" is {kind}")
        case "input":
            values = node.get("one_of", [])
            end = f" in {write_list(values, '|')}" if values else ""
            return f"input {quote(node['input'])}{end}"
        case kind:
            return f"{kind}({', '.join(map(write_condition, node['of']))})"


def read_condition(text: str) -> dict[str, Any]:
    """Read what `write_condition` writes. Raises ValueError that says where it ends to make sense."""
    tokens = _tokenise(text)
    node = _parse_condition(tokens, 0)
    if tokens:
        msg = f"{tokens[0]!r} is too much at the end of the condition"
        raise ValueError(msg)
    return node


def _tokenise(text: str) -> list[str]:
    tokens, place = [], 0
    text = text.strip()
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            msg = "a quote is not closed"
            raise ValueError(msg)
        tokens.append(found[1])
        place = found.end()
    return tokens


def _parse_condition(tokens: list[str], depth: int) -> dict[str, Any]:
    if depth > MAX_DEPTH:
        msg = f"nested more than {MAX_DEPTH} deep"
        raise ValueError(msg)
    word = _next(tokens, "a condition")
    match word:
        case "role":
            node: dict[str, Any] = {"kind": "role", "role": _value(tokens)}
            if tokens[:1] == ["is"]:
                tokens.pop(0)
                node["is_a"] = _value(tokens)
            return node
        case "input":
            node = {"kind": "input", "input": _value(tokens)}
            if tokens[:1] == ["in"]:
                tokens.pop(0)
                node["one_of"] = [_value(tokens)]
                while tokens[:1] == ["|"]:
                    tokens.pop(0)
                    node["one_of"].append(_value(tokens))
            return node
        case "all" | "any" | "none":
            return {"kind": word, "of": _parse_parts(tokens, depth)}
    msg = f"a condition begins with role, input, all(, any( or none(; not with {word!r}"
    raise ValueError(msg)


def _parse_parts(tokens: list[str], depth: int) -> list[dict[str, Any]]:
    _expect(tokens, "(")
    parts: list[dict[str, Any]] = []
    while tokens[:1] != [")"]:
        if parts:
            _expect(tokens, ",")
        parts.append(_parse_condition(tokens, depth + 1))
    tokens.pop(0)
    return parts


def _next(tokens: list[str], wanted: str) -> str:
    if not tokens:
        msg = f"{wanted} is missing at the end"
        raise ValueError(msg)
    return tokens.pop(0)


def _expect(tokens: list[str], mark: str) -> None:
    found = _next(tokens, repr(mark))
    if found != mark:
        msg = f"expected {mark!r}, found {found!r}"
        raise ValueError(msg)


def _value(tokens: list[str]) -> str:
    token = _next(tokens, "a value")
    if token in {"(", ")", ",", "|"}:
        msg = f"expected a value, found {token!r}"
        raise ValueError(msg)
    return _read_value(token)


def quote(text: str) -> str:
    """Write a value plainly where it can only be taken for itself, else as a JSON string."""
    return text if re.fullmatch(r'[^\s"(),|=]+', text) else json.dumps(text, ensure_ascii=False)


def lines_of(text: str) -> list[str]:
    """Return the lines that are not blank."""
    return [line.strip() for line in text.replace("\r", "\n").split("\n") if line.strip()]


def _take_name(line: str, marks: str) -> tuple[str, str]:
    """Split off a value that ends before any of the marks, or is quoted; return it and the rest."""
    if line.startswith('"'):
        try:
            name, end = _DECODER.raw_decode(line)
        except ValueError as wrong:
            msg = f"a quote is not closed, or no JSON string: {line[:80]!r}"
            raise ValueError(msg) from wrong
        return str(name), line[end:].strip()
    end = min((place for mark in marks if (place := line.find(mark)) >= 0), default=len(line))
    name = line[:end].strip()
    if not name:
        msg = f"a name or value is missing in {line[:80]!r}"
        raise ValueError(msg)
    return name, line[end:].strip()


def _read_value(text: str) -> str:
    if not text.startswith('"'):
        return text
    try:
        return str(json.loads(text))
    except ValueError as wrong:
        msg = f"a quote is not closed, or no JSON string: {text[:80]!r}"
        raise ValueError(msg) from wrong
