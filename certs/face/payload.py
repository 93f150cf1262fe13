"""What the QR code on the face says, and how it is verified offline.

The code holds an address, `<hub>/c/<identifier>#<proof>`. A browser opens the public page and keeps the
part behind `#` to itself; an offline verifier reads it. The proof is base64url of

    version        one octet, 1
    key            an SM2 point, compressed (33 octets); the last day of its use, in days since 1970 (4); the
                   issuing authority's signature over both (64, r || s)
    facts          SM3 of the holder's code, its first 12 octets; day of issue (4); last valid day (4, 0 for
                   none); the names of type and holder, each UTF-8 behind one length octet
    signature      by the key, over the identifier and the facts (64, r || s)

Signatures are SM2 with SM3 over a context line and then the octets. The issuing authority's certificate
is all that a verifier needs. A proof says what was issued; only the hub knows what became of it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from certs.identifiers import parse_identifier
from core.errors import BadInput
from signing import sm2, sm3
from signing.errors import ShuzhengError
from signing.signer import Signer
from signing.sm2 import PublicKey
from signing.x509.certificate import Certificate

VERSION: Final = 1
KEY_CONTEXT: Final = b"shuzheng-face-key/v1\n"
FACTS_CONTEXT: Final = b"shuzheng-face/v1\n"
POINT_BYTES: Final = 33
SIGNATURE_BYTES: Final = 64
HOLDER_BYTES: Final = 12
MAX_NAME_BYTES: Final = 60
MAX_CHARACTERS: Final = 4096
_EPOCH: Final = date(1970, 1, 1)
_KEY_BYTES: Final = POINT_BYTES + 4 + SIGNATURE_BYTES


class FaceInvalid(BadInput):
    """The text is no QR content of a certificate, or its proof does not hold."""

    code = "CERT-FACE-INVALID"
    title = "QR content invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceFacts:
    """What the face states: enough to compare with the paper and the person."""

    identifier: str
    type_name: str
    holder_name: str
    holder_digest: bytes
    issued_on: date
    valid_until: date | None

    def is_held_by(self, code: str) -> bool:
        """Tell whether `code` is the number of the holder."""
        return hmac.compare_digest(self.holder_digest, digest_holder(self.identifier, code))


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """QR content as read; `proof` is None where the code is an address only. Nothing in it is verified."""

    identifier: str
    proof: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceKey:
    """The key that signs faces, with the authority's statement about it."""

    signer: Signer
    statement: bytes


def digest_holder(identifier: str, code: str) -> bytes:
    """Digest a holder's number under the identifier, so that equal holders do not show."""
    return sm3.digest(f"{identifier}\n{code}".encode("utf-8", "surrogatepass"))[:HOLDER_BYTES]


def build_key_statement(*, public_key: PublicKey, last_on: date, authority: Signer) -> bytes:
    """Have the issuing authority state until when a key signs faces."""
    body = compress_point(public_key.point) + _days(last_on)
    return body + sm2.der_to_raw(authority.sign(KEY_CONTEXT + body))


def compress_point(point: bytes) -> bytes:
    """Compress 04 || x || y to 33 octets."""
    return bytes([2 + (point[64] & 1)]) + point[1:33]


def build_face(facts: FaceFacts, *, base_url: str, key: FaceKey) -> str:
    """Build the content of the QR code."""
    body = (
        facts.holder_digest
        + _days(facts.issued_on)
        + _days(facts.valid_until)
        + _name(facts.type_name)
        + _name(facts.holder_name)
    )
    signed = sm2.der_to_raw(key.signer.sign(FACTS_CONTEXT + facts.identifier.encode() + b"\n" + body))
    proof = bytes([VERSION]) + key.statement + body + signed
    return f"{base_url}/c/{facts.identifier}#{base64.urlsafe_b64encode(proof).decode().rstrip('=')}"


def read_face(text: str) -> Face:
    """Read QR content, also an address without a proof. Raises FaceInvalid."""
    text = text.strip()
    address, _, fragment = text.partition("#")
    head, found, identifier = address.rpartition("/c/")
    if len(text) > MAX_CHARACTERS or not found or "://" not in head:
        msg = "not the QR code of a certificate of this hub: <address>/c/<identifier>"
        raise FaceInvalid(msg)
    parse_identifier(identifier)
    try:
        padded = fragment + "=" * (-len(fragment) % 4)
        proof = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True) if fragment else None
    except (ValueError, binascii.Error) as trouble:
        msg = "the proof in the QR code is not base64url"
        raise FaceInvalid(msg) from trouble
    if proof is not None and base64.urlsafe_b64encode(proof).decode().rstrip("=") != fragment:
        msg = "the proof in the QR code is not written as it should be"
        raise FaceInvalid(msg)
    return Face(identifier=identifier, proof=proof)


def verify_face(text: str, *, authority: Certificate) -> FaceFacts:
    """Verify QR content against the issuing authority's certificate alone, and return what it states.

    Raises FaceInvalid where a signature or the form is wrong, or the key signed after its last day. Not
    checked: what became of the certificate since, and whether the authority itself is to be trusted.
    """
    face = read_face(text)
    if face.proof is None:
        msg = "the QR code holds an address only, no proof; ask the hub"
        raise FaceInvalid(msg)
    proof = face.proof
    body = proof[1 + _KEY_BYTES : -SIGNATURE_BYTES]
    if proof[0] != VERSION or len(proof) < 1 + _KEY_BYTES + HOLDER_BYTES + 8 + SIGNATURE_BYTES:
        msg = "the proof in the QR code has another form than this verifier knows"
        raise FaceInvalid(msg)
    point, last = proof[1 : 1 + POINT_BYTES], proof[1 + POINT_BYTES : 5 + POINT_BYTES]
    facts = _read_facts(face.identifier, body)
    last_on = _day(last)
    try:
        stated = proof[5 + POINT_BYTES : 1 + _KEY_BYTES]
        authority.require_key().verify(sm2.raw_to_der(stated), KEY_CONTEXT + point + last)
        message = FACTS_CONTEXT + face.identifier.encode() + b"\n" + body
        PublicKey.from_point(point).verify(sm2.raw_to_der(proof[-SIGNATURE_BYTES:]), message)
    except ShuzhengError as refused:
        msg = "a signature in the QR code is wrong: it was altered, or made elsewhere"
        raise FaceInvalid(msg) from refused
    if last_on is None or facts.issued_on > last_on:
        msg = "the key that signed the QR code was no longer in use on the day of issue"
        raise FaceInvalid(msg)
    return facts


def _read_facts(identifier: str, body: bytes) -> FaceFacts:
    position = HOLDER_BYTES + 8
    names = []
    try:
        for _ in range(2):
            length = body[position]
            names.append(body[position + 1 : position + 1 + length].decode())
            position += 1 + length
    except (IndexError, UnicodeDecodeError) as trouble:
        msg = "the facts in the QR code cannot be read"
        raise FaceInvalid(msg) from trouble
    issued_on = _day(body[HOLDER_BYTES : HOLDER_BYTES + 4])
    if position != len(body) or issued_on is None:
        msg = "the facts in the QR code cannot be read"
        raise FaceInvalid(msg)
    return FaceFacts(
        identifier=identifier,
        type_name=names[0],
        holder_name=names[1],
        holder_digest=body[:HOLDER_BYTES],
        issued_on=issued_on,
        valid_until=_day(body[HOLDER_BYTES + 4 : HOLDER_BYTES + 8]),
    )


def _days(day: date | None) -> bytes:
    return (0 if day is None else max((day - _EPOCH).days, 1)).to_bytes(4, "big")


def _day(octets: bytes) -> date | None:
    days = int.from_bytes(octets, "big")
    if days > 2_900_000:
        msg = "a day in the QR code lies beyond the calendar"
        raise FaceInvalid(msg)
    return None if days == 0 else _EPOCH + timedelta(days=days)


def _name(name: str) -> bytes:
    """Write a name, cut at a whole character where it is too long for the code."""
    octets = name.encode()[:MAX_NAME_BYTES].decode("utf-8", "ignore").encode()
    return bytes([len(octets)]) + octets
