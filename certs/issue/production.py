"""What a certificate file is made from, and who makes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from certs.issue.model import IssueOrder
from certs.seals.model import OpenSeal
from certs.types.model import CertificateType
from signing.seals.build import TimestampHook


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """Everything that makes one certificate file."""

    order: IssueOrder
    kind: CertificateType
    identifier: str
    issuer_name: str
    metadata: dict[str, str]
    qr_payload: str
    seal: OpenSeal
    sealed_at: datetime
    timestamp: TimestampHook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedFile:
    """A sealed file; `sealed_sm3` is the SM3 of its signature's description file."""

    data: bytes = field(repr=False)
    sealed_sm3: bytes


class Produce(Protocol):
    """Lays out, seals and signs one file. Blocks; raises ShuzhengError subclasses."""

    def __call__(self, production: Production) -> ProducedFile: ...


class LayOut(Protocol):
    """Lays out one file without sealing it, to see whether it can be. Blocks; raises as `Produce`."""

    def __call__(self, production: Production) -> None: ...
