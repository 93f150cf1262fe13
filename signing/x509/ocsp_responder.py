"""Answer OCSP requests: on demand, or ahead of them.

Pure functions of what the caller knows: the register of statuses and the times come in from outside.

Source: RFC 6960 2.2, 4.2; RFC 9654 (nonce); RFC 5019 (pre-produced responses).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from signing import der, oids
from signing.errors import DecodeError
from signing.signer import Signer
from signing.x509 import extensions as ext
from signing.x509.algorithms import SM2_WITH_SM3
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationReason
from signing.x509.errors import IssuanceRefused
from signing.x509.ocsp import (
    CertId,
    CertStatus,
    OcspRequest,
    OcspResponseStatus,
    build_nonce,
)

PRODUCED_HASHES: Final = (oids.SM3, oids.SHA1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusAnswer:
    """What the register says about one serial number. `revoked_at` belongs to REVOKED, and only to it."""

    status: CertStatus
    revoked_at: datetime | None = None
    reason: RevocationReason | None = None

    def __post_init__(self) -> None:
        if (self.status is CertStatus.REVOKED) != (self.revoked_at is not None):
            message = "a revoked certificate, and only a revoked one, has a time of revocation"
            raise IssuanceRefused(message)


GOOD: Final = StatusAnswer(status=CertStatus.GOOD)
UNKNOWN: Final = StatusAnswer(status=CertStatus.UNKNOWN)

StatusRegister = Callable[[int], StatusAnswer]
"""Tells the status of a serial number of the issuer; UNKNOWN for one that was never issued."""


@dataclass(frozen=True, slots=True)
class Responder:
    """An OCSP responder for certificates of `issuer`: the issuer itself, or one that it delegated.

    Raises IssuanceRefused when the certificate may not sign OCSP responses for `issuer`, or holds
    another key.
    """

    certificate: Certificate
    signer: Signer = field(repr=False)
    issuer: Certificate = field(kw_only=True)

    def __post_init__(self) -> None:
        if self.certificate.public_key != self.signer.public_key:
            message = "the responder's certificate and key do not belong together"
            raise IssuanceRefused(message)
        delegated = self.certificate.issuer.der == self.issuer.subject.der and (
            oids.EKU_OCSP_SIGNING in (self.certificate.extended_key_usage or ())
        )
        if self.certificate != self.issuer and not delegated:
            message = "the certificate is not for OCSP signing by order of this issuer"
            raise IssuanceRefused(message)

    def respond(
        self,
        request: bytes,
        register: StatusRegister,
        *,
        produced_at: datetime,
        this_update: datetime | None = None,
        next_update: datetime | None = None,
    ) -> bytes:
        """Answer a DER OCSPRequest with a DER OCSPResponse, repeating its nonce.

        What cannot be read is answered `malformedRequest`. Certificates of other issuers are `unknown`.
        `this_update` (when the register was known to be right) defaults to `produced_at`.
        """
        try:
            asked = OcspRequest.parse(request)
        except DecodeError:
            return build_error_response(OcspResponseStatus.MALFORMED_REQUEST)
        answers = [
            (cert_id, register(cert_id.serial) if cert_id.is_of(self.issuer) else UNKNOWN)
            for cert_id in asked.cert_ids
        ]
        return self.build_response(
            answers,
            produced_at=produced_at,
            this_update=this_update or produced_at,
            next_update=next_update,
            nonce=asked.nonce,
        )

    def pre_produce(
        self,
        serials: Iterable[int],
        register: StatusRegister,
        *,
        produced_at: datetime,
        next_update: datetime,
        hash_oids: Sequence[str] = PRODUCED_HASHES,
    ) -> dict[tuple[str, int], bytes]:
        """Make responses ahead of requests, keyed by (hash OID, serial): one per hash that clients use.

        They carry no nonce, so `find_pre_produced` serves them only to requests that have none.
        """
        produced: dict[tuple[str, int], bytes] = {}
        for serial in serials:
            answer = register(serial)
            for hash_oid in hash_oids:
                cert_id = CertId.build(serial, self.issuer, hash_oid=hash_oid)
                produced[hash_oid, serial] = self.build_response(
                    [(cert_id, answer)],
                    produced_at=produced_at,
                    this_update=produced_at,
                    next_update=next_update,
                )
        return produced

    def find_pre_produced(self, request: bytes, produced: Mapping[tuple[str, int], bytes]) -> bytes | None:
        """Return the ready response to `request`, or None where one has to be made for it."""
        try:
            asked = OcspRequest.parse(request)
        except DecodeError:
            return None
        if asked.nonce is not None or len(asked.cert_ids) != 1 or not asked.cert_ids[0].is_of(self.issuer):
            return None
        return produced.get((asked.cert_ids[0].hash_oid, asked.cert_ids[0].serial))

    def build_response(
        self,
        answers: Sequence[tuple[CertId, StatusAnswer]],
        *,
        produced_at: datetime,
        this_update: datetime,
        next_update: datetime | None,
        nonce: bytes | None = None,
    ) -> bytes:
        """Sign a successful response over `answers`."""
        singles = [_build_single(cert_id, answer, this_update, next_update) for cert_id, answer in answers]
        block = der.explicit(1, ext.build_extensions([build_nonce(nonce)])) if nonce is not None else b""
        data = der.sequence(
            der.explicit(1, self.certificate.subject.der),
            der.generalized_time(produced_at),
            der.sequence(*singles),
            block,
        )
        delegated = self.certificate != self.issuer
        basic = der.sequence(
            data,
            SM2_WITH_SM3.der,
            der.bit_string(self.signer.sign(data)),
            der.explicit(0, der.sequence(self.certificate.der)) if delegated else b"",
        )
        body = der.sequence(der.oid(oids.OCSP_BASIC), der.octet_string(basic))
        return der.sequence(der.enumerated(OcspResponseStatus.SUCCESSFUL), der.explicit(0, body))


def build_error_response(status: OcspResponseStatus) -> bytes:
    """Write a response that answers nothing; it bears no signature (RFC 6960 2.3)."""
    if status is OcspResponseStatus.SUCCESSFUL:
        message = "a successful OCSP response needs a body"
        raise IssuanceRefused(message)
    return der.sequence(der.enumerated(status))


def _build_single(
    cert_id: CertId, answer: StatusAnswer, this_update: datetime, next_update: datetime | None
) -> bytes:
    following = der.explicit(0, der.generalized_time(next_update)) if next_update is not None else b""
    return der.sequence(cert_id.raw, _build_status(answer), der.generalized_time(this_update), following)


def _build_status(answer: StatusAnswer) -> bytes:
    if answer.revoked_at is None:
        return der.implicit(2 if answer.status is CertStatus.UNKNOWN else 0, der.null())
    reason = der.explicit(0, der.enumerated(answer.reason)) if answer.reason else b""
    return der.implicit(1, der.sequence(der.generalized_time(answer.revoked_at), reason))
