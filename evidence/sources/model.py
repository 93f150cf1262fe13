"""The domain words of reading sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from core.caller import Caller, Purpose
from evidence.rules.model import SourceWay


class Outcome(StrEnum):
    """What became of a fact, or of a material.

    `supplied`: established by a source. `conflicting`: sources, or a source and the form, disagree; both are
    named. `expired`, `revoked`: there is one, and it does not count today. `not_held`: no source has it.
    `source_unavailable`: nobody knows now. `not_authorised`: the case may not ask; it says what to apply for.
    `requested`: a department was asked. `committed`, `tolerated`: the case goes on without, for now.
    `waived`: no longer required.
    """

    SUPPLIED = "supplied"
    CONFLICTING = "conflicting"
    EXPIRED = "expired"
    REVOKED = "revoked"
    NOT_HELD = "not_held"
    SOURCE_UNAVAILABLE = "source_unavailable"
    NOT_AUTHORISED = "not_authorised"
    REQUESTED = "requested"
    COMMITTED = "committed"
    TOLERATED = "tolerated"
    WAIVED = "waived"

    @property
    def is_settled(self) -> bool:
        """Whether the applicant need not hand anything in for now."""
        return self in {Outcome.SUPPLIED, Outcome.WAIVED, Outcome.COMMITTED, Outcome.TOLERATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One way of one fact to try, with its references filled in.

    `keys` are the values by which the source is asked (for a certificate the holder's `code` and `kind`),
    `asserted` those that it is to confirm, `wanted` the values of each requirement, in their order.
    """

    fact: str
    number: int
    way: SourceWay
    keys: Mapping[str, str] = field(repr=False)
    asserted: Mapping[str, str] = field(default_factory=dict, repr=False)
    wanted: tuple[tuple[str, ...], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What an outcome rests on: a row of a dataset at a version, or a certificate.

    `row_key` is the keyed hash of `exchange.access.values.name_identity` over the resource and the key values
    that it was found by, so that who sees the row change can find what rests on it.
    """

    source: str
    title: str
    version: int | None = None
    as_of: datetime | None = None
    row_key: bytes | None = None
    certificate_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one way came to. `code` is stable, `detail` a sentence without personal values.

    `attributes` are the values that the source gave, of which `masked` are shown in part.
    """

    outcome: Outcome
    code: str
    detail: str
    basis: Basis | None = None
    attributes: Mapping[str, str | bool | None] = field(default_factory=dict, repr=False)
    masked: frozenset[str] = frozenset()
    apply_for: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks for which case; `codes` are authorisation codes (用证码) that holders gave for it."""

    caller: Caller
    purpose: Purpose
    codes: tuple[str, ...] = field(default=(), repr=False)


class Sources(Protocol):
    """Whatever answers asks; one reading for each, in their order. It never raises for a source's failure."""

    async def read(self, asks: Sequence[Ask], *, asker: Asker, limit_s: float) -> list[Reading]:
        """Read all asks at once, within `limit_s` seconds."""
