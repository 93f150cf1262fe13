"""Signatures without a seal (Type Sign, GB/T 35275): each accepted form, and each attack on it."""

from __future__ import annotations

import base64
from datetime import datetime, timedelta
from typing import Any

import pytest

from certs.verify.checks import CheckOutcome, list_checks
from certs.verify.model import DocumentReport, DocumentStatus
from signing import der, oids, sm3
from signing.cms import Attribute, basic_attributes, build_message, build_signed_data
from signing.sm2 import der_to_raw
from signing.trust import NOTHING_TRUSTED
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.certificate import Certificate
from tests.unit.certs import packages
from tests.unit.certs.packages import LIST, assess, codes, plain_files
from tests.unit.signing.seals import pki

FOLDER = "Doc_0/Signs/Sign_0"
VALUE = f"{FOLDER}/SignedValue.dat"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


def described() -> packages.Files:
    """A document with a list and a description of one signature of type Sign, without its value."""
    files = plain_files()
    files[LIST] = packages.list_of("s001").replace(b'Type="Seal"', b'Type="Sign"')
    description = packages.describe(files, 0, leave_out=(LIST,), algorithm=oids.SM2_SIGNATURE)
    start, end = description.index(b"<ofd:StampAnnot"), description.index(b"</ofd:SignedInfo>")
    return files | {f"{FOLDER}/Signature.xml": description[:start] + description[end:]}


DESCRIPTION = described()[f"{FOLDER}/Signature.xml"]
DIGEST = sm3.digest(DESCRIPTION)


def build(**changes: Any) -> bytes:
    """Signed data over the description; `changes` are those of `build_message`."""
    world = pki.pki()
    fields: dict[str, Any] = {
        "type_oid": oids.GM_SIGNED_DATA,
        "version": 1,
        "content_type": oids.GM_DATA,
        "content": DIGEST,
        "certificates": (world.signer.certificate,),
        "signature_algorithm": AlgorithmIdentifier(oids.SM2_SIGNATURE),
        "attributes": None,
        "signer": world.signer.key,
        "message_bytes": DIGEST,
    }
    return build_message(**{**fields, **changes})


def attributes(digest: bytes = DIGEST, at: datetime | None = pki.NOW) -> tuple[Attribute, ...]:
    times = () if at is None else (Attribute(oids.ATTR_SIGNING_TIME, (der.time(at),)),)
    return basic_attributes(oids.GM_DATA, digest) + times


def with_value(value: bytes, **changes: Any) -> DocumentReport:
    return assess(described() | {VALUE: value}, **changes)


@pytest.mark.parametrize(
    "value",
    [
        build(),
        build(content=base64.b64encode(DIGEST), message_bytes=base64.b64encode(DIGEST)),
        build(content=None, attributes=attributes()),
        build(attributes=attributes()),
        build(attributes=attributes(sm3.digest(DIGEST))),
        build(content=None, attributes=attributes(), content_type=oids.CMS_DATA),
        build(signature_algorithm=AlgorithmIdentifier(oids.SM2_WITH_SM3)),
    ],
    ids=["content", "base64", "attributes", "both", "both-cms", "inner-data-type", "501"],
)
def test_digital_signature_in_each_form_is_valid(value: bytes) -> None:
    report = with_value(value)
    assert codes(report) == set()
    assert report.status is DocumentStatus.VALID
    [signature] = report.signatures
    assert signature.seal is None
    assert signature.signer is not None
    outcomes = {check.step: check.outcome for check in list_checks(signature)}
    assert {outcomes[step] for step in ("D1", "D3", "D4", "D5", "E1", "E2", "E4")} == {CheckOutcome.PASSED}
    assert {outcomes[step] for step in ("D2", "D6", "F1", "F5")} == {CheckOutcome.NOT_APPLICABLE}


def test_digital_signature_with_attributes_tells_the_claimed_time() -> None:
    [signature] = with_value(build(content=None, attributes=attributes())).signatures
    assert signature.signed_at == pki.NOW
    assert signature.time_source == "claimed"


def test_digital_signature_as_raw_values_is_a_warning_and_refused_by_strict_policy() -> None:
    world = pki.pki()

    class Raw:
        public_key = world.signer.key.public_key

        @staticmethod
        def sign(message: bytes) -> bytes:
            return der_to_raw(world.signer.key.sign(message))

    raw = build(signer=Raw())
    assert codes(with_value(raw)) == {"W143"}
    assert with_value(raw, refuse_raw_signatures=True).status is DocumentStatus.INVALID


def test_digital_signature_over_another_description_is_invalid() -> None:
    other = sm3.digest(b"another")
    for value in (
        build(content=other, message_bytes=other),
        build(content=None, attributes=attributes(other)),
        build(content=other, attributes=attributes()),
        build(attributes=attributes(other)),
    ):
        assert "E141" in codes(with_value(value))
        assert with_value(value).status is DocumentStatus.INVALID


def test_digital_signature_without_content_and_attributes_is_invalid() -> None:
    assert {"E140", "E141"} <= codes(with_value(build(content=None)))


def test_digital_signature_without_message_digest_is_invalid() -> None:
    only_type = attributes()[:1]
    assert "E141" in codes(with_value(build(content=None, attributes=only_type)))


def test_digital_signature_by_a_key_other_than_the_certificates_is_invalid() -> None:
    value = bytearray(build())
    value[-1] ^= 1
    assert "E140" in codes(with_value(bytes(value)))


def test_digital_signature_by_an_issuer_unknown_here_is_unknown() -> None:
    report = with_value(build(), trust=NOTHING_TRUSTED)
    assert report.status is DocumentStatus.UNKNOWN
    assert codes(report) == {"E151"}


def test_digital_signature_made_after_the_certificate_ended_is_invalid() -> None:
    late = build(content=None, attributes=attributes(at=pki.END + timedelta(days=1)))
    assert "E153" in codes(with_value(late))


def test_digital_signature_without_its_certificate_is_invalid_and_says_so() -> None:
    value = build(with_certificates=False)
    assert codes(with_value(value)) == {"E150"}


def test_digital_signature_without_its_certificate_is_verified_with_one_at_hand() -> None:
    world = pki.pki()
    trust = world.trust()
    known: tuple[Certificate, ...] = (*trust.intermediates, world.signer.certificate)
    assert with_value(build(with_certificates=False), intermediates=known).status is DocumentStatus.VALID


def test_bare_signature_value_is_unknown_without_and_valid_with_its_certificate() -> None:
    world = pki.pki()
    value = world.signer.key.sign(DESCRIPTION)
    assert with_value(value).status is DocumentStatus.UNKNOWN
    known = (*world.trust().intermediates, world.signer.certificate)
    report = with_value(value, intermediates=known)
    assert report.status is DocumentStatus.VALID
    assert report.signatures[0].signer is not None


def test_page_swapped_under_a_digital_signature_is_named() -> None:
    files = described() | {VALUE: build(), PAGE: plain_files()[PAGE] + b" "}
    assert codes(assess(files)) == {"E125"}


def test_digital_signature_value_that_is_rubbish_is_invalid() -> None:
    for value in (b"", b"rubbish", build()[:-1], build() + b"\0"):
        report = with_value(value)
        assert codes(report) == {"E130"}
        outcomes = {check.step: check.outcome for check in list_checks(report.signatures[0])}
        assert outcomes["D4"] is CheckOutcome.NOT_REACHED
        assert outcomes["F5"] is CheckOutcome.NOT_APPLICABLE


def test_seal_signature_declared_as_digital_is_invalid() -> None:
    sealed = packages.sealed()
    listed = sealed[LIST].replace(b'Type="Seal"', b'Type="Sign"')
    assert codes(assess(sealed | {LIST: listed})) == {"E130"}


def test_built_signed_data_of_the_hub_is_valid() -> None:
    world = pki.pki()
    value = build_signed_data(
        DIGEST,
        signer=world.signer.key,
        certificate=world.signer.certificate,
        signing_time=pki.NOW,
    )
    assert with_value(value).status is DocumentStatus.VALID
