"""Seals and seal signatures written part by part, so that anything in them can be odd."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from signing import der
from signing.seals import encode
from signing.seals.model import SealExtension, SealVersion
from tests.unit.signing.seals import samples

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "400"))
ALGORITHM = "1.2.156.10197.1.501"
AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def info(version: SealVersion = SealVersion.V4, *, number: int | None = None, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "version": version,
        "header": samples.header(int(version) if number is None else number),
        "seal_id": "33100000000001",
        "prop": samples.properties(),
        "picture": samples.picture(),
        "extensions": (),
    }
    return encode.encode_info(**{**fields, **changes})  # type: ignore[arg-type]


def seal(version: SealVersion = SealVersion.V4, **changes: object) -> bytes:
    if version is SealVersion.V1:
        return encode.encode_seal_v1(info(version, **changes), b"maker", ALGORITHM, b"value")
    return encode.encode_seal_v4(info(version, **changes), b"maker", ALGORITHM, b"value")


def signature(version: SealVersion, *, inner: bytes | None = None, timestamp: bytes | None = None) -> bytes:
    whole = seal(version) if inner is None else inner
    if version is SealVersion.V1:
        tbs = encode.encode_tbs_v1(
            version=1,
            seal=whole,
            signed_at=AT,
            data_hash=bytes(32),
            property_info="/Signature.xml",
            signer_certificate=b"signer",
            algorithm=ALGORITHM,
        )
        return der.sequence(tbs, der.bit_string(b"value"))
    tbs = encode.encode_tbs_v4(
        version=int(version),
        seal=whole,
        signed_at=AT,
        data_hash=bytes(32),
        property_info="/Signature.xml",
        extensions=(SealExtension(oid="1.2.3.4", critical=False, value=b"\x05\x00"),),
    )
    return encode.encode_signature_v4(tbs, b"signer", ALGORITHM, b"value", timestamp)


def with_extensions(encoded: bytes) -> bytes:
    bare = der.parse_der(info()).content
    return encode.encode_seal_v4(der.sequence(bare, encoded), b"maker", ALGORITHM, b"value")


EXTENSION_FALSE = der.sequence(der.oid("1.2.3"), der.boolean(False), der.octet_string(b"v"))


def property_with(version: SealVersion, *, entries: bytes, times: bytes, list_type: bytes = b"") -> bytes:
    number = b"" if version is SealVersion.V1 else list_type or der.integer(1)
    prop = der.sequence(der.integer(1), der.utf8("印章"), number, entries, times * 3)
    picture = der.sequence(der.ia5("PNG"), der.octet_string(b"p"), der.integer(40), der.integer(40))
    head = der.sequence(der.ia5("ES"), der.integer(int(version)), der.ia5("v"))
    body = der.sequence(head, der.ia5("id"), prop, picture)
    if version is SealVersion.V1:
        return encode.encode_seal_v1(body, b"maker", ALGORITHM, b"value")
    return encode.encode_seal_v4(body, b"maker", ALGORITHM, b"value")
