"""Making seals: what comes out, and every order that is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from signing import sm3
from signing.errors import EvidenceRefused, ShuzhengError
from signing.findings import Verdict
from signing.seals.assess import assess_seal, verify_seal
from signing.seals.build import build_seal
from signing.seals.errors import SealRefused
from signing.seals.model import (
    CertListType,
    PictureType,
    SealExtension,
    SealPicture,
    SealVersion,
)
from signing.seals.parse import parse_seal
from signing.sm2 import PrivateKey
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki, samples

WORLD = pki.pki()


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_of_our_making_is_valid(version: SealVersion) -> None:
    report = assess_seal(pki.seal_of(version), at=pki.NOW, trust=WORLD.trust())
    assert report.findings == ()
    assert report.verdict is Verdict.VALID
    assert report.is_acceptable
    assert verify_seal(pki.seal_of(version), at=pki.NOW, trust=WORLD.trust()).version is version


def test_seal_by_digest_list_holds_the_sm3_of_each_certificate() -> None:
    der = pki.make_seal(list_type=CertListType.DIGESTS)
    digests = parse_seal(der).property.digests
    assert [each.value for each in digests] == [sm3.digest(WORLD.signer.certificate.der)]
    assert assess_seal(der, at=pki.NOW, trust=WORLD.trust()).verdict is Verdict.VALID


def test_seal_extensions_are_written_with_critical_and_without_a_tag() -> None:
    extension = SealExtension(oid="1.2.156.10260.4.1.4", critical=False, value=b"\x05\x00")
    der = pki.make_seal(extensions=(extension,))
    assert parse_seal(der).extensions == (extension,)
    assert bytes.fromhex("010100") in der


REFUSED: dict[str, dict[str, Any]] = {
    "seal_id must be ASCII": {"seal_id": "印章一"},
    "seal_id must have": {"seal_id": ""},
    "vendor_id must be ASCII": {"vendor_id": "数证"},
    "vendor_id must have": {"vendor_id": "a" * 257},
    "name must have": {"name": "二\n行"},
    "ends before it begins": {"valid_from": samples.UNTIL + timedelta(days=1)},
    "ends before the seal is made": {
        "created_at": samples.UNTIL + timedelta(hours=1),
        "valid_from": samples.UNTIL - timedelta(hours=2),
    },
    "must not begin more than 24 hours before": {"valid_from": samples.CREATED - timedelta(hours=25)},
    "must carry their time zone": {"created_at": samples.CREATED.replace(tzinfo=None)},
    "the picture type must be": {
        "picture": SealPicture(type="TIFF", data=samples.png(), width_mm=40, height_mm=40)
    },
    "not of the kind": {"picture": SealPicture(type="GIF", data=samples.png(), width_mm=40, height_mm=40)},
    "do not fit the proportions": {
        "picture": SealPicture(type="PNG", data=samples.png(), width_mm=45, height_mm=30)
    },
    "must be 1 to 300": {"picture": SealPicture(type="PNG", data=samples.png(), width_mm=0, height_mm=0)},
    "at least one signer": {"signers": ()},
    "comes twice": {"signers": (WORLD.signer.certificate, WORLD.signer.certificate)},
    "may not sign": {"signers": (WORLD.authority.certificate,)},
    "is not valid while": {
        "signers": (
            WORLD.issue(
                120, "早已过期", Profile.SEAL_SIGNER, not_after=samples.CREATED - timedelta(days=1)
            ).certificate,
        )
    },
    "an extension comes twice": {
        "extensions": (SealExtension(oid="1.2.3", critical=False, value=b""),) * 2,
    },
}


@pytest.mark.parametrize("words", REFUSED)
def test_seal_order_that_must_not_be_carried_out_is_refused(words: str) -> None:
    with pytest.raises(SealRefused, match=words):
        pki.make_seal(**REFUSED[words])


def test_seal_v1_by_digest_list_is_refused() -> None:
    with pytest.raises(SealRefused, match="V1"):
        pki.make_seal(SealVersion.V1, list_type=CertListType.DIGESTS)


@pytest.mark.parametrize("version", [SealVersion.V1, SealVersion.V4])
def test_seal_time_stamp_outside_v5_is_refused(version: SealVersion) -> None:
    with pytest.raises(SealRefused, match="V5"):
        pki.make_seal(version, timestamp=lambda imprint: imprint)


def build_with(**changes: Any) -> bytes:
    fields: dict[str, Any] = {
        "maker": WORLD.maker.key,
        "maker_certificate": WORLD.maker.certificate,
        "trust": WORLD.trust(),
    }
    return build_seal(pki.order(), **{**fields, **changes})


def test_seal_by_a_maker_with_another_key_is_refused() -> None:
    with pytest.raises(SealRefused, match="maker's key"):
        build_with(maker=PrivateKey.from_scalar(9))


def test_seal_by_a_maker_of_an_unknown_root_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="E162"):
        build_with(trust=WORLD.trust(roots=(), intermediates=()))


def test_seal_by_a_maker_whose_certificate_has_expired_is_refused() -> None:
    old = WORLD.issue(121, "旧制章者", Profile.SEAL_MAKER, not_after=samples.CREATED - timedelta(days=1))
    with pytest.raises(EvidenceRefused):
        build_with(maker=old.key, maker_certificate=old.certificate)


def test_seal_by_an_authority_in_the_place_of_a_maker_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="E163"):
        build_with(maker=WORLD.authority.signer, maker_certificate=WORLD.authority.certificate)


def test_seal_kinds_of_picture_are_those_of_the_standard() -> None:
    assert set(PictureType) == {"PNG", "GIF", "BMP", "JPG", "SVG", "OFD"}


@pytest.mark.parametrize("oid", ["", "1", "4.5.6", "1.2.x", "1.40"])
def test_seal_extension_with_a_malformed_oid_is_refused_with_our_error(oid: str) -> None:
    with pytest.raises(ShuzhengError):
        pki.make_seal(extensions=(SealExtension(oid=oid, critical=False, value=b""),))
