"""Structured field values after RFC 8941: items, inner lists, lists, dictionaries, strictly read and written.

Values in Python: bool, int, Decimal (at most three fractional digits), str (a quoted string), Token, bytes.
Parameters and dictionaries keep their order; a name given twice takes the last value, as the RFC demands.
Byte sequences must be padded, canonical base64. Reading takes time linear in the input.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NoReturn, TypeVar

from signing.errors import DecodeError, EncodeError


class Token(str):
    """A bare word, such as `gzip`: the same text as a quoted string is another value."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((Token, str(self)))

    def __repr__(self) -> str:
        return f"Token({str(self)!r})"


BareItem = bool | int | Decimal | str | Token | bytes
Parameters = Mapping[str, BareItem]


@dataclass(frozen=True, slots=True)
class Item:
    """A bare item and its parameters."""

    value: BareItem
    parameters: Parameters = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InnerList:
    """A list in parentheses and its parameters."""

    items: tuple[Item, ...]
    parameters: Parameters = field(default_factory=dict)


Member = Item | InnerList

Value = TypeVar("Value")

MAX_FIELD_CHARACTERS: Final = 32 * 1024  # far above any signature's; 64 KiB of tiny members took 60 ms
MAX_INTEGER: Final = 999_999_999_999_999
MAX_DECIMAL: Final = Decimal(999_999_999_999)
_THOUSANDTH: Final = Decimal("0.001")

_KEY: Final = re.compile(r"[a-z*][a-z0-9_.*-]*")
_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]*))?")
_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_TOKEN: Final = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_BYTES: Final = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_BOOLEAN: Final = re.compile(r"\?([01])")
_ESCAPE: Final = re.compile(r"\\(.)")
_SPACES: Final = re.compile(r" *")
_BLANKS: Final = re.compile(r"[ \t]*")
_QUOTABLE: Final = re.compile(r"[ -~]*")


def parse_item(text: str) -> Item:
    """Read an Item field; raise DecodeError for anything else."""
    return _parse_whole(text, _Reader.item)


def parse_list(text: str) -> tuple[Member, ...]:
    """Read a List field; raise DecodeError for anything else. The empty text is the empty list."""
    return _parse_whole(text, _Reader.list)


def parse_dictionary(text: str) -> dict[str, Member]:
    """Read a Dictionary field; raise DecodeError for anything else. The empty text is an empty one."""
    return _parse_whole(text, _Reader.dictionary)


def build_item(item: Item) -> str:
    """Write an item; raise EncodeError for a value outside the format's ranges."""
    return build_bare_item(item.value) + build_parameters(item.parameters)


def build_inner_list(inner: InnerList) -> str:
    """Write an inner list."""
    return f"({' '.join(map(build_item, inner.items))}){build_parameters(inner.parameters)}"


def build_list(members: Sequence[Member]) -> str:
    """Write a list."""
    return ", ".join(map(build_member, members))


def build_dictionary(members: Mapping[str, Member]) -> str:
    """Write a dictionary; a member that is true is written as its name alone."""
    parts = []
    for key, member in members.items():
        if isinstance(member, Item) and member.value is True:
            parts.append(_check_key(key) + build_parameters(member.parameters))
        else:
            parts.append(f"{_check_key(key)}={build_member(member)}")
    return ", ".join(parts)


def build_member(member: Member) -> str:
    """Write a member of a list or dictionary."""
    return build_inner_list(member) if isinstance(member, InnerList) else build_item(member)


def build_parameters(parameters: Parameters) -> str:
    """Write parameters, each after a semicolon; one that is true is written as its name alone."""
    return "".join(
        f";{_check_key(key)}" if value is True else f";{_check_key(key)}={build_bare_item(value)}"
        for key, value in parameters.items()
    )


def build_bare_item(value: BareItem) -> str:
    """Write a bare item."""
    if isinstance(value, bool):
        return f"?{value:d}"
    if isinstance(value, int):
        return _build_integer(value)
    if isinstance(value, Decimal):
        return _build_decimal(value)
    if isinstance(value, bytes):
        return f":{base64.b64encode(value).decode()}:"
    if isinstance(value, Token):
        return _build_matching(_TOKEN, str(value), "a token")
    text = _build_matching(_QUOTABLE, value, "a string of printable ASCII")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


class _Reader:
    """A text and how far it has been read."""

    __slots__ = ("at", "text")

    def __init__(self, text: str) -> None:
        if len(text) > MAX_FIELD_CHARACTERS:
            message = f"a structured field has at most {MAX_FIELD_CHARACTERS} characters"
            raise DecodeError(message)
        self.text = text
        self.at = 0

    def item(self) -> Item:
        value = self.bare_item()
        return Item(value, self.parameters())

    def member(self) -> Member:
        return self.inner_list() if self.peek() == "(" else self.item()

    def list(self) -> tuple[Member, ...]:
        members: list[Member] = []
        while self.more(first=not members):
            members.append(self.member())
        return tuple(members)

    def dictionary(self) -> dict[str, Member]:
        members: dict[str, Member] = {}
        first = True
        while self.more(first=first):
            key = self.key()
            if self.skip("="):
                members[key] = self.member()
            else:
                members[key] = Item(True, self.parameters())
            first = False
        return members

    def more(self, *, first: bool) -> bool:
        """Step over the comma before a member; tell whether one follows."""
        if first:
            return self.at < len(self.text)
        end = self.match(_BLANKS).end()
        if end == len(self.text):
            return False
        self.at = end
        if not self.skip(","):
            _refuse("A comma belongs between two members")
        self.at = self.match(_BLANKS).end()
        if self.at == len(self.text):
            _refuse("A member belongs after the last comma")
        return True

    def inner_list(self) -> InnerList:
        self.at += 1
        items: list[Item] = []
        while True:
            self.at = self.match(_SPACES).end()
            if self.skip(")"):
                return InnerList(tuple(items), self.parameters())
            if items and self.text[self.at - 1] != " ":
                _refuse("A space belongs between the items of an inner list")
            items.append(self.item())

    def parameters(self) -> dict[str, BareItem]:
        parameters: dict[str, BareItem] = {}
        while self.skip(";"):
            self.at = self.match(_SPACES).end()
            key = self.key()
            parameters[key] = self.bare_item() if self.skip("=") else True
        return parameters

    def key(self) -> str:
        return self.take(_KEY, "A name in small letters belongs")[0]

    def bare_item(self) -> BareItem:
        first = self.peek()
        if first == '"':
            return _ESCAPE.sub(r"\1", self.take(_STRING, "A quoted string belongs")[1])
        if first == ":":
            return _parse_base64(self.take(_BYTES, "A byte sequence between colons belongs")[1])
        if first == "?":
            return self.take(_BOOLEAN, "?0 or ?1 belongs")[1] == "1"
        if first == "-" or first.isdigit():
            return _parse_number(self.take(_NUMBER, "A number belongs"))
        return Token(self.take(_TOKEN, "An item belongs")[0])

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def skip(self, character: str) -> bool:
        found = self.peek() == character
        self.at += found
        return found

    def match(self, pattern: re.Pattern[str]) -> re.Match[str]:
        """Match a pattern that may be empty, and so always matches."""
        found = pattern.match(self.text, self.at)
        assert found is not None
        return found

    def take(self, pattern: re.Pattern[str], complaint: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None:
            _refuse(complaint)
        self.at = found.end()
        return found


def _parse_whole(text: str, parse: Callable[[_Reader], Value]) -> Value:
    if not text.isascii():
        _refuse("Only ASCII belongs")
    reader = _Reader(text.strip(" "))
    value = parse(reader)
    if reader.at != len(reader.text):
        _refuse("Nothing more belongs after the value")
    return value


def _parse_number(match: re.Match[str]) -> int | Decimal:
    sign, whole, fraction = match.groups()
    if fraction is None:
        if len(whole) > 15:
            _refuse("An integer of at most 15 digits belongs")
        return int(sign + whole)
    if len(whole) > 12 or not 1 <= len(fraction) <= 3:
        _refuse("A decimal of at most 12 digits and 1 to 3 fractional ones belongs")
    return Decimal(f"{sign}{whole}.{fraction}")


def _parse_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        _refuse("Base64 with its padding belongs", error)
    if base64.b64encode(data).decode() != text:
        _refuse("Base64 in its canonical spelling belongs")
    return data


def _build_integer(value: int) -> str:
    if abs(value) > MAX_INTEGER:
        message = "A structured field holds integers of at most 15 digits."
        raise EncodeError(message)
    return str(int(value))


def _build_decimal(value: Decimal) -> str:
    if (
        not value.is_finite()
        or abs(rounded := value.quantize(_THOUSANDTH, ROUND_HALF_EVEN)) >= MAX_DECIMAL + 1
    ):
        message = "A structured field holds decimals of at most 12 digits before the point."
        raise EncodeError(message)
    whole, _, fraction = f"{rounded:f}".partition(".")
    return f"{whole}.{fraction.rstrip('0') or '0'}"


def _build_matching(pattern: re.Pattern[str], text: str, kind: str) -> str:
    if not pattern.fullmatch(text):
        message = f"This text cannot be written as {kind} in a structured field."
        raise EncodeError(message)
    return text


def _check_key(key: str) -> str:
    return _build_matching(_KEY, key, "a name")


def _refuse(complaint: str, cause: Exception | None = None) -> NoReturn:
    message = f"{complaint} here; see RFC 8941 for how a structured field is written."
    raise DecodeError(message) from cause
