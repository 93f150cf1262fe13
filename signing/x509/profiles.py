"""Certificate profiles: what each kind of certificate may do.

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
