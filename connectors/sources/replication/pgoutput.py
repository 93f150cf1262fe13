"""The messages of pgoutput, protocol version 1 (PostgreSQL manual, "Logical Replication Message Formats").

Bytes in, values out; nothing here talks to a server.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from connectors.errors import TerminalError

UNCHANGED: Final = b"u"


class Unchanged:
    """A value that is stored apart (TOAST) and was not changed; the message leaves it out."""


Values = tuple[str | Unchanged | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """A transaction begins, which commits at `lsn`."""

    lsn: int
    xid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A transaction is over; the log goes on at `end_lsn`."""

    end_lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a relation: its name, the OID of its type, the type's modifier, whether in the identity."""

    name: str
    type_oid: int
    modifier: int
    is_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What a table looks like from here on. `identity` is d(efault), n(othing), f(ull) or i(ndex)."""

    oid: int
    schema: str
    name: str
    identity: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row was inserted (I), updated (U) or deleted (D).

    `old` are the values before: all of them with REPLICA IDENTITY FULL, those of the identity (others null)
    where these changed or the row was deleted, else None.
    """

    kind: str
    relation: int
    new: Values | None = None
    old: Values | None = None
    is_old_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncate:
    """Tables were emptied."""

    relations: tuple[int, ...]


Message = Begin | Commit | Relation | Change | Truncate | None


def decode(data: bytes) -> Message:
    """Decode a message; None for those that say nothing about rows. Raises TerminalError for what is none."""
    reader = _Reader(data)
    try:
        return _decode(reader.take(1), reader)
    except (struct.error, UnicodeDecodeError, IndexError, ValueError):
        msg = "a message of the replication slot is not of pgoutput's form"
        raise TerminalError(msg) from None


def _decode(kind: bytes, reader: _Reader) -> Message:
    if kind == b"B":
        lsn, _, xid = reader.unpack("!QQI")
        return Begin(lsn=lsn, xid=xid)
    if kind == b"C":
        _, _, end_lsn, _ = reader.unpack("!BQQQ")
        return Commit(end_lsn=end_lsn)
    if kind == b"R":
        return _decode_relation(reader)
    if kind in {b"I", b"U", b"D"}:
        return _decode_change(kind.decode(), reader)
    if kind == b"T":
        count, _ = reader.unpack("!IB")
        return Truncate(relations=tuple(reader.unpack("!I")[0] for _ in range(count)))
    if kind in {b"O", b"Y", b"M"}:
        return None
    raise ValueError(kind)


def _decode_relation(reader: _Reader) -> Relation:
    (oid,) = reader.unpack("!I")
    schema, name, identity = reader.text() or "pg_catalog", reader.text(), reader.take(1).decode()
    (count,) = reader.unpack("!H")
    columns = []
    for _ in range(count):
        (flags,) = reader.unpack("!B")
        column = reader.text()
        type_oid, modifier = reader.unpack("!Ii")
        columns.append(Column(name=column, type_oid=type_oid, modifier=modifier, is_key=bool(flags & 1)))
    return Relation(oid=oid, schema=schema, name=name, identity=identity, columns=tuple(columns))


def _decode_change(kind: str, reader: _Reader) -> Change:
    (relation,) = reader.unpack("!I")
    old, mark = None, reader.take(1)
    is_whole = mark == b"O"
    if mark in {b"K", b"O"}:
        old = _decode_values(reader)
        mark = reader.take(1) if kind == "U" else b""
    if kind == "D":
        return Change(kind=kind, relation=relation, old=old, is_old_whole=is_whole)
    if mark != b"N":
        raise ValueError(mark)
    return Change(kind=kind, relation=relation, new=_decode_values(reader), old=old, is_old_whole=is_whole)


def _decode_values(reader: _Reader) -> Values:
    (count,) = reader.unpack("!H")
    values: list[str | Unchanged | None] = []
    for _ in range(count):
        mark = reader.take(1)
        if mark == b"n":
            values.append(None)
        elif mark == UNCHANGED:
            values.append(Unchanged())
        elif mark == b"t":
            (size,) = reader.unpack("!I")
            values.append(reader.take(size).decode())
        else:
            raise ValueError(mark)
    return tuple(values)


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def take(self, size: int) -> bytes:
        end = self._place + size
        if end > len(self._data):
            raise ValueError(size)
        piece, self._place = self._data[self._place : end], end
        return piece

    def unpack(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def text(self) -> str:
        end = self._data.index(b"\x00", self._place)
        text = self._data[self._place : end].decode()
        self._place = end + 1
        return text
