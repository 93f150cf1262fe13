"""The parsers of DER and of keys: certificates, lists, OCSP, signed data, time stamps, seals."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import timedelta
from unittest import mock

from signing import cms, der, pkcs8, sm3
from signing.curve import parse_point
from signing.engines.encoding import parse_ciphertext
from signing.errors import ShuzhengError, SignatureInvalid
from signing.master_key import parse_master_key
from signing.pictures import assess_picture, kind_of
from signing.seals.assess import assess_seal
from signing.seals.describe import describe_seal, describe_seal_signature
from signing.seals.parse import parse_seal, parse_seal_signature
from signing.seals.signature import assess_seal_signature
from signing.sm2 import PrivateKey, PublicKey, der_to_raw, raw_to_der
from signing.timestamp.request import TimeStampRequest
from signing.timestamp.response import TimeStampResponse
from signing.timestamp.token import TimeStampToken, verify_token_signature
from signing.x509 import pem
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList
from signing.x509.names import Name
from signing.x509.ocsp import OcspRequest, OcspResponse
from signing.x509.ocsp_responder import GOOD
from signing.x509.path import assess_path
from signing.x509.request import CertificateRequest
from tests.fuzz.target import CHEAP_ITERATIONS, MAX_VISITED, PASSWORD, each, target, words, world
from tests.unit.signing import hierarchy
from tests.unit.signing.seals import pki

# ------------------------------------------------------------------------------------------- DER


@target("certificate", "cms", "crl", "seal", "ts_token", "pkcs8")
def fuzz_der(data: bytes) -> None:
    """Walk the tree, and read each leaf as what its tag says; a leaf's refusal does not end the walk.

    The walk is bounded, because it is ours: a parser of `signing` visits what its structure has places for.
    """
    waiting, left = [der.parse_der(data)], MAX_VISITED
    while waiting and left:
        node, left = waiting.pop(), left - 1
        if node.constructed:
            waiting += node.children()
            continue
        with contextlib.suppress(ShuzhengError):
            _read_leaf(node)


_LEAF_READERS: dict[int, Callable[[der.Node], object]] = {
    der.Tag.BOOLEAN: der.read_boolean,
    der.Tag.INTEGER: der.read_integer,
    der.Tag.BIT_STRING: der.read_bits,
    der.Tag.OCTET_STRING: der.read_octet_string,
    der.Tag.NULL: der.read_null,
    der.Tag.OID: der.read_oid,
    der.Tag.UTC_TIME: der.read_time,
    der.Tag.GENERALIZED_TIME: lambda node: der.read_time(node, fraction=True),
}


def _read_leaf(node: der.Node) -> object:
    return _LEAF_READERS.get(node.tag, der.read_string)(node)


# ------------------------------------------------------------------------------------------ X.509


@target()
def fuzz_certificate(data: bytes) -> None:
    certificate = Certificate.parse(data)
    str(certificate.subject), certificate.pem, certificate.fingerprint
    assess_path(certificate, roots=world().roots, intermediates=world().intermediates, at=hierarchy.NOW)


@target()
def fuzz_name(data: bytes) -> None:
    name = Name.parse(data)
    str(name), name.common_name, name.organization


@target("csr")
def fuzz_csr(data: bytes) -> None:
    CertificateRequest.parse(data).verify()


@target()
def fuzz_crl(data: bytes) -> None:
    crl = RevocationList.parse(data)
    crl.find(5)
    each(lambda: list(crl.entries()), lambda: crl.verify_issued_by(world().issuing.certificate))


@target()
def fuzz_ocsp_request(data: bytes) -> None:
    """Read a request, and have it answered: the answer must read, whatever was asked."""
    answer = world().responder().respond(data, lambda serial: GOOD, produced_at=hierarchy.NOW)
    OcspResponse.parse(answer)
    OcspRequest.parse(data)


@target()
def fuzz_ocsp_response(data: bytes) -> None:
    response = OcspResponse.parse(data)
    response.find(5, world().issuing.certificate)
    response.verify(issuer=world().issuing.certificate)


@target("pem", text=True)
def fuzz_pem(data: bytes) -> None:
    for octets in pem.parse_pem(data, pem.CERTIFICATE):
        Certificate.parse(octets)
    pem.parse_pem(words(data), pem.CERTIFICATE)


# ------------------------------------------------------------------------------ CMS, time stamps


@target("cms", "ts_token")
def fuzz_cms(data: bytes) -> None:
    signed = cms.parse_signed_data(data)
    for signer in signed.signers:
        with contextlib.suppress(ShuzhengError):
            _ = signer.signing_time
    cms.verify_signed_data(signed, content=b"content")


@target("ts_request")
def fuzz_timestamp_request(data: bytes) -> None:
    """Read a request, and have it answered: the answer must read, whatever was asked."""
    TimeStampResponse.parse(world().tsa().respond(data))
    TimeStampRequest.parse(data)


@target("ts_response")
def fuzz_timestamp_response(data: bytes) -> None:
    response = TimeStampResponse.parse(data)
    if response.token is not None:
        TimeStampToken.parse(response.token)


@target("ts_token", "ts_response")
def fuzz_timestamp_token(data: bytes) -> None:
    token = TimeStampToken.parse(data)
    verify_token_signature(token)


# ------------------------------------------------------------------------------------------ seals


@target("seal")
def fuzz_seal(data: bytes) -> None:
    describe_seal(parse_seal(data))


@target("seal")
def fuzz_seal_assessment(data: bytes) -> None:
    """Assessing never raises, so that a refusal is an error of the assessment here."""
    report = assess_seal(data, at=pki.NOW, trust=pki.pki().trust())
    assert report.findings is not None


@target("seal_signature")
def fuzz_seal_signature(data: bytes) -> None:
    describe_seal_signature(parse_seal_signature(data))


@target("seal_signature")
def fuzz_seal_signature_assessment(data: bytes) -> None:
    report = assess_seal_signature(
        data,
        data_hash=sm3.digest(pki.DATA),
        property_info=pki.PATH,
        at=pki.NOW + timedelta(days=2),
        trust=pki.pki().trust(),
    )
    assert report.findings is not None


@target()
def fuzz_picture(data: bytes) -> None:
    assess_picture(kind=kind_of(data) or "PNG", data=data, width_mm=40, height_mm=40)


# ------------------------------------------------------------------------------------------- keys


@target()
def fuzz_pkcs8(data: bytes) -> None:
    """Read a private key. PBKDF2 is capped low: its cost is the price of a password, not of parsing."""
    with mock.patch.object(pkcs8, "MAX_ITERATIONS", CHEAP_ITERATIONS):
        PrivateKey.from_pkcs8(data, PASSWORD if pkcs8.is_encrypted(data) else None)


@target("spki")
def fuzz_spki(data: bytes) -> None:
    each(lambda: PublicKey.from_spki(data), lambda: parse_point(data[-65:]))


@target("sm2_signature")
def fuzz_sm2_signature(data: bytes) -> None:
    with contextlib.suppress(SignatureInvalid):
        world().root.certificate.require_key().verify(data, b"message")
    (raw_to_der if len(data) == 64 else der_to_raw)(data)


@target("sm2_ciphertext")
def fuzz_sm2_ciphertext(data: bytes) -> None:
    each(lambda: hierarchy.key(3).decrypt(data), lambda: parse_ciphertext(data))


@target("master_key", text=True)
def fuzz_master_key(data: bytes) -> None:
    parse_master_key(words(data))
