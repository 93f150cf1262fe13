"""Answers as documents: JSON with exact numbers, XML as nested values, and the records in them."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final
from xml.parsers import expat

from connectors.errors import TerminalError
from connectors.paths import find_value
from connectors.sources.http.model import HttpOptions

MAX_DEPTH: Final = 100
_ENCODING: Final = re.compile(rb"""^<\?xml[^>]*encoding=["'](?P<name>[A-Za-z0-9._-]+)["']""")


def read_document(body: bytes, kind: str) -> Any:
    """Read JSON or XML. Raises TerminalError that repeats nothing of it."""
    if kind == "xml":
        return parse_xml(body)
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError):
        msg = "the answer is no JSON"
        raise TerminalError(msg) from None


def find_records(document: Any, options: HttpOptions) -> list[Any]:
    """Return the records of an answer. Raises TerminalError where success is denied, or no list is there."""
    for path, wanted in options.success.items():
        if _as_text(find_value(document, path)) != wanted:
            msg = f"the service says no: {path} is not {wanted}"
            raise TerminalError(msg)
    kind = options.answer
    if options.unwrap is not None:
        inner = find_value(document, options.unwrap)
        if not isinstance(inner, str):
            msg = f"there is no text at {options.unwrap}"
            raise TerminalError(msg)
        kind = options.unwrapped
        document = read_document(inner.encode(), kind)
    return _list_records(document, options.records, is_xml=kind == "xml")


def _list_records(document: Any, path: str, *, is_xml: bool) -> list[Any]:
    above, _, last = path.rpartition(".")
    holder = find_value(document, above)
    found = find_value(document, path)
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [found]
    is_empty = isinstance(holder, dict) and last in holder and found is None
    if is_empty or (is_xml and (holder == "" or isinstance(holder, dict)) and found in {None, ""}):
        return []
    msg = f"there is no list of records at {path or 'the top'}"
    raise TerminalError(msg)


def parse_xml(body: bytes) -> Any:
    """Read XML as values: an element with others in it is a mapping of their names without prefixes, one
    that repeats a list, one of text the text; attributes are `@name`.

    Raises TerminalError for what is no XML, for a DOCTYPE, and for more than MAX_DEPTH elements in another.
    """
    reader = _Reader()
    found = _ENCODING.match(body.lstrip()[:200])
    parser = expat.ParserCreate("utf-8" if found is None else None)
    if found is not None and found["name"].lower() in {b"gbk", b"gb2312", b"gb18030"}:
        body, parser = _to_utf8(body), expat.ParserCreate("utf-8")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(body, True)
    except expat.ExpatError as trouble:
        msg = f"the answer is no XML (line {trouble.lineno})"
        raise TerminalError(msg) from None
    return reader.document


def _to_utf8(body: bytes) -> bytes:
    try:
        return body.decode("gb18030").encode()
    except UnicodeDecodeError:
        msg = "the answer is not of the encoding that it names"
        raise TerminalError(msg) from None


class _Reader:
    def __init__(self) -> None:
        self.document: dict[str, Any] = {}
        self._open: list[tuple[str, dict[str, Any], list[str]]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= MAX_DEPTH:
            msg = f"the answer has more than {MAX_DEPTH} elements in one another"
            raise TerminalError(msg)
        held = {f"@{_local(key)}": value for key, value in attributes.items() if not key.startswith("xmlns")}
        self._open.append((_local(name), held, []))

    def text(self, piece: str) -> None:
        self._open[-1][2].append(piece)

    def end(self, _name: str) -> None:
        name, held, pieces = self._open.pop()
        text = "".join(pieces)
        if held and text.strip():
            held["#text"] = text
        value: Any = held or text
        into = self._open[-1][1] if self._open else self.document
        if name not in into:
            into[name] = value
        elif isinstance(into[name], list):
            into[name].append(value)
        else:
            into[name] = [into[name], value]

    def refuse(self, *_: Any) -> None:
        msg = "the answer has a DOCTYPE, which is not read"
        raise TerminalError(msg)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _as_text(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _refuse(name: str) -> Any:
    raise ValueError(name)
