"""A time-stamp authority.

Source: RFC 3161 2.1–2.4, RFC 5816 (ESSCertIDv2), GB/T 20520, GM/T 0033.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from signing import cms, der, oids, sm3
from signing.cms import Attribute
from signing.errors import DecodeError, KeyUnusable
from signing.signer import Signer
from signing.timestamp.clock import ClockGuard, ClockJumped
from signing.timestamp.request import MessageImprint, TimeStampRequest
from signing.timestamp.response import PkiFailure, PkiStatus, TimeStampResponse
from signing.x509.algorithms import SM2_WITH_SM3, SM3
from signing.x509.certificate import Certificate
from signing.x509.extensions import SIGNING_USAGE

MAX_SERIAL_BITS: Final = 159


def random_serial() -> int:
    """Draw a serial number of 128 random bits, above zero."""
    return secrets.randbits(128) or 1


class _Rejected(Exception):
    """Carries the answer to a request that is not granted; never leaves this module."""

    def __init__(self, failure: PkiFailure, text: str) -> None:
        super().__init__(text)
        self.failure = failure
        self.text = text


class TimeStampAuthority:
    """Stamps SM3 digests with the time of a guarded clock.

    `policy` is written where a request names none; `other_policies` may be asked for as well.
    `serial_source` must never return a number twice. `accuracy`, in whole milliseconds, is stated in
    every token. `chain` are the issuers' certificates, sent after the authority's own where a client asks
    for certificates. Raises KeyUnusable when the certificate is not for time stamping alone, critically so,
    or holds another key.
    """

    def __init__(
        self,
        *,
        certificate: Certificate,
        signer: Signer,
        clock: ClockGuard,
        policy: str,
        other_policies: Collection[str] = (),
        serial_source: Callable[[], int] = random_serial,
        accuracy: timedelta | None = timedelta(seconds=1),
        chain: Sequence[Certificate] = (),
    ) -> None:
        _require_suitable(certificate, signer)
        self.certificate: Final = certificate
        self._signer: Final = signer
        self._clock: Final = clock
        self._policy: Final = policy
        self._policies: Final = frozenset((policy, *other_policies))
        self._serial_source: Final = serial_source
        self._accuracy: Final = b"" if accuracy is None else _build_accuracy(accuracy)
        self._chain: Final = tuple(chain)
        self._signing_certificate: Final = Attribute(
            oids.ATTR_SIGNING_CERTIFICATE_V2, (_build_ess(certificate),)
        )

    def respond(self, request: bytes) -> bytes:
        """Answer a DER TimeStampReq with a DER TimeStampResp: a token, or the reason for none.

        A malformed request, an unknown algorithm, policy or extension, or a clock that jumped is answered
        with a rejection. Errors of the signer itself are raised.
        """
        try:
            asked = _parse(request)
            self._require_acceptable(asked)
            token = self._stamp(asked)
        except _Rejected as rejected:
            return TimeStampResponse(
                status=PkiStatus.REJECTION,
                texts=(rejected.text,),
                failures=frozenset({rejected.failure}),
            ).der
        return TimeStampResponse(status=PkiStatus.GRANTED, token=token).der

    def stamp(self, digest: bytes) -> bytes:
        """Stamp an SM3 digest for our own use and return the token with its certificates.

        Raises ClockJumped when the clock cannot be trusted, KeyUnusable outside the certificate's period.
        """
        imprint = MessageImprint.of_sm3(digest)
        if not imprint.is_sm3:
            message = "an SM3 digest has 32 octets"
            raise DecodeError(message)
        moment = self._clock.now()
        if not self.certificate.is_valid_at(moment):
            message = "the time-stamp authority's certificate is not valid now"
            raise KeyUnusable(message)
        return self._sign(TimeStampRequest(imprint=imprint, certificates_wanted=True), moment)

    def _require_acceptable(self, asked: TimeStampRequest) -> None:
        if not asked.imprint.is_sm3:
            text = "only SM3 digests of 32 octets are stamped"
            raise _Rejected(PkiFailure.BAD_ALG, text)
        if asked.policy is not None and asked.policy not in self._policies:
            text = "the requested policy is not offered"
            raise _Rejected(PkiFailure.UNACCEPTED_POLICY, text)
        if asked.extensions:
            text = "no request extension is offered"
            raise _Rejected(PkiFailure.UNACCEPTED_EXTENSION, text)

    def _stamp(self, asked: TimeStampRequest) -> bytes:
        try:
            moment = self._clock.now()
        except ClockJumped as error:
            raise _Rejected(PkiFailure.TIME_NOT_AVAILABLE, "the time is not available") from error
        if not self.certificate.is_valid_at(moment):
            text = "the authority's certificate is not valid now"
            raise _Rejected(PkiFailure.SYSTEM_FAILURE, text)
        return self._sign(asked, moment)

    def _sign(self, asked: TimeStampRequest, moment: datetime) -> bytes:
        serial = self._serial_source()
        if not 0 < serial < 1 << MAX_SERIAL_BITS:
            message = f"a time stamp's serial number must be above zero and below 2^{MAX_SERIAL_BITS}"
            raise KeyUnusable(message)
        info = der.sequence(
            der.integer(1),
            der.oid(asked.policy or self._policy),
            asked.imprint.der,
            der.integer(serial),
            der.generalized_time(moment, fraction=True),
            self._accuracy,
            der.integer(asked.nonce) if asked.nonce is not None else b"",
        )
        attributes = (*cms.basic_attributes(oids.CT_TST_INFO, sm3.digest(info)), self._signing_certificate)
        return cms.build_message(
            type_oid=oids.CMS_SIGNED_DATA,
            version=3,
            content_type=oids.CT_TST_INFO,
            content=info,
            certificates=(self.certificate, *self._chain),
            with_certificates=asked.certificates_wanted,
            signature_algorithm=SM2_WITH_SM3,
            attributes=attributes,
            signer=self._signer,
            message_bytes=info,
        )


def _require_suitable(certificate: Certificate, signer: Signer) -> None:
    critical = oids.EXT_EXTENDED_KEY_USAGE in certificate.critical_oids
    if certificate.extended_key_usage != (oids.EKU_TIME_STAMPING,) or not critical:
        message = "the certificate is not for time stamping alone, marked critical"
        raise KeyUnusable(message)
    if certificate.key_usage is not None and not certificate.key_usage & SIGNING_USAGE:
        message = "the certificate's key usage does not allow signing"
        raise KeyUnusable(message)
    if certificate.public_key != signer.public_key:
        message = "the time-stamp authority's certificate and key do not belong together"
        raise KeyUnusable(message)


def _parse(request: bytes) -> TimeStampRequest:
    try:
        return TimeStampRequest.parse(request)
    except DecodeError as error:
        raise _Rejected(PkiFailure.BAD_DATA_FORMAT, error.detail) from error


def _build_accuracy(accuracy: timedelta) -> bytes:
    millis = accuracy // timedelta(milliseconds=1)
    seconds, rest = divmod(millis, 1000)
    return der.sequence(
        der.integer(seconds) if seconds else b"", der.implicit(0, der.integer(rest)) if rest else b""
    )


def _build_ess(certificate: Certificate) -> bytes:
    """Write SigningCertificateV2 with SM3 and the issuer's name and serial number (RFC 5035 3)."""
    issuer = der.sequence(der.explicit(4, certificate.issuer.der))
    ess = der.sequence(
        SM3.der,
        der.octet_string(certificate.fingerprint),
        der.sequence(issuer, der.integer(certificate.serial)),
    )
    return der.sequence(der.sequence(ess))
