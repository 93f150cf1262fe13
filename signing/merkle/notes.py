"""Signed notes after C2SP signed-note, with Ed25519 and SM2 keys.

A note is a text, a blank line, and signature lines `— <key name> <base64(key id || signature)>`. The key id
is the head of SHA-256(name || LF || signature type || public key): it finds a key and secures nothing.

SM2 has no assigned signature type. Ours is 0xff, which the specification reserves for that case, followed by
the ASCII text `sm2-sm3.shuzheng/v1`; the public key is the 65-byte uncompressed point; the signature is
r || s, 64 bytes, over the note text with the default ID of GB/T 32918.2. Tools that do not know it skip it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from signing import sm2
from signing.errors import DecodeError, SignatureInvalid
from signing.merkle.errors import CheckpointRefused
from signing.signer import Signer

ED25519_TYPE: Final = b"\x01"
SM2_TYPE: Final = b"\xffsm2-sm3.shuzheng/v1"

MAX_NOTE_BYTES: Final = 1 << 20
MAX_NOTE_SIGNATURES: Final = 100
KEY_ID_BYTES: Final = 4
ED25519_SIGNATURE_BYTES: Final = 64

_SIGNATURE_LINE: Final = re.compile(r"— (?P<name>[^\s+]+) (?P<value>[A-Za-z0-9+/]+={0,2})")
_VERIFIER_KEY: Final = re.compile(r"(?P<name>[^\s+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/]+={0,2})")


class NoteVerifier(Protocol):
    """A key that can check signatures of notes."""

    @property
    def name(self) -> str:
        """The key's name, as in its signature lines."""

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check the signature, or raise SignatureInvalid."""


class NoteSigner(Protocol):
    """A key that can sign notes."""

    @property
    def name(self) -> str:
        """The key's name, as in its signature lines."""

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""

    def sign(self, text: bytes) -> bytes:
        """Sign the note text (UTF-8, with its final newline)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteSignature:
    """One signature line of a note."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"— {self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedNote:
    """A note and its signature lines, none of them verified. Do not act on `text` before `verify_note`."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """Write the note out."""
        return f"{self.text}\n{''.join(each.line for each in self.signatures)}".encode()


def build_key_id(name: str, signature_type: bytes, public_key: bytes) -> bytes:
    """Compute a key id as C2SP signed-note recommends."""
    return hashlib.sha256(name.encode() + b"\n" + signature_type + public_key).digest()[:KEY_ID_BYTES]


def build_verifier_key(name: str, signature_type: bytes, public_key: bytes) -> str:
    """Write a public key as `<name>+<key id in hex>+<base64(type || key)>`, the form that Go's notes use."""
    key_id = build_key_id(name, signature_type, public_key)
    return f"{name}+{key_id.hex()}+{encode_base64(signature_type + public_key)}"


def sign_note(text: str, signers: Sequence[NoteSigner]) -> SignedNote:
    """Sign a text with each of `signers`; raise DecodeError where the text cannot be a note."""
    _check_text(text)
    return add_signatures(SignedNote(text=text, signatures=()), signers)


def add_signatures(note: SignedNote, signers: Sequence[NoteSigner]) -> SignedNote:
    """Append signature lines to a note. Whoever cosigns verifies the note first."""
    text = note.text.encode()
    added = (
        NoteSignature(name=signer.name, key_id=signer.key_id, signature=signer.sign(text))
        for signer in signers
    )
    return SignedNote(text=note.text, signatures=(*note.signatures, *added))


def parse_note(data: bytes) -> SignedNote:
    """Read a note of at most 1 MiB and 100 signatures, without verifying any of them.

    Raises DecodeError for anything that deviates from the format, base64 in another spelling included: the
    bytes that `to_bytes` writes are the bytes that were read.
    """
    if len(data) > MAX_NOTE_BYTES:
        message = f"A signed note has at most {MAX_NOTE_BYTES} bytes."
        raise DecodeError(message)
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        message = "A signed note is UTF-8 text; this is not."
        raise DecodeError(message) from error
    text, separator, tail = whole.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        message = "A signed note ends in a blank line and signature lines."
        raise DecodeError(message)
    _check_text(text + "\n")
    _check_text(tail)
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_NOTE_SIGNATURES:
        message = f"A signed note has at most {MAX_NOTE_SIGNATURES} signatures."
        raise DecodeError(message)
    return SignedNote(text=text + "\n", signatures=tuple(map(_parse_signature_line, lines)))


def verify_note(note: SignedNote, verifiers: Sequence[NoteVerifier]) -> tuple[NoteSignature, ...]:
    """Check every signature whose key is among `verifiers`; return those signatures, each key's first.

    Unknown keys are passed over, as the specification demands. Raises CheckpointRefused where a known key's
    signature does not verify, or where no known key has signed.
    """
    known = {(verifier.name, verifier.key_id): verifier for verifier in verifiers}
    text = note.text.encode()
    verified: dict[tuple[str, bytes], NoteSignature] = {}
    for signature in note.signatures:
        key = (signature.name, signature.key_id)
        if key not in known:
            continue
        try:
            known[key].verify(text, signature.signature)
        except SignatureInvalid as error:
            message = f"The signature of {signature.name} does not verify over this text."
            raise CheckpointRefused(message) from error
        verified.setdefault(key, signature)
    if not verified:
        message = "No trusted key has signed this note."
        raise CheckpointRefused(message)
    return tuple(verified.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519NoteVerifier:
    """An Ed25519 public key under a name (signature type 0x01)."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return build_key_id(self.name, ED25519_TYPE, self.public_key)

    @property
    def verifier_key(self) -> str:
        """The key as text, for other tools."""
        return build_verifier_key(self.name, ED25519_TYPE, self.public_key)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check the signature, or raise SignatureInvalid."""
        verify_ed25519(self.public_key, signature, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ed25519NoteSigner:
    """An Ed25519 private key under a name."""

    name: str
    private_key: Ed25519PrivateKey

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def verifier(self) -> Ed25519NoteVerifier:
        """The public half."""
        return Ed25519NoteVerifier(
            name=self.name, public_key=self.private_key.public_key().public_bytes_raw()
        )

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return self.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        """Sign the note text: 64 bytes after RFC 8032."""
        return self.private_key.sign(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2NoteVerifier:
    """An SM2 public key under a name."""

    name: str
    public_key: sm2.PublicKey

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return build_key_id(self.name, SM2_TYPE, self.public_key.point)

    @property
    def verifier_key(self) -> str:
        """The key as text."""
        return build_verifier_key(self.name, SM2_TYPE, self.public_key.point)

    def verify(self, text: bytes, signature: bytes) -> None:
        """Check the signature, or raise SignatureInvalid."""
        verify_sm2(self.public_key, signature, text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2NoteSigner:
    """An SM2 signer (private key, key store entry, HSM) under a name."""

    name: str
    signer: Signer

    def __post_init__(self) -> None:
        check_key_name(self.name)

    @property
    def verifier(self) -> Sm2NoteVerifier:
        """The public half."""
        return Sm2NoteVerifier(name=self.name, public_key=self.signer.public_key)

    @property
    def key_id(self) -> bytes:
        """The key's id, four bytes."""
        return self.verifier.key_id

    def sign(self, text: bytes) -> bytes:
        """Sign the note text: r || s, 64 bytes."""
        return sm2.der_to_raw(self.signer.sign(text))


def parse_verifier_key(text: str) -> Ed25519NoteVerifier | Sm2NoteVerifier:
    """Read a public key that `build_verifier_key` or Go's note package wrote; raise DecodeError otherwise."""
    name, signature_type, public_key = split_verifier_key(text, (ED25519_TYPE, SM2_TYPE))
    if signature_type == SM2_TYPE:
        return Sm2NoteVerifier(name=name, public_key=sm2.PublicKey.from_point(public_key))
    return Ed25519NoteVerifier(name=name, public_key=public_key)


def split_verifier_key(text: str, signature_types: Sequence[bytes]) -> tuple[str, bytes, bytes]:
    """Split a verifier key into name, signature type (one of those given) and public key."""
    match = _VERIFIER_KEY.fullmatch(text)
    if match is None:
        message = "A verifier key reads <name>+<key id>+<base64>."
        raise DecodeError(message)
    check_key_name(match["name"])
    material = parse_base64(match["key"])
    for signature_type in signature_types:
        public_key = material.removeprefix(signature_type)
        expected_bytes = 65 if signature_type.startswith(b"\xff") else 32
        if material.startswith(signature_type) and len(public_key) == expected_bytes:
            if build_key_id(match["name"], signature_type, public_key).hex() != match["id"]:
                message = "The key id of this verifier key does not belong to its name and key."
                raise DecodeError(message)
            return match["name"], signature_type, public_key
    message = "This verifier key is of a type or length that is not known here."
    raise DecodeError(message)


def check_key_name(name: str) -> None:
    """Raise DecodeError for a key name that a signature line cannot carry."""
    if not name or "+" in name or any(_cannot_be_named(each) for each in name):
        message = "The name of a note's key is not empty, is Unicode, and has neither spaces nor '+'."
        raise DecodeError(message)


def _cannot_be_named(character: str) -> bool:
    return character.isspace() or character < " " or "\ud800" <= character <= "\udfff"


def verify_ed25519(public_key: bytes, signature: bytes, message: bytes) -> None:
    """Check an Ed25519 signature (RFC 8032), or raise SignatureInvalid."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        detail = "The Ed25519 signature does not verify."
        raise SignatureInvalid(detail) from error


def verify_sm2(public_key: sm2.PublicKey, signature: bytes, message: bytes) -> None:
    """Check an SM2 signature given as r || s, or raise SignatureInvalid."""
    try:
        der = sm2.raw_to_der(signature)
    except DecodeError as error:
        detail = "An SM2 signature of a note is r || s, 64 bytes; this is not."
        raise SignatureInvalid(detail) from error
    public_key.verify(der, message)


def encode_base64(data: bytes) -> str:
    """Encode as base64 (RFC 4648 section 4, padded)."""
    return base64.b64encode(data).decode()


def parse_base64(text: str) -> bytes:
    """Decode base64 in its one canonical spelling (RFC 4648 section 4); raise DecodeError otherwise."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:  # binascii.Error, and the plain ValueError for text that is not ASCII
        message = "This is not base64."
        raise DecodeError(message) from error
    if encode_base64(data) != text:
        message = "This base64 is not in its canonical spelling."
        raise DecodeError(message)
    return data


def _parse_signature_line(line: str) -> NoteSignature:
    match = _SIGNATURE_LINE.fullmatch(line)
    value = parse_base64(match["value"]) if match else b""
    if match is None or len(value) <= KEY_ID_BYTES:
        message = "A signature line reads: em dash, space, key name, space, base64 of key id and signature."
        raise DecodeError(message)
    return NoteSignature(name=match["name"], key_id=value[:KEY_ID_BYTES], signature=value[KEY_ID_BYTES:])


def _check_text(text: str) -> None:
    control = any(each < " " and each != "\n" for each in text)
    if control or len(text) < 2 or not text.endswith("\n"):
        message = "The text of a note ends in a newline and has no other control characters."
        raise DecodeError(message)
