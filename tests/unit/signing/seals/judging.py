"""Seals and seal signatures judged, taken apart and forged, for the tests of attacks on them."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from signing import der, oids, sm3
from signing.seals import encode
from signing.seals.assess import SealReport, assess_seal
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal
from signing.seals.signature import (
    SealSignatureReport,
    assess_seal_signature,
)
from signing.trust import TrustPolicy
from tests.unit.signing.seals import pki

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "200"))
WORLD = pki.pki()
HASH = sm3.digest(pki.DATA)
VERSIONS = list(SealVersion)
MODERN = [SealVersion.V4, SealVersion.V5]


def judge(value: bytes, **changes: Any) -> SealSignatureReport:
    fields: dict[str, Any] = {
        "data_hash": HASH,
        "property_info": pki.PATH,
        "at": pki.NOW + timedelta(days=2),
        "trust": WORLD.trust(),
    }
    return assess_seal_signature(value, **{**fields, **changes})


def judge_seal(value: bytes, trust: TrustPolicy | None = None, **changes: Any) -> SealReport:
    return assess_seal(value, at=changes.get("at", pki.NOW), trust=trust or WORLD.trust())


def parts_of(value: bytes) -> list[bytes]:
    return [part.raw for part in der.parse_der(value).children()]


def forge_signature(seal: bytes, holder: pki.Holder, version: SealVersion = SealVersion.V4) -> bytes:
    """Assemble a signature without any of the checks that our own signer makes."""
    common: dict[str, Any] = {
        "version": int(version),
        "seal": seal,
        "signed_at": pki.NOW,
        "data_hash": HASH,
        "property_info": pki.PATH,
    }
    certificate = holder.certificate.der
    if version is SealVersion.V1:
        tbs = encode.encode_tbs_v1(**common, signer_certificate=certificate, algorithm=oids.SM2_WITH_SM3)
        return der.sequence(tbs, der.bit_string(holder.key.sign(tbs)))
    tbs = encode.encode_tbs_v4(**common, extensions=())
    value = holder.key.sign(tbs)
    return encode.encode_signature_v4(tbs, certificate, oids.SM2_WITH_SM3, value, None)


def forge_seal(
    *, version: SealVersion = SealVersion.V4, maker: pki.Holder | None = None, **changes: Any
) -> bytes:
    """Make a seal without any of the checks that our own maker makes."""
    sealed = parse_seal(pki.seal_of(version))
    fields: dict[str, Any] = {
        "version": version,
        "header": sealed.header,
        "seal_id": sealed.seal_id,
        "prop": sealed.property,
        "picture": sealed.picture,
        "extensions": sealed.extensions,
    }
    info = encode.encode_info(**{**fields, **changes})
    holder = maker or WORLD.maker
    certificate, algorithm = holder.certificate.der, oids.SM2_WITH_SM3
    if version is SealVersion.V1:
        value = holder.key.sign(encode.encode_seal_signed_v1(info, certificate, algorithm))
        return encode.encode_seal_v1(info, certificate, algorithm, value)
    return encode.encode_seal_v4(info, certificate, algorithm, holder.key.sign(info))
