"""A small public-key infrastructure of our own, and seals made with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from signing import der, oids, sm3
from signing.seals.build import SealOrder, build_seal
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal
from signing.seals.sign import build_seal_signature
from signing.sm2 import PrivateKey
from signing.trust import TrustPolicy
from signing.x509.authority import Authority, create_root
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList, RevokedEntry, build_crl
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.unit.signing.seals import samples

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2036, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
DATA = b"<ofd:Signature/>"
PATH = "/Doc_0/Signs/Sign_0/Signature.xml"


@dataclass(frozen=True)
class Holder:
    """A key and its certificate."""

    key: PrivateKey
    certificate: Certificate


@dataclass(frozen=True)
class Pki:
    """Root, issuing authority, a maker, two signers, and a time-stamp authority."""

    root: Holder
    authority: Authority
    maker: Holder
    signer: Holder
    other: Holder
    tsa: Holder
    crls: tuple[RevocationList, ...] = field(default=())

    def trust(self, **changes: Any) -> TrustPolicy:
        """Trust the root, with lists that revoke nobody, unless changes say otherwise."""
        policy = TrustPolicy(
            roots=(self.root.certificate,),
            intermediates=(self.authority.certificate,),
            crls=self.crls,
        )
        return replace(policy, **changes)

    def issue(self, scalar: int, name: str, profile: Profile, **changes: Any) -> Holder:
        """Issue a certificate over a fixed key."""
        key = PrivateKey.from_scalar(scalar)
        fields = {
            "profile": profile,
            "subject": Name.build(common_name=name, organization="临江市数据局"),
            "public_key": key.public_key,
            "not_before": START,
            "not_after": END - timedelta(days=30),
        }
        return Holder(key, self.authority.issue(**{**fields, **changes}))


def revocations(authority: Authority, *entries: RevokedEntry, at: datetime = NOW) -> RevocationList:
    """List revoked certificates, as known a day after `at`."""
    return RevocationList.parse(
        build_crl(
            authority.certificate,
            authority.signer,
            entries=entries,
            this_update=at + timedelta(days=1),
            next_update=at + timedelta(days=40),
            number=1,
        )
    )


@cache
def pki() -> Pki:
    """Set the infrastructure up, once."""
    root_key, ca_key = PrivateKey.from_scalar(101), PrivateKey.from_scalar(102)
    root = create_root(
        Name.build(common_name="临江市测试根"), root_key, not_before=START - timedelta(days=1), not_after=END
    )
    top = Authority(root, root_key)
    ca = top.issue(
        profile=Profile.ISSUING_CA,
        subject=Name.build(common_name="临江市测试签发机构"),
        public_key=ca_key.public_key,
        not_before=START - timedelta(days=1),
        not_after=END - timedelta(days=1),
    )
    authority = Authority(ca, ca_key)
    bare = Pki(
        root=Holder(root_key, root),
        authority=authority,
        maker=None,
        signer=None,
        other=None,
        tsa=None,  # type: ignore[arg-type]
    )
    return replace(
        bare,
        maker=bare.issue(103, "印章制作中心", Profile.SEAL_MAKER),
        signer=bare.issue(104, "市发改委签章", Profile.SEAL_SIGNER),
        other=bare.issue(105, "另一签章", Profile.SEAL_SIGNER),
        tsa=bare.issue(106, "时间戳", Profile.TSA),
        crls=(revocations(authority), revocations(top)),
    )


def impostor_root() -> Certificate:
    """Make a root that bears our root's name over another key."""
    return create_root(
        pki().root.certificate.subject, PrivateKey.from_scalar(999), not_before=START, not_after=END
    )


def order(**changes: Any) -> SealOrder:
    """Order a seal for our signer."""
    fields: dict[str, Any] = {
        "seal_id": "33100000000001",
        "vendor_id": "ShuZheng",
        "name": "临江市发展和改革委员会",
        "picture": samples.picture(),
        "signers": (pki().signer.certificate,),
        "created_at": samples.CREATED,
        "valid_from": samples.CREATED,
        "valid_until": samples.UNTIL,
    }
    return SealOrder(**{**fields, **changes})


def make_seal(version: SealVersion = SealVersion.V4, *, timestamp: Any = None, **changes: Any) -> bytes:
    """Make a seal by our maker."""
    world = pki()
    return build_seal(
        order(**changes),
        maker=world.maker.key,
        maker_certificate=world.maker.certificate,
        trust=world.trust(),
        version=version,
        timestamp=timestamp,
    )


def stamp(
    imprint: bytes,
    *,
    at: datetime = NOW,
    tsa: Holder | None = None,
    named: Certificate | None = None,
    attributes: tuple[bytes, ...] = (),
    content_type: str = oids.CMS_SIGNED_DATA,
    signature_oid: str = oids.SM2_WITH_SM3,
    digest_oid: str = oids.SM3,
    info_type: str = oids.CT_TST_INFO,
) -> bytes:
    """Make a time-stamp token over an imprint, as RFC 3161 shapes it, with SM2 and SM3."""
    holder = tsa or pki().tsa
    certificate = holder.certificate
    sm3_identifier = der.sequence(der.oid(oids.SM3))
    info = der.sequence(
        der.integer(1),
        der.oid("1.2.3.4"),
        der.sequence(der.sequence(der.oid(digest_oid)), der.octet_string(imprint)),
        der.integer(7),
        der.generalized_time(at),
    )
    ess = der.sequence(sm3_identifier, der.octet_string((named or certificate).fingerprint))
    usual = (
        attribute(oids.ATTR_CONTENT_TYPE, der.oid(info_type)),
        attribute(oids.ATTR_MESSAGE_DIGEST, der.octet_string(sm3.digest(info))),
        attribute(oids.ATTR_SIGNING_CERTIFICATE_V2, der.sequence(der.sequence(ess))),
    )
    signed = der.set_of(*(attributes or usual))
    signer_info = der.sequence(
        der.integer(1),
        der.sequence(certificate.issuer.der, der.integer(certificate.serial)),
        sm3_identifier,
        der.implicit(0, signed),
        der.sequence(der.oid(signature_oid)),
        der.octet_string(holder.key.sign(signed)),
    )
    signed_data = der.sequence(
        der.integer(3),
        der.set_of(sm3_identifier),
        der.sequence(der.oid(info_type), der.explicit(0, der.octet_string(info))),
        der.implicit(0, der.set_of(certificate.der)),
        der.set_of(signer_info),
    )
    return der.sequence(der.oid(content_type), der.explicit(0, signed_data))


def attribute(oid: str, value: bytes) -> bytes:
    """Write one attribute with one value."""
    return der.sequence(der.oid(oid), der.set_of(value))


@cache
def seal_of(version: SealVersion) -> bytes:
    """Give one seal per version, made once."""
    return make_seal(version)


def sign(version: SealVersion = SealVersion.V4, *, seal: bytes | None = None, **changes: Any) -> bytes:
    """Sign DATA with our signer."""
    world = pki()
    fields: dict[str, Any] = {
        "seal": parse_seal(seal_of(version) if seal is None else seal),
        "signer": world.signer.key,
        "signer_certificate": world.signer.certificate,
        "data_hash": sm3.digest(DATA),
        "property_info": PATH,
        "signed_at": NOW,
        "trust": world.trust(),
    }
    return build_seal_signature(**{**fields, **changes})


@cache
def signature_of(version: SealVersion) -> bytes:
    """Give one seal signature per version, made once."""
    return sign(version)
