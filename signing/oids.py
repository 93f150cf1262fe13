"""Object identifiers, as dotted decimals.

Source: GM/T 0006, GB/T 33560, RFC 5280, RFC 5652, RFC 3161, RFC 5035, RFC 6960, RFC 2986.
"""

from __future__ import annotations

from typing import Final

# --- SM2, SM3, SM4 -----------------------------------------------------------------------------
SM2_CURVE: Final = "1.2.156.10197.1.301"
SM2_SIGNATURE: Final = "1.2.156.10197.1.301.1"
SM2_KEY_EXCHANGE: Final = "1.2.156.10197.1.301.2"
SM2_ENCRYPTION: Final = "1.2.156.10197.1.301.3"
SM3: Final = "1.2.156.10197.1.401"
SM3_UNKEYED: Final = "1.2.156.10197.1.401.1"
HMAC_SM3: Final = "1.2.156.10197.1.401.2"
SM2_WITH_SM3: Final = "1.2.156.10197.1.501"
SM4: Final = "1.2.156.10197.1.104"
SM4_ECB: Final = "1.2.156.10197.1.104.1"
SM4_CBC: Final = "1.2.156.10197.1.104.2"
SM4_GCM: Final = "1.2.156.10197.1.104.8"
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"

# --- other digests (read, never signed with) ----------------------------------------------------
SHA1: Final = "1.3.14.3.2.26"
SHA256: Final = "2.16.840.1.101.3.4.2.1"
SHA384: Final = "2.16.840.1.101.3.4.2.2"
SHA512: Final = "2.16.840.1.101.3.4.2.3"

# --- PKCS#5, PKCS#8 -----------------------------------------------------------------------------
PBES2: Final = "1.2.840.113549.1.5.13"
PBKDF2: Final = "1.2.840.113549.1.5.12"

# --- GB/T 35275 content types -------------------------------------------------------------------
GM_DATA: Final = "1.2.156.10197.6.1.4.2.1"
GM_SIGNED_DATA: Final = "1.2.156.10197.6.1.4.2.2"
GM_ENVELOPED_DATA: Final = "1.2.156.10197.6.1.4.2.3"
GM_SIGNED_AND_ENVELOPED_DATA: Final = "1.2.156.10197.6.1.4.2.4"
GM_ENCRYPTED_DATA: Final = "1.2.156.10197.6.1.4.2.5"
GM_KEY_AGREEMENT_INFO: Final = "1.2.156.10197.6.1.4.2.6"

# --- CMS content types and attributes -----------------------------------------------------------
CMS_DATA: Final = "1.2.840.113549.1.7.1"
CMS_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
CT_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
ATTR_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
ATTR_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
ATTR_SIGNING_TIME: Final = "1.2.840.113549.1.9.5"
ATTR_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
ATTR_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
ATTR_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
ATTR_TIME_STAMP_TOKEN: Final = "1.2.840.113549.1.9.16.2.14"  # noqa: S105 - an identifier, no secret

# --- names ---------------------------------------------------------------------------------------
COMMON_NAME: Final = "2.5.4.3"
SURNAME: Final = "2.5.4.4"
SERIAL_NUMBER: Final = "2.5.4.5"
COUNTRY: Final = "2.5.4.6"
LOCALITY: Final = "2.5.4.7"
STATE: Final = "2.5.4.8"
ORGANIZATION: Final = "2.5.4.10"
ORGANIZATIONAL_UNIT: Final = "2.5.4.11"
TITLE: Final = "2.5.4.12"
GIVEN_NAME: Final = "2.5.4.42"
ORGANIZATION_IDENTIFIER: Final = "2.5.4.97"
EMAIL_ADDRESS: Final = "1.2.840.113549.1.9.1"
DOMAIN_COMPONENT: Final = "0.9.2342.19200300.100.1.25"
USER_ID: Final = "0.9.2342.19200300.100.1.1"

# --- certificate, CRL and OCSP extensions ------------------------------------------------------
EXT_SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
EXT_KEY_USAGE: Final = "2.5.29.15"
EXT_SUBJECT_ALT_NAME: Final = "2.5.29.17"
EXT_BASIC_CONSTRAINTS: Final = "2.5.29.19"
EXT_CRL_NUMBER: Final = "2.5.29.20"
EXT_REASON_CODE: Final = "2.5.29.21"
EXT_INVALIDITY_DATE: Final = "2.5.29.24"
EXT_DELTA_CRL_INDICATOR: Final = "2.5.29.27"
EXT_ISSUING_DISTRIBUTION_POINT: Final = "2.5.29.28"
EXT_CERTIFICATE_ISSUER: Final = "2.5.29.29"
EXT_NAME_CONSTRAINTS: Final = "2.5.29.30"
EXT_CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
EXT_CERTIFICATE_POLICIES: Final = "2.5.29.32"
EXT_POLICY_MAPPINGS: Final = "2.5.29.33"
EXT_AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
EXT_POLICY_CONSTRAINTS: Final = "2.5.29.36"
EXT_EXTENDED_KEY_USAGE: Final = "2.5.29.37"
EXT_INHIBIT_ANY_POLICY: Final = "2.5.29.54"
EXT_AUTHORITY_INFO_ACCESS: Final = "1.3.6.1.5.5.7.1.1"

ANY_POLICY: Final = "2.5.29.32.0"
AD_OCSP: Final = "1.3.6.1.5.5.7.48.1"
AD_CA_ISSUERS: Final = "1.3.6.1.5.5.7.48.2"
OCSP_BASIC: Final = "1.3.6.1.5.5.7.48.1.1"
OCSP_NONCE: Final = "1.3.6.1.5.5.7.48.1.2"
OCSP_NO_CHECK: Final = "1.3.6.1.5.5.7.48.1.5"

EKU_ANY: Final = "2.5.29.37.0"
EKU_SERVER_AUTH: Final = "1.3.6.1.5.5.7.3.1"
EKU_CLIENT_AUTH: Final = "1.3.6.1.5.5.7.3.2"
EKU_CODE_SIGNING: Final = "1.3.6.1.5.5.7.3.3"
EKU_EMAIL_PROTECTION: Final = "1.3.6.1.5.5.7.3.4"
EKU_TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
EKU_OCSP_SIGNING: Final = "1.3.6.1.5.5.7.3.9"

# --- GM/T 0015 subject extensions ---------------------------------------------------------------
EXT_PERSON_ID: Final = "1.2.156.10260.4.1.1"
EXT_SOCIAL_INSURANCE: Final = "1.2.156.10260.4.1.2"
EXT_BUSINESS_REGISTRATION: Final = "1.2.156.10260.4.1.3"
EXT_ORGANISATION_CODE: Final = "1.2.156.10260.4.1.4"
EXT_TAX_NUMBER: Final = "1.2.156.10260.4.1.5"
