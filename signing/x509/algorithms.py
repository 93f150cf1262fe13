"""Algorithm identifiers and the signing of DER structures with SM2 and SM3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from signing import der, oids
from signing.der import Node, Reader, Tag
from signing.errors import DecodeError


@dataclass(frozen=True, slots=True)
class AlgorithmIdentifier:
    """An algorithm's OID and its parameters as they stand (None where absent)."""

    oid: str
    parameters: bytes | None = None

    @classmethod
    def from_node(cls, node: Node, what: str = "AlgorithmIdentifier") -> AlgorithmIdentifier:
        """Read an AlgorithmIdentifier; raise DecodeError."""
        reader = node.expect(Tag.SEQUENCE, what).reader(what)
        oid = der.read_oid(reader.any(), what)
        parameters = reader.last().raw if reader.remaining else None
        return cls(oid, parameters)

    @property
    def der(self) -> bytes:
        """The identifier as DER."""
        return der.sequence(der.oid(self.oid), self.parameters or b"")

    @property
    def bare(self) -> bool:
        """Tell whether the parameters are absent or NULL."""
        return self.parameters in (None, der.null())

    def is_sm2_with_sm3(self) -> bool:
        """Tell whether this names SM2 signatures with SM3, parameters absent or NULL (GM/T 0015)."""
        return self.oid == oids.SM2_WITH_SM3 and self.bare

    def is_sm3(self) -> bool:
        """Tell whether this names SM3, parameters absent or NULL."""
        return self.oid == oids.SM3 and self.bare


SM2_WITH_SM3: Final = AlgorithmIdentifier(oids.SM2_WITH_SM3)
SM3: Final = AlgorithmIdentifier(oids.SM3)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedParts:
    """What certificates, requests, CRLs and OCSP responses have in common."""

    body: Node
    algorithm: AlgorithmIdentifier
    signature: bytes


def parse_signed(node: Node, what: str) -> SignedParts:
    """Split SEQUENCE { body, AlgorithmIdentifier, BIT STRING }; raise DecodeError."""
    reader = node.expect(Tag.SEQUENCE, what).reader(what)
    parts = read_signed(reader, what)
    reader.finish()
    return parts


def read_signed(reader: Reader, what: str) -> SignedParts:
    """Take body, AlgorithmIdentifier and BIT STRING from `reader`; raise DecodeError."""
    body = reader.take(Tag.SEQUENCE, "tbs")
    algorithm = AlgorithmIdentifier.from_node(reader.any(), f"{what}.signatureAlgorithm")
    signature = der.read_bit_string(reader.any(), f"{what}.signature")
    return SignedParts(body=body, algorithm=algorithm, signature=signature)


def build_signed(body: bytes, signature: bytes) -> bytes:
    """Join a signed body, the identifier of SM2 with SM3, and the signature."""
    return der.sequence(body, SM2_WITH_SM3.der, der.bit_string(signature))


def require_same_algorithm(inner: Node, outer: AlgorithmIdentifier, what: str) -> None:
    """Raise DecodeError unless the algorithm inside the signed part equals the outer one, byte for byte."""
    if AlgorithmIdentifier.from_node(inner, f"{what}.signature") != outer:
        message = f"{what}: the signature algorithm inside differs from the one outside"
        raise DecodeError(message)
