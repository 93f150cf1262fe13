"""Data of certificates from published rows, and the fingerprint that is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from certs.issue.model import IssueOrder, SourceFingerprint
from core.caller import Caller, Purpose
from core.errors import FieldError, SchemaViolation
from signing import sm3
from signing.canonical_json import build_canonical_json

MAX_ITEMS: Final = 200
FINGERPRINT_CONTEXT: Final = b"shuzheng-row/v1\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowReference:
    """A row of a published resource: all its key items, and which of its items fill which of the type's.

    `items` maps the certificate's item to the resource's.
    """

    resource_code: str
    keys: Mapping[str, str] = field(repr=False)
    items: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """One row as read: the resource's version, the text of each item asked for, and the row's keyed hash."""

    version: int
    row_key: bytes
    values: Mapping[str, str] = field(repr=False)


class ReadRow(Protocol):
    """Reads one row under the caller's own data or a grant; wired by the application.

    Raises GrantMissing, and NotFound unless there is exactly one such row.
    """

    async def __call__(
        self,
        *,
        resource_code: str,
        keys: Mapping[str, str],
        items: Sequence[str],
        caller: Caller,
        purpose: Purpose,
    ) -> SourceRow: ...


async def fill_from_row(
    order: IssueOrder, reference: RowReference, *, read_row: ReadRow, caller: Caller, purpose: Purpose
) -> IssueOrder:
    """Return the order with the row's values in its data, and the fingerprint of what was read.

    A value given in the order itself must not contradict the row's. Raises SchemaViolation, and what
    `read_row` raises.
    """
    if not 1 <= len(reference.items) <= MAX_ITEMS:
        detail = f"name 1 to {MAX_ITEMS} items"
        error = FieldError(pointer="/source/items", code="COUNT", detail=detail)
        raise SchemaViolation(detail, errors=(error,))
    row = await read_row(
        resource_code=reference.resource_code,
        keys=reference.keys,
        items=tuple(dict.fromkeys(reference.items.values())),
        caller=caller,
        purpose=purpose,
    )
    filled = {name: row.values.get(item, "") for name, item in reference.items.items()}
    contradicting = [name for name, value in filled.items() if order.data.get(name, value) != value]
    if contradicting:
        msg = "the order contradicts the row that it rests on; leave these items out of data"
        raise SchemaViolation(
            msg,
            errors=tuple(
                FieldError(pointer=f"/data/{name}", code="CONTRADICTS-SOURCE", detail=msg)
                for name in contradicting
            ),
        )
    fingerprint = SourceFingerprint(
        resource_code=reference.resource_code,
        version=row.version,
        row_sm3=build_fingerprint(reference, row),
        row_key=row.row_key,
    )
    return replace(order, data={**order.data, **filled}, source=fingerprint)


def build_fingerprint(reference: RowReference, row: SourceRow) -> bytes:
    """Return the SM3 of the row as read: resource, version, keys and values in canonical JSON (RFC 8785)."""
    read = {
        "resource": reference.resource_code,
        "version": row.version,
        "keys": dict(reference.keys),
        "values": dict(row.values),
    }
    return sm3.digest(FINGERPRINT_CONTEXT + build_canonical_json(read))
