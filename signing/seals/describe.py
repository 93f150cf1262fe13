"""Render seals and what was found about them as JSON-ready values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from signing import sm3
from signing.errors import DecodeError
from signing.findings import Finding
from signing.pictures import assess_picture
from signing.seals.holders import parse_holder
from signing.seals.model import Seal, SealExtension, SealPicture, SealSignature


def describe_seal(seal: Seal) -> dict[str, Any]:
    """Describe a seal: every field in words and numbers, octets by their SM3 digest in hex."""
    prop = seal.property
    return {
        "version": seal.version.name,
        "header": {
            "mark": seal.header.mark,
            "version": seal.header.version,
            "vendor_id": seal.header.vendor_id,
        },
        "seal_id": seal.seal_id,
        "type": prop.type,
        "name": prop.name,
        "created_at": _text(prop.created_at),
        "valid_from": _text(prop.valid_from),
        "valid_until": _text(prop.valid_until),
        "signers": {
            "list_type": prop.list_type.name.lower(),
            "certificates": [_describe_certificate(entry) for entry in prop.certificates],
            "digests": [{"type": each.type, "value": each.value.hex()} for each in prop.digests],
        },
        "picture": _describe_picture(seal.picture),
        "extensions": _describe_extensions(seal.extensions),
        "maker": _describe_certificate(seal.maker_certificate),
        "algorithm": seal.algorithm,
        "has_timestamp": seal.timestamp is not None,
        "sm3": sm3.digest(seal.der).hex(),
    }


def describe_seal_signature(signature: SealSignature) -> dict[str, Any]:
    """Describe a seal signature and the seal inside it."""
    return {
        "version": signature.version.name,
        "tbs_version": signature.tbs_version,
        "claimed_at": _text(signature.claimed_at),
        "data_hash": signature.data_hash.hex(),
        "property_info": signature.property_info,
        "extensions": _describe_extensions(signature.extensions),
        "signer": _describe_certificate(signature.signer_certificate),
        "algorithm": signature.algorithm,
        "has_timestamp": signature.timestamp is not None or signature.time_token is not None,
        "seal": describe_seal(signature.seal),
    }


def describe_finding(finding: Finding) -> dict[str, str]:
    """Describe a finding."""
    return {
        "code": str(finding.code),
        "severity": finding.severity.value,
        "subject": finding.subject,
        "message_zh": finding.message_zh,
        "message_en": finding.message_en,
    }


def _describe_certificate(der: bytes) -> dict[str, Any]:
    digest = {"sm3": sm3.digest(der).hex()}
    try:
        certificate = parse_holder(der)
    except DecodeError:
        return {"readable": False, **digest}
    return {
        "readable": True,
        "subject": str(certificate.subject),
        "issuer": str(certificate.issuer),
        "serial": f"{certificate.serial:x}",
        "not_before": _text(certificate.not_before),
        "not_after": _text(certificate.not_after),
        "key_usage": sorted(usage.name.lower() for usage in certificate.key_usage or ()),
        **digest,
    }


def _describe_picture(picture: SealPicture) -> dict[str, Any]:
    report = assess_picture(
        kind=picture.type, data=picture.data, width_mm=picture.width_mm, height_mm=picture.height_mm
    )
    return {
        "type": picture.type,
        "width_mm": picture.width_mm,
        "height_mm": picture.height_mm,
        "pixels": list(report.pixels) if report.pixels else None,
        "bytes": len(picture.data),
        "sm3": sm3.digest(picture.data).hex(),
        "problems": [problem.value for problem in report.problems],
    }


def _describe_extensions(extensions: tuple[SealExtension, ...]) -> list[dict[str, Any]]:
    return [{"oid": each.oid, "critical": each.critical, "value": each.value.hex()} for each in extensions]


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
