"""The domain words of seals in use."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from core.caller import OrganisationCode
from signing.seals.sign import SealSigner


class SealStatus(StrEnum):
    """Whether a seal may be set on documents.

    A seal that was replaced by a successor, or destroyed, stays on record and never returns.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    REPLACED = "replaced"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredSeal:
    """A seal of an organisation.

    `der` is the whole seal (SES V4, GB/T 38540-2020), `seal_code` its own number (esID), `kind` the class
    of seal as an open number (1 organisation). `signer_key` names the key in the key store whose
    certificate the seal lists; further signers of the organisation may be listed beside it.
    `predecessor` is the seal that this one replaced, `version` the shape of the seal (4 or 5).
    """

    id: UUID
    organisation_code: OrganisationCode
    name: str
    seal_code: str
    kind: int
    status: SealStatus
    signer_key: str
    signer_certificate: bytes = field(repr=False)
    maker_certificate: bytes = field(repr=False)
    picture_type: str
    picture_width_mm: int
    picture_height_mm: int
    der: bytes = field(repr=False)
    valid_from: datetime
    valid_until: datetime
    created_at: datetime
    predecessor: UUID | None = None
    version: int = 4

    def is_usable_at(self, moment: datetime) -> bool:
        """Tell whether the seal may be set on a document at `moment`."""
        return self.status is SealStatus.ACTIVE and self.valid_from <= moment <= self.valid_until


@dataclass(frozen=True, slots=True, kw_only=True)
class SealChange:
    """One step in a seal's life; `from_status` is None for its registration."""

    seal_id: UUID
    from_status: SealStatus | None
    to_status: SealStatus
    reason: str
    organisation_code: OrganisationCode
    system_id: UUID
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSeal:
    """A seal with the signer that was found fit to set it."""

    seal: RegisteredSeal
    signer: SealSigner
