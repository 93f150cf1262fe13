"""The list of signers inside a seal: who may sign with it.

Source: GB/T 38540-2020 6.2 (certListType 1: certificates, 2: digests of certificates).
"""

from __future__ import annotations

import hashlib
from typing import Final

from signing import oids, sm3
from signing.seals.model import CertListType, SealProperty
from signing.trust import TrustPolicy

_SHA256_NAMES: Final = frozenset({"sha256", "sha-256", oids.SHA256})


def is_listed(prop: SealProperty, certificate: bytes, *, trust: TrustPolicy) -> bool:
    """Tell whether a certificate (DER) is one that may sign.

    Certificates are compared octet by octet. Digests are SM3 of the DER whatever their type says; SHA-256
    counts only where the entry names it and the policy accepts it.
    """
    if prop.list_type is CertListType.CERTIFICATES:
        return certificate in prop.certificates
    digest = sm3.digest(certificate)
    if any(each.value == digest for each in prop.digests):
        return True
    if not trust.accept_sha256_digest_list:
        return False
    other = hashlib.sha256(certificate).digest()
    return any(each.value == other for each in prop.digests if each.type.lower() in _SHA256_NAMES)
