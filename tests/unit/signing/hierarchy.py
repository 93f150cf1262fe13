"""A small public-key infrastructure with fixed keys, shared by the X.509, CMS and time-stamp tests."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from signing.sm2 import PrivateKey
from signing.timestamp.authority import TimeStampAuthority
from signing.timestamp.clock import ClockGuard
from signing.x509.authority import Authority, Publication, create_root
from signing.x509.certificate import Certificate
from signing.x509.crl import RevokedEntry
from signing.x509.names import Name
from signing.x509.ocsp_responder import Responder
from signing.x509.profiles import Profile

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2046, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
POLICY = "2.999.1.1"
PUBLICATION = Publication(
    crl_urls=("http://pki.shuzheng.example/issuing.crl",),
    ocsp_urls=("http://pki.shuzheng.example/ocsp",),
    issuer_urls=("http://pki.shuzheng.example/issuing.cer",),
)
ROOT_PUBLICATION = Publication(
    crl_urls=("http://pki.shuzheng.example/root.crl",),
    ocsp_urls=("http://pki.shuzheng.example/ocsp",),
    issuer_urls=("http://pki.shuzheng.example/root.cer",),
)


@dataclass(frozen=True)
class Holder:
    """A key and its certificate."""

    key: PrivateKey
    certificate: Certificate


@dataclass(frozen=True)
class Hierarchy:
    """A root, an issuing authority, and one end entity of each profile."""

    root: Authority
    issuing: Authority
    holders: dict[Profile, Holder]

    @property
    def roots(self) -> tuple[Certificate, ...]:
        return (self.root.certificate,)

    @property
    def intermediates(self) -> tuple[Certificate, ...]:
        return (self.issuing.certificate,)

    def __getitem__(self, profile: Profile) -> Holder:
        return self.holders[profile]

    def crls(self, *revoked: RevokedEntry, at: datetime = NOW) -> tuple[bytes, bytes]:
        """The lists of both authorities, good for 30 days from `at`; the issuing one's holds `revoked`."""
        period = {"this_update": at, "next_update": at + timedelta(days=30)}
        return (
            self.root.issue_crl(entries=(), number=1, **period),
            self.issuing.issue_crl(entries=revoked, number=7, **period),
        )

    def responder(self) -> Responder:
        holder = self[Profile.OCSP_RESPONDER]
        return Responder(holder.certificate, holder.key, issuer=self.issuing.certificate)

    def tsa(self, *, now: datetime = NOW, **changes: Any) -> TimeStampAuthority:
        """A time-stamp authority whose clock stands still."""
        holder = self[Profile.TSA]
        fields: dict[str, Any] = {
            "certificate": holder.certificate,
            "signer": holder.key,
            "clock": ClockGuard(lambda: now, lambda: 0.0),
            "policy": POLICY,
            "chain": self.intermediates,
        }
        return TimeStampAuthority(**{**fields, **changes})


def key(number: int) -> PrivateKey:
    """Give the fixed key of a number."""
    return PrivateKey.from_scalar(0xA11CE000 + number)


def name(common_name: str) -> Name:
    return Name.build(common_name=common_name, organization="临江市数据局", locality="临江市", state="示例省")


def issue(authority: Authority, number: int, profile: Profile, **changes: Any) -> Holder:
    """Issue a certificate over the fixed key of `number`."""
    fields: dict[str, Any] = {
        "profile": profile,
        "subject": name(f"测试 {profile.value} {number}"),
        "public_key": key(number).public_key,
        "not_before": START,
        "not_after": START + timedelta(days=3 * 365),
    }
    return Holder(key(number), authority.issue(**{**fields, **changes}))


@cache
def hierarchy() -> Hierarchy:
    """Set everything up, once."""
    root = Authority(
        create_root(name("临江市测试根"), key(1), not_before=START, not_after=END),
        key(1),
        publication=ROOT_PUBLICATION,
    )
    holder = issue(root, 2, Profile.ISSUING_CA, not_after=END - timedelta(days=365))
    issuing = Authority(holder.certificate, holder.key, publication=PUBLICATION)
    ends = [profile for profile in Profile if profile is not Profile.ISSUING_CA]
    holders = {profile: issue(issuing, 10 + i, profile) for i, profile in enumerate(ends)}
    return Hierarchy(root, issuing, holders)
