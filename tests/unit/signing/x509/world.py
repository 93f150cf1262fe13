"""Certificates that no authority of ours would issue, for the tests of reading and judging."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from signing import der
from signing.signer import Signer
from signing.x509 import extensions as ext
from signing.x509.algorithms import SM2_WITH_SM3
from signing.x509.certificate import Certificate, key_identifier
from signing.x509.extensions import Extension
from signing.x509.names import Name
from tests.unit.signing.hierarchy import END, START, key, name

NULL_PARAMETERS = der.sequence(SM2_WITH_SM3.der[2:], der.null())


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A certificate to be, in the parts that it is written from; anything may be wrong with it."""

    issuer: Name
    subject: Name
    public_key_info: bytes
    serial: bytes = der.integer(5)
    version: bytes = der.explicit(0, der.integer(2))
    inner_algorithm: bytes = SM2_WITH_SM3.der
    outer_algorithm: bytes = SM2_WITH_SM3.der
    not_before: datetime = START
    not_after: datetime = END
    extensions: Sequence[bytes] = ()
    unique_ids: bytes = b""
    signature: Callable[[bytes], bytes] = field(default=bytes)

    def change(self, **changes: object) -> Draft:
        return replace(self, **changes)  # type: ignore[arg-type]

    def octets(self, signer: Signer) -> bytes:
        """Write and sign it."""
        block = der.explicit(3, der.sequence(*self.extensions)) if self.extensions else b""
        tbs = der.sequence(
            self.version,
            self.serial,
            self.inner_algorithm,
            self.issuer.der,
            der.sequence(der.time(self.not_before), der.time(self.not_after)),
            self.subject.der,
            self.public_key_info,
            self.unique_ids,
            block,
        )
        signature = self.signature(signer.sign(tbs))
        return der.sequence(tbs, self.outer_algorithm, der.bit_string(signature))

    def sign(self, signer: Signer) -> Certificate:
        return Certificate.parse(self.octets(signer))


def draft(number: int, *, issuer: Name, extensions: Sequence[Extension] = ()) -> Draft:
    """Begin a certificate over the fixed key of a number."""
    return Draft(
        issuer=issuer,
        subject=name(f"草稿 {number}"),
        public_key_info=key(number).public_key.spki,
        extensions=tuple(extension.der for extension in extensions),
    )


def authority_extensions(number: int, path_length: int | None = None) -> list[Extension]:
    """What the certificate of an authority with the key of `number` bears."""
    return [
        ext.subject_key_identifier(key_identifier(key(number).public_key)),
        ext.key_usage({ext.KeyUsage.KEY_CERT_SIGN, ext.KeyUsage.CRL_SIGN}),
        ext.basic_constraints(ext.BasicConstraints(True, path_length), critical=True),
    ]
