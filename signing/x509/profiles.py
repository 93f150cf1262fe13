"""Certificate profiles: what each kind of certificate may do.

HUB_SIGNER bears no extended key usage. One of our own would need an arc of object identifiers, which this
project does not have; identifiers made of a UUID (ITU-T X.667, 2.25) need none, but Go's crypto/x509 does not
read their 128-bit arcs, and receipts must verify with anybody's software; documentSigning (RFC 9336) is what
other authorities write for those who seal, and so would separate nothing. What separates receipts from seals:
a seal lists the certificates that may use it, and `core.log.trust` takes receipts and heads from the subject
alone that the hub gives to its own signer. An operator with an arc of his own enters the identifier in RULES;
`signing.seals.holders` then refuses such certificates as seals' signers.

Source: GM/T 0015 annex C, RFC 5280 4.2, RFC 6960 4.2.2.2, RFC 3161 2.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from signing import oids
from signing.x509.extensions import SIGNING_USAGE, BasicConstraints, KeyUsage


class Profile(StrEnum):
    """The kinds of certificate an authority issues."""

    ISSUING_CA = "issuing_ca"
    ORGANISATION_SYSTEM = "organisation_system"
    SEAL_MAKER = "seal_maker"
    SEAL_SIGNER = "seal_signer"
    HUB_SIGNER = "hub_signer"
    OCSP_RESPONDER = "ocsp_responder"
    TSA = "tsa"


END_ENTITY: Final = BasicConstraints()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRules:
    """The extensions that a profile fixes.

    `published` certificates carry CRL distribution points and OCSP access; an OCSP responder's carries
    ocsp-nocheck in their place.
    """

    key_usage: frozenset[KeyUsage] = SIGNING_USAGE
    extended_key_usage: tuple[str, ...] = ()
    extended_key_usage_critical: bool = False
    basic_constraints: BasicConstraints = END_ENTITY
    ocsp_no_check: bool = False


_CA_USAGE: Final = frozenset({KeyUsage.KEY_CERT_SIGN, KeyUsage.CRL_SIGN})

ROOT_USAGE: Final = _CA_USAGE

RULES: Final[dict[Profile, ProfileRules]] = {
    Profile.ISSUING_CA: ProfileRules(key_usage=_CA_USAGE, basic_constraints=BasicConstraints(True, 0)),
    Profile.ORGANISATION_SYSTEM: ProfileRules(extended_key_usage=(oids.EKU_CLIENT_AUTH,)),
    Profile.SEAL_MAKER: ProfileRules(),
    Profile.SEAL_SIGNER: ProfileRules(),
    Profile.HUB_SIGNER: ProfileRules(),
    Profile.OCSP_RESPONDER: ProfileRules(
        key_usage=frozenset({KeyUsage.DIGITAL_SIGNATURE}),
        extended_key_usage=(oids.EKU_OCSP_SIGNING,),
        ocsp_no_check=True,
    ),
    Profile.TSA: ProfileRules(extended_key_usage=(oids.EKU_TIME_STAMPING,), extended_key_usage_critical=True),
}
