"""Write seals and seal signatures as DER, in the form that fielded readers accept.

`critical` is always written and the extensions of the seal info bear no tag, because a widely used
reader drops or refuses the other forms. V1 times are UTCTime; its `timeInfo` is a DER UTCTime inside the
BIT STRING. V4 and V5 times are GeneralizedTime, UTC, whole seconds.
Source: GM/T 0031-2014 6.1.1, 6.2.1; GB/T 38540-2020 6; GM/T 0031-2025 6.
"""

from __future__ import annotations

from datetime import datetime

from signing.der import (
    bit_string,
    boolean,
    explicit,
    generalized_time,
    ia5,
    integer,
    octet_string,
    oid,
    printable,
    sequence,
    utc_time,
    utf8,
)
from signing.seals.model import (
    CertListType,
    SealExtension,
    SealHeader,
    SealPicture,
    SealProperty,
    SealVersion,
)


def encode_info(
    *,
    version: SealVersion,
    header: SealHeader,
    seal_id: str,
    prop: SealProperty,
    picture: SealPicture,
    extensions: tuple[SealExtension, ...],
) -> bytes:
    """Write SES_SealInfo."""
    return sequence(
        sequence(ia5(header.mark), integer(header.version), ia5(header.vendor_id)),
        ia5(seal_id),
        _encode_property(prop, version),
        sequence(
            ia5(picture.type),
            octet_string(picture.data),
            integer(picture.width_mm),
            integer(picture.height_mm),
        ),
        encode_extensions(extensions) if extensions else b"",
    )


def encode_seal_v1(info: bytes, maker_certificate: bytes, algorithm: str, signature: bytes) -> bytes:
    """Write a V1 seal."""
    return sequence(info, sequence(octet_string(maker_certificate), oid(algorithm), bit_string(signature)))


def encode_seal_signed_v1(info: bytes, maker_certificate: bytes, algorithm: str) -> bytes:
    """Write the octets that the maker of a V1 seal signs."""
    return sequence(info, octet_string(maker_certificate), oid(algorithm))


def encode_seal_v4(
    info: bytes, maker_certificate: bytes, algorithm: str, signature: bytes, timestamp: bytes | None = None
) -> bytes:
    """Write a V4 seal, or a V5 seal, which alone may carry a time stamp."""
    return sequence(
        info,
        octet_string(maker_certificate),
        oid(algorithm),
        bit_string(signature),
        b"" if timestamp is None else explicit(0, bit_string(timestamp)),
    )


def encode_tbs_v1(
    *,
    version: int,
    seal: bytes,
    signed_at: datetime,
    data_hash: bytes,
    property_info: str,
    signer_certificate: bytes,
    algorithm: str,
) -> bytes:
    """Write the TBS_Sign of V1, which holds the signer's certificate and the algorithm."""
    return sequence(
        integer(version),
        seal,
        bit_string(utc_time(signed_at)),
        bit_string(data_hash),
        ia5(property_info),
        octet_string(signer_certificate),
        oid(algorithm),
    )


def encode_tbs_v4(
    *,
    version: int,
    seal: bytes,
    signed_at: datetime,
    data_hash: bytes,
    property_info: str,
    extensions: tuple[SealExtension, ...],
) -> bytes:
    """Write the TBS_Sign of V4 and V5."""
    return sequence(
        integer(version),
        seal,
        generalized_time(signed_at),
        bit_string(data_hash),
        ia5(property_info),
        explicit(0, encode_extensions(extensions)) if extensions else b"",
    )


def encode_signature_v4(
    tbs: bytes, signer_certificate: bytes, algorithm: str, signature: bytes, timestamp: bytes | None
) -> bytes:
    """Write SES_Signature of V4 and V5: the same four or five fields as a seal around its info."""
    return encode_seal_v4(tbs, signer_certificate, algorithm, signature, timestamp)


def encode_extensions(extensions: tuple[SealExtension, ...]) -> bytes:
    """Write ExtensionDatas."""
    return sequence(
        *(sequence(oid(each.oid), boolean(each.critical), octet_string(each.value)) for each in extensions)
    )


def _encode_property(prop: SealProperty, version: SealVersion) -> bytes:
    is_v1 = version is SealVersion.V1
    time = utc_time if is_v1 else generalized_time
    if prop.list_type is CertListType.CERTIFICATES:
        signers = [octet_string(certificate) for certificate in prop.certificates]
    else:
        signers = [sequence(printable(each.type), octet_string(each.value)) for each in prop.digests]
    return sequence(
        integer(prop.type),
        utf8(prop.name),
        b"" if is_v1 else integer(prop.list_type),
        sequence(*signers),
        time(prop.created_at),
        time(prop.valid_from),
        time(prop.valid_until),
    )
