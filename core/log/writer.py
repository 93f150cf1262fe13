"""Appending leaves in the transaction of the act that they record."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID, uuid4

from core.caller import Caller, Purpose
from core.database import Connection
from core.log import store
from core.log.model import Event, Leaf
from signing import sm3

HUB_ORGANISATION = "hub"
LEAF_PREFIX = b"\x00"


class LogWriter:
    """Writes leaves. Personal numbers enter it in clear and leave it as HMAC-SM3 under the hub's key."""

    def __init__(self, *, subject_key: bytes, now: Callable[[], datetime]) -> None:
        self._subject_key = subject_key
        self._now = now

    def hash_subject(self, subject: str) -> bytes:
        """Return the keyed hash under which a person's or firm's number appears in the log."""
        return sm3.hmac(self._subject_key, subject.encode())

    async def append(
        self,
        connection: Connection,
        *,
        event: Event,
        caller: Caller | None,
        purpose: Purpose | None = None,
        resource_code: str | None = None,
        grant_id: UUID | None = None,
        certificate_id: str | None = None,
        subject: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> UUID:
        """Append one leaf on `connection`, whose transaction must be that of the act. Returns its id.

        `details` must be JSON without floats, and must hold no personal numbers and no row contents;
        `subject` is a personal or firm number in clear, of which only the keyed hash is kept.
        `caller` None means the hub itself (command line, background work).
        """
        leaf_id = uuid4()
        recorded_at = self._now()
        subject_hmac = None if subject is None else self.hash_subject(subject)
        organisation_code = HUB_ORGANISATION if caller is None else str(caller.organisation_code)
        body = _build_body(
            {
                "id": str(leaf_id),
                "time": recorded_at.isoformat(timespec="microseconds"),
                "event": str(event),
                "organisation": organisation_code,
                "system": None if caller is None else str(caller.system_id),
                "operator": purpose and purpose.operator,
                "service_item": purpose and purpose.service_item,
                "case_number": purpose and purpose.case_number,
                "on_behalf_of": purpose and purpose.on_behalf_of,
                "resource": resource_code,
                "grant": None if grant_id is None else str(grant_id),
                "certificate": certificate_id,
                "subject_hmac": None if subject_hmac is None else subject_hmac.hex(),
                "details": dict(details or {}),
            }
        )
        await store.save_leaf(
            connection,
            leaf_id=leaf_id,
            recorded_at=recorded_at,
            event=event,
            organisation_code=organisation_code,
            system_id=None if caller is None else caller.system_id,
            purpose=purpose,
            resource_code=resource_code,
            grant_id=grant_id,
            certificate_id=certificate_id,
            subject_hmac=subject_hmac,
            body=body,
            leaf_hash=sm3.digest(LEAF_PREFIX + body.encode()),
        )
        return leaf_id


def _build_body(fields: Mapping[str, object]) -> str:
    """Write the canonical form: absent fields left out, keys sorted, no blanks, UTF-8."""
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps(present, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def describe_leaf(leaf: Leaf) -> dict[str, object]:
    """Render a leaf for the audit views."""
    return {
        "id": str(leaf.id),
        "index": leaf.leaf_index,
        "time": leaf.recorded_at.isoformat(),
        "event": str(leaf.event),
        "organisation": leaf.organisation_code,
        "operator": leaf.operator,
        "service_item": leaf.service_item,
        "case_number": leaf.case_number,
        "resource": leaf.resource_code,
        "grant": None if leaf.grant_id is None else str(leaf.grant_id),
        "certificate": leaf.certificate_id,
        "details": dict(leaf.details),
        "leaf_hash": leaf.leaf_hash.hex(),
    }
