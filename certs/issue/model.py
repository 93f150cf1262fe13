"""The domain words of issued certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from certs.types.model import HolderCodeType
from core.caller import OrganisationCode

"""Days on the face of a certificate are days of this zone (GB/T 7408, UTC+8)."""


class CertificateStatus(StrEnum):
    """What a certificate is worth. `expired` is never stored: it follows from the last day of validity."""

    NOT_ACTIVATED = "not_activated"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    WITHDRAWN = "withdrawn"


_S = CertificateStatus
TRANSITIONS: Final[dict[CertificateStatus, frozenset[CertificateStatus]]] = {
    _S.NOT_ACTIVATED: frozenset({_S.ACTIVE, _S.CANCELLED, _S.WITHDRAWN}),
    _S.ACTIVE: frozenset({_S.SUSPENDED, _S.CANCELLED, _S.REVOKED, _S.WITHDRAWN}),
    _S.SUSPENDED: frozenset({_S.ACTIVE, _S.CANCELLED, _S.REVOKED, _S.WITHDRAWN}),
    _S.SUPERSEDED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REVOKED: frozenset(),
    _S.WITHDRAWN: frozenset(),
}
"""Which status an issuer may set. `superseded` comes from issuing a successor, and only from that."""

REPLACEABLE: Final = frozenset({_S.NOT_ACTIVATED, _S.ACTIVE, _S.SUSPENDED})
"""Statuses in which a certificate may be corrected or renewed by a successor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds a certificate (持证主体), named by a number of a known kind."""

    name: str
    code: str = field(repr=False)
    code_type: HolderCodeType


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFingerprint:
    """The row that a certificate's data rest on: resource, version, and the SM3 of what was read.

    `row_key` is the keyed hash of resource and key values, by which it is found where the row changes.
    """

    resource_code: str
    version: int
    row_sm3: bytes
    row_key: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueOrder:
    """A certificate to issue.

    `data` holds the items of the type, as text. `valid_until` None means no fixed end; the last day
    counts as valid. `predecessor` is the identifier of the certificate that this one corrects or renews.
    `with_timestamp` adds a time stamp of the hub's authority to the seal's signature.
    """

    type_code: str
    holder: Holder
    number: str
    data: Mapping[str, str] = field(repr=False)
    issued_on: date
    valid_from: date
    valid_until: date | None = None
    service_item: str | None = None
    case_number: str | None = None
    predecessor: str | None = None
    seal_id: UUID | None = None
    is_active: bool = True
    with_timestamp: bool = False
    source: SourceFingerprint | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """An issued certificate, as registered.

    `status` is as stored; ask `status_on` for what it means on a day. `digest_sm3` is that of the file,
    `sealed_sm3` that of the signature's description file, which covers every sealed file of the package:
    it stays the same when the package is zipped again. The file is the `size_bytes` octets from
    `object_offset` on of its object, which may hold those of others as well.
    """

    identifier: str
    type_code: str
    type_version: int
    type_name: str
    number: str
    version: int
    holder: Holder
    issuer_code: OrganisationCode
    issuer_name: str
    status: CertificateStatus
    predecessor: str | None
    successor: str | None
    issued_on: date
    valid_from: date
    valid_until: date | None
    data: Mapping[str, str] = field(repr=False)
    qr_payload: str
    service_item: str | None
    case_number: str | None
    seal_id: UUID
    object_key: str
    object_offset: int
    size_bytes: int
    digest_sm3: bytes
    sealed_sm3: bytes
    created_at: datetime

    def status_on(self, day: date) -> CertificateStatus:
        """Tell the status on a day of China time, counting validity in."""
        return read_status(self.status, valid_from=self.valid_from, valid_until=self.valid_until, day=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusChange:
    """One step in a certificate's life; `from_status` is None for its issue."""

    identifier: str
    from_status: CertificateStatus | None
    to_status: CertificateStatus
    reason: str
    organisation_code: OrganisationCode
    system_id: UUID
    changed_at: datetime


def read_status(
    status: CertificateStatus, *, valid_from: date, valid_until: date | None, day: date
) -> CertificateStatus:
    """Tell what a stored status means on a day of China time, counting validity in."""
    if status is not CertificateStatus.ACTIVE:
        return status
    if valid_until is not None and day > valid_until:
        return CertificateStatus.EXPIRED
    return CertificateStatus.NOT_ACTIVATED if day < valid_from else CertificateStatus.ACTIVE
