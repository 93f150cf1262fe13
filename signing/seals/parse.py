"""Read seals and seal signatures from their octets, tolerant of what vendors write.

Tolerated, because genuine seals contain it: an explicit `critical FALSE` and its absence; extensions of
the seal info bare or in an explicit or implicit [0]; IA5String entries in a V1 list of signers; UTCTime,
GeneralizedTime or a BIT STRING or OCTET STRING around a time; OCTET STRING for BIT STRING values; the
time stamp implicitly tagged. Everything else is strict: any octet that belongs to no field is refused.

Versions are told apart by shape first: two elements are V1 whatever number is written, five elements of
a seal are V5, four are V5 or V4 by the header's number.
Source: GM/T 0031-2014 6.1.1, 6.2.1; GB/T 38540-2020 6; GM/T 0031-2025 6.
"""

from __future__ import annotations

from typing import Final

from signing.der import (
    Node,
    Reader,
    Tag,
    context,
    parse_der,
    read_bit_string,
    read_boolean,
    read_integer,
    read_octet_string,
    read_oid,
    read_string,
    sequence,
)
from signing.errors import DecodeError
from signing.seals.model import (
    CertificateDigest,
    CertListType,
    Seal,
    SealExtension,
    SealHeader,
    SealPicture,
    SealProperty,
    SealSignature,
    SealVersion,
)
from signing.seals.times import read_any_time, read_time_info

MAX_SEAL_BYTES: Final = 8 * 1024 * 1024
MAX_SIGNATURE_BYTES: Final = MAX_SEAL_BYTES + 1024 * 1024
MAX_EXTENSIONS: Final = 64
MAX_SIGNERS: Final = 4096

_TAG_0_EXPLICIT: Final = context(0)
_TAG_0_IMPLICIT: Final = context(0, constructed=False)


def parse_seal(der: bytes) -> Seal:
    """Read a seal of any version; every octet must belong to it.

    Raises DecodeError.
    """
    if len(der) > MAX_SEAL_BYTES:
        message = f"a seal of {len(der)} octets; at most {MAX_SEAL_BYTES} are read"
        raise DecodeError(message)
    return read_seal(parse_der(der).expect(Tag.SEQUENCE, "SESeal"))


def parse_seal_signature(der: bytes) -> SealSignature:
    """Read a seal signature (SES_Signature) of any version; every octet must belong to it.

    Raises DecodeError.
    """
    if len(der) > MAX_SIGNATURE_BYTES:
        message = f"a seal signature of {len(der)} octets; at most {MAX_SIGNATURE_BYTES} are read"
        raise DecodeError(message)
    node = parse_der(der).expect(Tag.SEQUENCE, "SES_Signature")
    parts = node.children(limit=6)
    if len(parts) == 2:
        return _read_signature_v1(node, parts)
    if len(parts) in (4, 5):
        return _read_signature_v4(node, parts)
    message = f"SES_Signature: 2, 4 or 5 elements expected, {len(parts)} found"
    raise DecodeError(message)


def read_seal(node: Node) -> Seal:
    """Read a seal that is one element of something larger."""
    parts = node.expect(Tag.SEQUENCE, "SESeal").children(limit=6)
    if len(parts) == 2:
        return _read_seal_v1(node, parts)
    if len(parts) in (4, 5):
        return _read_seal_v4(node, parts)
    message = f"SESeal: 2, 4 or 5 elements expected, {len(parts)} found"
    raise DecodeError(message)


# ------------------------------------------------------------------------------------------- seals


def _read_seal_v1(node: Node, parts: tuple[Node, ...]) -> Seal:
    header, seal_id, prop, picture, extensions = _read_info(parts[0], SealVersion.V1)
    sign_info = parts[1].expect(Tag.SEQUENCE, "SES_SignInfo").reader("SES_SignInfo", limit=4)
    cert, algorithm, value = sign_info.any(), sign_info.any(), sign_info.last()
    return Seal(
        version=SealVersion.V1,
        header=header,
        seal_id=seal_id,
        property=prop,
        picture=picture,
        extensions=extensions,
        maker_certificate=read_octet_string(cert, "SES_SignInfo.cert"),
        algorithm=read_oid(algorithm, "SES_SignInfo.signatureAlgorithm"),
        signature=_read_bits(value, "SES_SignInfo.signData"),
        timestamp=None,
        der=node.raw,
        signed_der=sequence(parts[0].raw, cert.raw, algorithm.raw),
    )


def _read_seal_v4(node: Node, parts: tuple[Node, ...]) -> Seal:
    info, cert, algorithm, value = parts[:4]
    header, seal_id, prop, picture, extensions = _read_info(info, SealVersion.V4)
    is_v5 = len(parts) == 5 or header.version == SealVersion.V5
    return Seal(
        version=SealVersion.V5 if is_v5 else SealVersion.V4,
        header=header,
        seal_id=seal_id,
        property=prop,
        picture=picture,
        extensions=extensions,
        maker_certificate=read_octet_string(cert, "SESeal.cert"),
        algorithm=read_oid(algorithm, "SESeal.signAlgID"),
        signature=_read_bits(value, "SESeal.signedValue"),
        timestamp=_read_timestamp(parts[4], "SESeal.timeStamp") if len(parts) == 5 else None,
        der=node.raw,
        signed_der=info.raw,
    )


_Info = tuple[SealHeader, str, SealProperty, SealPicture, tuple[SealExtension, ...]]


def _read_info(node: Node, version: SealVersion) -> _Info:
    reader = node.expect(Tag.SEQUENCE, "SES_SealInfo").reader("SES_SealInfo", limit=6)
    header = _read_header(reader.take(Tag.SEQUENCE, "header"))
    seal_id = read_string(reader.any(), "SES_SealInfo.esID")
    prop = _read_property(reader.take(Tag.SEQUENCE, "property"), version)
    picture = _read_picture(reader.take(Tag.SEQUENCE, "picture"))
    found = reader.optional(Tag.SEQUENCE, _TAG_0_EXPLICIT)
    reader.finish()
    extensions = _read_extensions(found, "SES_SealInfo.extDatas") if found else ()
    return header, seal_id, prop, picture, extensions


def _read_header(node: Node) -> SealHeader:
    reader = node.reader("SES_Header", limit=4)
    return SealHeader(
        mark=read_string(reader.any(), "SES_Header.ID"),
        version=read_integer(reader.any(), "SES_Header.version", max_bytes=8),
        vendor_id=read_string(reader.last(), "SES_Header.Vid"),
    )


def _read_property(node: Node, version: SealVersion) -> SealProperty:
    what = "SES_ESPropertyInfo"
    reader = node.reader(what, limit=8)
    kind = read_integer(reader.any(), f"{what}.type", max_bytes=8)
    name = read_string(reader.any(), f"{what}.name")
    list_type = CertListType.CERTIFICATES if version is SealVersion.V1 else _read_list_type(reader.any())
    entries = reader.take(Tag.SEQUENCE, "certList").children(limit=MAX_SIGNERS)
    by_digest = list_type is CertListType.DIGESTS
    return SealProperty(
        type=kind,
        name=name,
        list_type=list_type,
        certificates=() if by_digest else tuple(_read_list_entry(entry, version) for entry in entries),
        digests=tuple(_read_digest(entry) for entry in entries) if by_digest else (),
        created_at=read_any_time(reader.any(), f"{what}.createDate"),
        valid_from=read_any_time(reader.any(), f"{what}.validStart"),
        valid_until=read_any_time(reader.last(), f"{what}.validEnd"),
    )


def _read_list_type(node: Node) -> CertListType:
    number = read_integer(node, "SES_ESPropertyInfo.certListType", max_bytes=8)
    if number not in tuple(CertListType):
        message = f"SES_ESPropertyInfo.certListType: 1 or 2 expected, {number} found"
        raise DecodeError(message)
    return CertListType(number)


def _read_list_entry(node: Node, version: SealVersion) -> bytes:
    if version is SealVersion.V1 and node.tag == Tag.IA5_STRING:
        return node.content
    return read_octet_string(node, "SES_ESPropertyInfo.certList entry")


def _read_digest(node: Node) -> CertificateDigest:
    reader = node.expect(Tag.SEQUENCE, "CertDigestObj").reader("CertDigestObj", limit=3)
    return CertificateDigest(
        type=read_string(reader.any(), "CertDigestObj.type"),
        value=read_octet_string(reader.last(), "CertDigestObj.value"),
    )


def _read_picture(node: Node) -> SealPicture:
    reader = node.reader("SES_ESPictureInfo", limit=5)
    return SealPicture(
        type=read_string(reader.any(), "SES_ESPictureInfo.type"),
        data=read_octet_string(reader.any(), "SES_ESPictureInfo.data"),
        width_mm=read_integer(reader.any(), "SES_ESPictureInfo.width", max_bytes=4),
        height_mm=read_integer(reader.last(), "SES_ESPictureInfo.height", max_bytes=4),
    )


def _read_extensions(node: Node, what: str) -> tuple[SealExtension, ...]:
    items = node.children(limit=MAX_EXTENSIONS)
    if node.tag == _TAG_0_EXPLICIT and len(items) == 1 and not _is_extension(items[0]):
        items = items[0].expect(Tag.SEQUENCE, what).children(limit=MAX_EXTENSIONS)
    return tuple(_read_extension(item, what) for item in items)


def _is_extension(node: Node) -> bool:
    """Tell an ExtData (which begins with an OID) from a SEQUENCE of them, under a [0] tag."""
    inside = node.children(limit=MAX_EXTENSIONS) if node.constructed else ()
    return bool(inside) and inside[0].tag == Tag.OID


def _read_extension(node: Node, what: str) -> SealExtension:
    reader = node.expect(Tag.SEQUENCE, what).reader(what, limit=3)
    oid = read_oid(reader.any(), f"{what}.extnID")
    flag = reader.optional(Tag.BOOLEAN)
    return SealExtension(
        oid=oid,
        critical=read_boolean(flag, f"{what}.critical") if flag else False,
        value=read_octet_string(reader.last(), f"{what}.extnValue"),
    )


# -------------------------------------------------------------------------------------- signatures


def _read_signature_v1(node: Node, parts: tuple[Node, ...]) -> SealSignature:
    reader = parts[0].expect(Tag.SEQUENCE, "TBS_Sign").reader("TBS_Sign", limit=8)
    version = read_integer(reader.any(), "TBS_Sign.version", max_bytes=8)
    seal = read_seal(reader.any())
    claimed_at, token = read_time_info(reader.any(), "TBS_Sign.timeInfo")
    return SealSignature(
        version=SealVersion.V1,
        tbs_version=version,
        seal=seal,
        claimed_at=claimed_at,
        time_token=token,
        data_hash=_read_bits(reader.any(), "TBS_Sign.dataHash"),
        property_info=read_string(reader.any(), "TBS_Sign.propertyInfo"),
        extensions=(),
        signer_certificate=read_octet_string(reader.any(), "TBS_Sign.cert"),
        algorithm=read_oid(reader.last(), "TBS_Sign.signatureAlgorithm"),
        signature=_read_bits(parts[1], "SES_Signature.signature"),
        timestamp=None,
        der=node.raw,
        signed_der=parts[0].raw,
    )


def _read_signature_v4(node: Node, parts: tuple[Node, ...]) -> SealSignature:
    reader = parts[0].expect(Tag.SEQUENCE, "TBS_Sign").reader("TBS_Sign", limit=7)
    version = read_integer(reader.any(), "TBS_Sign.version", max_bytes=8)
    seal = read_seal(reader.any())
    claimed_at, token = read_time_info(reader.any(), "TBS_Sign.timeInfo")
    if claimed_at is None:
        message = "TBS_Sign.timeInfo: a time expected, a time-stamp token found"
        raise DecodeError(message)
    return SealSignature(
        version=SealVersion.V5 if seal.version is SealVersion.V5 else SealVersion.V4,
        tbs_version=version,
        seal=seal,
        claimed_at=claimed_at,
        time_token=token,
        data_hash=_read_bits(reader.any(), "TBS_Sign.dataHash"),
        property_info=read_string(reader.any(), "TBS_Sign.propertyInfo"),
        extensions=_read_tbs_extensions(reader),
        signer_certificate=read_octet_string(parts[1], "SES_Signature.cert"),
        algorithm=read_oid(parts[2], "SES_Signature.signatureAlgID"),
        signature=_read_bits(parts[3], "SES_Signature.signature"),
        timestamp=_read_timestamp(parts[4], "SES_Signature.timeStamp") if len(parts) == 5 else None,
        der=node.raw,
        signed_der=parts[0].raw,
    )


def _read_tbs_extensions(reader: Reader) -> tuple[SealExtension, ...]:
    found = reader.optional(Tag.SEQUENCE, _TAG_0_EXPLICIT)
    reader.finish()
    return _read_extensions(found, "TBS_Sign.extDatas") if found else ()


def _read_bits(node: Node, what: str) -> bytes:
    """Read the octets of a BIT STRING, or of the OCTET STRING that some vendors write instead."""
    return node.content if node.tag == Tag.OCTET_STRING else read_bit_string(node, what)


def _read_timestamp(node: Node, what: str) -> bytes:
    """Read `[0] BIT STRING`: explicitly tagged, as everyone writes it, or implicitly."""
    if node.tag == _TAG_0_IMPLICIT:
        content = node.content
        if not content or content[0]:
            message = f"{what}: a BIT STRING of whole octets was expected"
            raise DecodeError(message)
        return content[1:]
    return _read_bits(node.expect(_TAG_0_EXPLICIT, what).only_child(what), what)
