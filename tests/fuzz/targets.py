"""The parsers of `signing`, each as a function that takes octets and may raise only our own errors.

What follows a parser in the same breath (verification, assessment, answering) runs too, so that nothing that
a parser lets through breaks what comes after it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from unittest import mock

from signing import cms, der, pkcs8, sm3
from signing.canonical_json import parse_canonical_json, parse_json
from signing.content_digest import verify_content_digest
from signing.curve import parse_point
from signing.engines.encoding import parse_ciphertext
from signing.errors import ShuzhengError, SignatureInvalid
from signing.http_messages import HttpRequest, parse_component
from signing.http_signature_keys import Sm2HttpVerifier
from signing.http_signatures import SignaturePolicy, verify_message
from signing.master_key import parse_master_key
from signing.merkle.checkpoint import parse_checkpoint, parse_witness_key, verify_checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import parse_note, parse_verifier_key
from signing.merkle.proofs import verify_consistency, verify_inclusion
from signing.merkle.receipt_trust import TrustedPath
from signing.merkle.receipts import verify_receipt
from signing.merkle.tiles import parse_bundle_path, parse_entry_bundle, parse_tile, parse_tile_path
from signing.merkle.tree import Frontier
from signing.pictures import assess_picture, kind_of
from signing.seals.assess import assess_seal
from signing.seals.describe import describe_seal, describe_seal_signature
from signing.seals.parse import parse_seal, parse_seal_signature
from signing.seals.signature import assess_seal_signature
from signing.sm2 import PrivateKey, PublicKey, der_to_raw, raw_to_der
from signing.structured_fields import parse_dictionary, parse_item, parse_list
from signing.timestamp.request import TimeStampRequest
from signing.timestamp.response import TimeStampResponse
from signing.timestamp.token import TimeStampToken, verify_token_signature
from signing.x509 import pem
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList
from signing.x509.extensions import SIGNING_USAGE
from signing.x509.names import Name
from signing.x509.ocsp import OcspRequest, OcspResponse
from signing.x509.ocsp_responder import GOOD
from signing.x509.path import PathPolicy, RevocationMode, assess_path, verify_path
from signing.x509.request import CertificateRequest
from tests.fuzz.make_seeds import FOLDER, HTTP_URI, ORIGIN
from tests.unit.signing import hierarchy
from tests.unit.signing.seals import pki

PASSWORD = b"password"
CHEAP_ITERATIONS = 1_000
MAX_VISITED = 10_000


@dataclass(frozen=True)
class Target:
    """One parser: how it is called, and the seeds (by the beginnings of their names) that it starts from."""

    name: str
    run: Callable[[bytes], object]
    kinds: tuple[str, ...]
    text: bool = False

    def seeds(self) -> list[bytes]:
        """Read the seeds, in the order of their names."""
        return [
            path.read_bytes()
            for path in sorted(FOLDER.glob("*.bin"))
            if path.name.partition("-")[0] in self.kinds
        ]


TARGETS: dict[str, Target] = {}


def target(
    *kinds: str, text: bool = False
) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    """Enter a function as the target of its own name."""

    def enter(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
        name = run.__name__.removeprefix("fuzz_")
        TARGETS[name] = Target(name, run, kinds or (name,), text=text)
        return run

    return enter


@cache
def world() -> hierarchy.Hierarchy:
    return hierarchy.hierarchy()


def words(data: bytes) -> str:
    """Give text that may hold anything, half surrogate pairs included."""
    return data.decode("utf-8", "surrogateescape")


def each(*calls: Callable[[], object]) -> None:
    """Make every call; raise our own error only if all were refused, and any other error at once."""
    refusals = []
    for call in calls:
        try:
            call()
        except ShuzhengError as error:
            refusals.append(error)
    if len(refusals) == len(calls):
        raise refusals[-1]


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


# ----------------------------------------------------------------------------------------- Merkle


@target("note", text=True)
def fuzz_note(data: bytes) -> None:
    assert parse_note(data).to_bytes() == data


@target("note", "checkpoint", text=True)
def fuzz_checkpoint(data: bytes) -> None:
    key = parse_verifier_key(log_key())
    try:
        checkpoint = parse_checkpoint(words(data))
        assert checkpoint.text == words(data)
    except ShuzhengError:
        pass
    verify_checkpoint(data, origin=ORIGIN, log_keys=[key], witnesses=[parse_witness_key(witness_key())])


@cache
def log_key() -> str:
    return (FOLDER / "verifier_key-log.bin").read_text()


@cache
def witness_key() -> str:
    return (FOLDER / "verifier_key-witness.bin").read_text()


@target("verifier_key", text=True)
def fuzz_verifier_key(data: bytes) -> None:
    each(lambda: parse_verifier_key(words(data)), lambda: parse_witness_key(words(data)))


@target("proof")
def fuzz_proof(data: bytes) -> None:
    """Take an index, a size, a root and hashes out of the octets, whatever they are."""
    index, size = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big", signed=True)
    root, proof = data[16:48], [data[at : at + 32] for at in range(48, len(data), 32)]
    leaf, suite = HashSuite.SM3.leaf_hash((17).to_bytes(2, "big")), HashSuite.SM3
    each(
        lambda: verify_inclusion(suite, leaf_hash=leaf, index=index, size=size, proof=proof, root=root),
        lambda: verify_consistency(
            suite, old_size=index, old_root=leaf, new_size=size, new_root=root, proof=proof
        ),
    )


@target("tile", "bundle")
def fuzz_tile(data: bytes) -> None:
    each(lambda: parse_tile(data, len(data) // 32), lambda: parse_entry_bundle(data, 5))


@target("tile_path", text=True)
def fuzz_tile_path(data: bytes) -> None:
    each(lambda: parse_tile_path(words(data)), lambda: parse_bundle_path(words(data)))


@target()
def fuzz_frontier(data: bytes) -> None:
    frontier = Frontier.parse(data)
    assert frontier.to_bytes() == data
    frontier.root()


@target("receipt", text=True)
def fuzz_receipt(data: bytes) -> None:
    ignoring = PathPolicy(key_usage=SIGNING_USAGE, revocation=RevocationMode.IGNORE)
    authority = pki.pki().authority.certificate
    trust = TrustedPath(
        verify_path=lambda certificate, others, at: verify_path(
            certificate,
            roots=(pki.pki().root.certificate,),
            intermediates=(authority, *others),
            at=at,
            policy=ignoring,
        ),
        may_sign=lambda certificate: True,
    )
    verify_receipt(data, trust=trust)


# ------------------------------------------------------------------------------------------- text


@target("json", "receipt", text=True)
def fuzz_canonical_json(data: bytes) -> None:
    each(lambda: parse_json(data), lambda: parse_canonical_json(data))


@target("structured", "content_digest", text=True)
def fuzz_structured_fields(data: bytes) -> None:
    text = words(data)
    for parse in (parse_item, parse_list, parse_dictionary):
        with contextlib.suppress(ShuzhengError):
            parse(text)


@target("content_digest", text=True)
def fuzz_content_digest(data: bytes) -> None:
    verify_content_digest(words(data), b"{}")


@target("http", text=True)
def fuzz_http_signature(data: bytes) -> None:
    """Verify a request whose fields are the lines of the input; the rest of the message is fixed."""
    lines = [*words(data).split("\n"), "", "", "", ""]
    message = HttpRequest(
        method="POST",
        target_uri=HTTP_URI,
        fields=tuple(
            zip(("signature-input", "signature", "content-digest", "content-type"), lines, strict=False)
        ),
        body=b'{"subject":"1"}',
    )
    verify_message(
        message,
        policy=SignaturePolicy(required=("@method", "@target-uri"), tag="shuzheng"),
        find_key=lambda key_id: Sm2HttpVerifier(public_key=hierarchy.key(6).public_key),
        now=hierarchy.NOW,
    )


@target("http", "structured", text=True)
def fuzz_http_component(data: bytes) -> None:
    parse_component(words(data))


@target("http", text=True)
def fuzz_http_uri(data: bytes) -> None:
    """Verify a request whose address and method come from the input."""
    uri, _, rest = words(data).partition(" ")
    message = HttpRequest(
        method=rest[:20],
        target_uri="https://hub.shuzheng.example/" + uri,
        fields=(("signature-input", _INPUT), ("signature", f"sig1=:{'A' * 84}AA==:")),
        body=b"",
    )
    verify_message(
        message,
        policy=SignaturePolicy(required=("@method",)),
        find_key=lambda key_id: Sm2HttpVerifier(public_key=hierarchy.key(6).public_key),
        now=hierarchy.NOW,
    )


_INPUT = (
    'sig1=("@method" "@target-uri" "@authority" "@scheme" "@request-target" "@path" "@query" '
    f'"@query-param";name="code");created={int(hierarchy.NOW.timestamp())};keyid="k"'
)
