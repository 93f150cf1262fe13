"""The body of a leaf: built of its members, in canonical form, and read back."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from uuid import UUID

from core.log.model import Event, Leaf
from core.log.privacy import contains_number
from signing import sm3
from signing.merkle.hashing import HashSuite

MAX_BODY_BYTES: Final = 40_000  # with the links of 200 chains an entry stays within C2SP's 65,535 bytes
Known = tuple[UUID, datetime, Sequence[bytes]]
_encode: Final = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
).encode


def build_leaf_id(at: datetime) -> UUID:
    """Make a leaf's id: a UUID of version 7 (RFC 9562 5.7); its 74 random bits also salt the leaf's hash."""
    milliseconds = int(at.timestamp() * 1000)
    random = secrets.randbits(74)
    value = milliseconds << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & ((1 << 62) - 1)
    return UUID(int=value)


def name_subjects(subjects: Sequence[bytes]) -> dict[str, object]:
    """Write subjects as members of a body: `subject_hmac` for one, `subjects` for several."""
    if len(subjects) == 1:
        return {"subject_hmac": subjects[0].hex()}
    return {"subjects": [each.hex() for each in subjects]} if subjects else {}


def build_leaf(
    members: Mapping[str, object],
    *,
    suite: HashSuite,
    mask: Callable[[str], str],
    known: Known | None = None,
) -> Leaf:
    """Build a leaf from the members of its body; absent ones are left out.

    `known` are those that the caller has as what they are written from: id, time and subjects.
    """
    present = {name: value for name, value in members.items() if value is not None}
    body = render_body(present)
    if contains_number(body):
        body = mask(body)
        present = json.loads(body)
    octets = body.encode()
    if len(octets) > MAX_BODY_BYTES:
        body = mask(render_body(present | {"details": _shorten(present["details"])}))
        present, octets = json.loads(body), body.encode()
    leaf_hash = suite.leaf_hash(octets)
    return _read_members(present, body=body, leaf_hash=leaf_hash, leaf_index=None, known=known)


def render_body(members: Mapping[str, object]) -> str:
    """Write the canonical form: keys sorted, no blanks, UTF-8."""
    return _encode(members)


def read_body(body: str, *, leaf_hash: bytes, leaf_index: int | None = None) -> Leaf:
    """Read the fields of a leaf out of its body. Raises ValueError or KeyError for what is no body."""
    return _read_members(json.loads(body), body=body, leaf_hash=leaf_hash, leaf_index=leaf_index)


def _read_members(
    members: Mapping[str, Any],
    *,
    body: str,
    leaf_hash: bytes,
    leaf_index: int | None,
    known: Known | None = None,
) -> Leaf:
    leaf_id, recorded_at, subjects = known or _read_known(members)
    return Leaf(
        id=leaf_id,
        recorded_at=recorded_at,
        event=Event(members["event"]),
        organisation_code=members["organisation"],
        system_id=_read_uuid(members["system"]) if "system" in members else None,
        operator=members.get("operator"),
        service_item=members.get("service_item"),
        case_number=members.get("case_number"),
        on_behalf_of=members.get("on_behalf_of"),
        owner_code=members.get("owner"),
        resource_code=members.get("resource"),
        grant_id=_read_uuid(members["grant"]) if "grant" in members else None,
        certificate_id=members.get("certificate"),
        subjects=tuple(subjects),
        details=members.get("details", {}),
        body=body,
        leaf_hash=leaf_hash,
        leaf_index=leaf_index,
        person=members.get("person"),
    )


def _read_known(members: Mapping[str, Any]) -> Known:
    one, several = members.get("subject_hmac"), members.get("subjects", [])
    subjects = [bytes.fromhex(each) for each in ([one] if one else several)]
    return UUID(members["id"]), datetime.fromisoformat(members["time"]), subjects


@lru_cache(maxsize=10_000)
def _read_uuid(text: str) -> UUID:
    """Read the id of a system or a grant: few of them stand in many leaves."""
    return UUID(text)


def _shorten(details: object) -> dict[str, object]:
    """Replace long lists in details by their length and digest, so that a leaf stays within its limit."""
    assert isinstance(details, dict)
    return {name: _shorten_value(value) for name, value in details.items()}


def _shorten_value(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) > 50:
        digest = sm3.digest(render_body({"list": list(value)}).encode()).hex()
        return [*value[:50], f"… {len(value)} in all, SM3 {digest}"]
    return value


def describe_leaf(leaf: Leaf) -> dict[str, object]:
    """Render a leaf for the audit views."""
    return {
        "id": str(leaf.id),
        "index": leaf.leaf_index,
        "time": leaf.recorded_at.isoformat(),
        "event": str(leaf.event),
        "organisation": leaf.organisation_code,
        "system": None if leaf.system_id is None else str(leaf.system_id),
        "person": leaf.person,
        "operator": leaf.operator,
        "service_item": leaf.service_item,
        "case_number": leaf.case_number,
        "on_behalf_of": leaf.on_behalf_of,
        "owner": leaf.owner_code,
        "resource": leaf.resource_code,
        "grant": None if leaf.grant_id is None else str(leaf.grant_id),
        "certificate": leaf.certificate_id,
        "details": dict(leaf.details),
        "leaf_hash": leaf.leaf_hash.hex(),
    }
