"""Make seal signatures: set a seal on data.

The steps of the standards, numbered as there:

1  the signer's certificate: chain, validity, revocation, key usage
2  the seal verifies
3  the signer's certificate is in the seal's list; a renewed certificate needs a new seal
4–5  (the caller's) the protected data, and its SM3 digest
6  TBS_Sign    7  the signature    8  a time stamp over it, if wanted    9  SES_Signature

Steps 1–3 cost several SM2 verifications and do not depend on the data; `prepare_seal_signer` does them
once for many signatures.
Source: GM/T 0031-2014 6.2.2; the same steps in GB/T 38540-2020 and GM/T 0031-2025.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from signing import oids, sm3
from signing.der import bit_string, sequence
from signing.findings import refuse_on
from signing.seals import encode
from signing.seals.assess import assess_read_seal
from signing.seals.build import TimestampHook, require_distinct, require_own_certificate
from signing.seals.errors import SealRefused
from signing.seals.holders import SIGNER, assess_holder
from signing.seals.model import Seal, SealExtension, SealVersion
from signing.seals.signers import is_listed
from signing.signer import Signer
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate

MAX_PROPERTY_INFO: Final = 1024
DEFAULT_VALIDITY: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealSigner:
    """A seal, a signer and a certificate that were found fit to sign together at `prepared_at`.

    Build it with `prepare_seal_signer`. It signs until `usable_until`; then the seal, the chain and the
    revocation lists are to be looked at anew.
    """

    seal: Seal
    signer: Signer = field(repr=False)
    certificate: Certificate
    prepared_at: datetime
    usable_until: datetime

    def sign(
        self,
        *,
        data_hash: bytes,
        property_info: str,
        signed_at: datetime,
        extensions: tuple[SealExtension, ...] = (),
        timestamp: TimestampHook | None = None,
    ) -> bytes:
        """Sign a digest and return the DER of SES_Signature, in the version of the seal.

        `data_hash` is SM3 (32 octets) of the protected data, `property_info` tells how to find that data
        (for OFD: the absolute path of Signature.xml). `timestamp` (not V1) is asked for a token over
        the signature value. Raises SealRefused.
        """
        self._require(data_hash, property_info, signed_at)
        require_distinct(extensions)
        if self.seal.version is SealVersion.V1:
            return self._sign_v1(data_hash, property_info, signed_at, extensions, timestamp)
        tbs = encode.encode_tbs_v4(
            version=self.seal.header.version,
            seal=self.seal.der,
            signed_at=signed_at,
            data_hash=data_hash,
            property_info=property_info,
            extensions=extensions,
        )
        value = self.signer.sign(tbs)
        token = timestamp(sm3.digest(value)) if timestamp is not None else None
        return encode.encode_signature_v4(tbs, self.certificate.der, oids.SM2_WITH_SM3, value, token)

    def _sign_v1(
        self,
        data_hash: bytes,
        property_info: str,
        signed_at: datetime,
        extensions: tuple[SealExtension, ...],
        timestamp: TimestampHook | None,
    ) -> bytes:
        if extensions or timestamp is not None:
            message = "a V1 seal signature has no place for extensions or for a time stamp of its value"
            raise SealRefused(message)
        tbs = encode.encode_tbs_v1(
            version=self.seal.header.version,
            seal=self.seal.der,
            signed_at=signed_at,
            data_hash=data_hash,
            property_info=property_info,
            signer_certificate=self.certificate.der,
            algorithm=oids.SM2_WITH_SM3,
        )
        return sequence(tbs, bit_string(self.signer.sign(tbs)))

    def _require(self, data_hash: bytes, property_info: str, signed_at: datetime) -> None:
        if len(data_hash) != sm3.DIGEST_BYTES:
            message = "data_hash must be an SM3 digest of 32 octets"
            raise SealRefused(message)
        if not property_info or len(property_info) > MAX_PROPERTY_INFO or not property_info.isascii():
            message = f"property_info must be 1 to {MAX_PROPERTY_INFO} ASCII characters"
            raise SealRefused(message)
        if signed_at.tzinfo is None:
            message = "signed_at must carry its time zone"
            raise SealRefused(message)
        if not self.prepared_at <= signed_at <= self.usable_until:
            message = "signed_at lies outside the time for which this signer was prepared; prepare it anew"
            raise SealRefused(message)


def prepare_seal_signer(
    *,
    seal: Seal,
    signer: Signer,
    certificate: Certificate,
    at: datetime,
    trust: TrustPolicy,
    validity: timedelta = DEFAULT_VALIDITY,
) -> SealSigner:
    """Find out whether signer, certificate and seal may sign together, from `at` for `validity`.

    `trust` must hold the roots of signer and maker. Raises SealRefused for parts that do not belong
    together, EvidenceRefused for a certificate or seal that must not be trusted at `at`.
    """
    require_own_certificate(signer, certificate, "signer")
    refuse_on(assess_holder(certificate.der, role=SIGNER, at=at, trust=trust).findings)
    refuse_on(assess_read_seal(seal, moment=at, trust=trust).findings)
    if not is_listed(seal.property, certificate.der, trust=trust):
        message = "the signer's certificate is not in the seal's list; a renewed certificate needs a new seal"
        raise SealRefused(message)
    return SealSigner(
        seal=seal,
        signer=signer,
        certificate=certificate,
        prepared_at=at,
        usable_until=min(at + validity, certificate.not_after, seal.property.valid_until),
    )


def build_seal_signature(
    *,
    seal: Seal,
    signer: Signer,
    signer_certificate: Certificate,
    data_hash: bytes,
    property_info: str,
    signed_at: datetime,
    trust: TrustPolicy,
    extensions: tuple[SealExtension, ...] = (),
    timestamp: TimestampHook | None = None,
) -> bytes:
    """Sign one digest under a seal and return the DER of SES_Signature, in the version of the seal.

    Raises what `prepare_seal_signer` and `SealSigner.sign` raise.
    """
    ready = prepare_seal_signer(
        seal=seal, signer=signer, certificate=signer_certificate, at=signed_at, trust=trust
    )
    return ready.sign(
        data_hash=data_hash,
        property_info=property_info,
        signed_at=signed_at,
        extensions=extensions,
        timestamp=timestamp,
    )
