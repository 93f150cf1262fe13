"""Time-stamp requests.

Source: RFC 3161 2.4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signing import der, oids
from signing.der import Node, Tag
from signing.errors import DecodeError
from signing.x509.algorithms import SM3, AlgorithmIdentifier
from signing.x509.extensions import Extension, build_extensions, parse_extensions

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_NONCE_BYTES: Final = 64
_MAX_IMPRINT_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class MessageImprint:
    """The digest that is stamped, and the algorithm it was made with."""

    algorithm: AlgorithmIdentifier
    digest: bytes

    @classmethod
    def from_node(cls, node: Node) -> MessageImprint:
        """Read a MessageImprint; raise DecodeError."""
        reader = node.expect(Tag.SEQUENCE, "messageImprint").reader("messageImprint")
        algorithm = AlgorithmIdentifier.from_node(reader.any(), "hashAlgorithm")
        digest = der.read_octet_string(reader.last(), "hashedMessage")
        if not 1 <= len(digest) <= _MAX_IMPRINT_BYTES:
            message = f"hashedMessage: 1 to {_MAX_IMPRINT_BYTES} octets are allowed"
            raise DecodeError(message)
        return cls(algorithm, digest)

    @classmethod
    def of_sm3(cls, digest: bytes) -> MessageImprint:
        """Build the imprint of an SM3 digest."""
        return cls(SM3, digest)

    @property
    def der(self) -> bytes:
        """The imprint as DER."""
        return der.sequence(self.algorithm.der, der.octet_string(self.digest))

    @property
    def is_sm3(self) -> bool:
        """Tell whether this is an SM3 digest of the right length."""
        known = self.algorithm.is_sm3() or (self.algorithm.oid == oids.SM3_UNKEYED and self.algorithm.bare)
        return known and len(self.digest) == 32


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStampRequest:
    """What a client asks to have stamped, under which policy, and whether it wants certificates."""

    imprint: MessageImprint
    policy: str | None = None
    nonce: int | None = None
    certificates_wanted: bool = False
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def parse(cls, data: bytes) -> TimeStampRequest:
        """Read a TimeStampReq; raise DecodeError."""
        if len(data) > MAX_REQUEST_BYTES:
            message = f"a time-stamp request has at most {MAX_REQUEST_BYTES} octets"
            raise DecodeError(message)
        reader = der.parse_der(data).expect(Tag.SEQUENCE, "TimeStampReq").reader("TimeStampReq")
        if der.read_integer(reader.any(), "TimeStampReq.version", max_bytes=1) != 1:
            message = "a time-stamp request must be of version 1"
            raise DecodeError(message)
        imprint = MessageImprint.from_node(reader.any())
        policy = reader.optional(Tag.OID)
        nonce = reader.optional(Tag.INTEGER)
        wanted = reader.optional(Tag.BOOLEAN)
        block = reader.optional(der.context(0))
        reader.finish()
        extensions = parse_extensions(retag(block)) if block else ()
        return cls(
            imprint=imprint,
            policy=der.read_oid(policy, "reqPolicy") if policy else None,
            nonce=der.read_integer(nonce, "nonce", max_bytes=MAX_NONCE_BYTES) if nonce else None,
            certificates_wanted=der.read_boolean(wanted, "certReq") if wanted else False,
            extensions=extensions,
        )

    @property
    def der(self) -> bytes:
        """The request as DER."""
        return der.sequence(
            der.integer(1),
            self.imprint.der,
            der.oid(self.policy) if self.policy is not None else b"",
            der.integer(self.nonce) if self.nonce is not None else b"",
            der.boolean(True) if self.certificates_wanted else b"",
            der.implicit(0, build_extensions(self.extensions)) if self.extensions else b"",
        )


def retag(node: Node) -> Node:
    """Read an implicitly tagged SEQUENCE as the SEQUENCE it stands for."""
    return der.parse_der(bytes((Tag.SEQUENCE,)) + node.raw[1:])
