"""The metadata that a certificate file carries (GB/T 36903-2018), by their short names."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from certs.issue.model import Certificate, IssueOrder
from certs.types.model import CertificateType
from core.china_time import CHINA_TIME

IDENTIFIER: Final = "ZZBS"


def build_metadata(
    *,
    order: IssueOrder,
    kind: CertificateType,
    identifier: str,
    issuer_name: str,
    issuer_code: str,
    seal_name: str,
    sealed_at: datetime,
) -> dict[str, str]:
    """Build the metadata of an original, in the order of the standard; items of the type stand last.

    Days are written YYYYMMDD and times YYYYMMDDhhmmss in China time (GB/T 39046-2020 5.3). What is absent
    is left out; the four elements of annotated copies never stand in an original.
    """
    moment = sealed_at.astimezone(CHINA_TIME).strftime("%Y%m%d%H%M%S")
    elements = {
        "ZZMC": kind.name,
        "ZZLXDM": kind.code,
        "ZZBH": order.number,
        IDENTIFIER: identifier,
        "ZZBFJG": issuer_name,
        "ZZBFJGDM": issuer_code,
        "ZZBFRQ": _day(order.issued_on),
        "CZZT": order.holder.name,
        "CZZTDM": order.holder.code,
        "CZZTDMLX": order.holder.code_type.label,
        "CZZTDMLXDM": str(order.holder.code_type),
        "ZZYXQQSRQ": _day(order.valid_from),
        "ZZYXQJZRQ": _day(order.valid_until),
        "ZZQZSJ": moment,
        "ZZQZMC": seal_name,
        "CJSJ": moment,
        "GLZZBZ": order.predecessor or "",
    }
    shown = [item for item in kind.items if not item.is_photo]
    elements |= {item.metadata_name: order.data.get(item.name, "") for item in shown}
    return {name: value for name, value in elements.items() if value}


def describe_metadata(certificate: Certificate, kind: CertificateType) -> dict[str, str]:
    """Rebuild the metadata of a registered certificate as they stand in its file, but for the seal's name."""
    order = IssueOrder(
        type_code=certificate.type_code,
        holder=certificate.holder,
        number=certificate.number,
        data=certificate.data,
        issued_on=certificate.issued_on,
        valid_from=certificate.valid_from,
        valid_until=certificate.valid_until,
        predecessor=certificate.predecessor,
    )
    return build_metadata(
        order=order,
        kind=kind,
        identifier=certificate.identifier,
        issuer_name=certificate.issuer_name,
        issuer_code=certificate.issuer_code,
        seal_name="",
        sealed_at=certificate.created_at,
    )


def _day(day: date | None) -> str:
    return "" if day is None else day.strftime("%Y%m%d")
