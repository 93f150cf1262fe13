"""The public page of a certificate: what anybody may know who holds the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from html import escape

from certs.identifiers import parse_identifier
from certs.issue import store
from certs.issue.model import CertificateStatus
from certs.use.verdict import InfoResult, national_code, result_of
from core.china_time import china_day
from core.database import Database
from core.log.model import Event
from core.log.writer import LogWriter

LABELS = {
    CertificateStatus.NOT_ACTIVATED: "尚未生效",
    CertificateStatus.ACTIVE: "有效",
    CertificateStatus.SUSPENDED: "暂停使用",
    CertificateStatus.EXPIRED: "已过有效期",
    CertificateStatus.SUPERSEDED: "已变更或换发",
    CertificateStatus.CANCELLED: "已注销",
    CertificateStatus.REVOKED: "已吊销",
    CertificateStatus.WITHDRAWN: "已撤销",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicFacts:
    """What is public. The holder's name is masked but for its first and last characters."""

    identifier: str
    type_name: str
    issuer_name: str
    holder_name: str
    status: CertificateStatus
    result: InfoResult
    national: int
    issued_on: date
    valid_until: date | None
    checked_at: datetime


class PublicService:
    """Answers anybody, and writes down that it was asked."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def look_up(self, identifier: str) -> PublicFacts:
        """Return what is public of a certificate. Raises IdentifierInvalid, NotFound."""
        parse_identifier(identifier)
        now = self._now()
        async with self._database.transaction() as connection:
            found = await store.load_certificate(connection, identifier=identifier)
            status = found.status_on(china_day(now))
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED,
                caller=None,
                certificate_id=identifier,
                details={"act": "public", "status": status},
            )
        return PublicFacts(
            identifier=identifier,
            type_name=found.type_name,
            issuer_name=found.issuer_name,
            holder_name=mask_name(found.holder.name),
            status=status,
            result=result_of(status),
            national=national_code(status),
            issued_on=found.issued_on,
            valid_until=found.valid_until,
            checked_at=now,
        )


def mask_name(name: str) -> str:
    """Mask a name: `张三` becomes `张*`, `张三丰` `张*丰`, longer ones keep first and last."""
    if len(name) <= 1:
        return "*"
    return name[0] + "*" * max(len(name) - 2, 1) + (name[-1] if len(name) > 2 else "")


def render_page(facts: PublicFacts) -> str:
    """Render the page: plain HTML in Chinese and English, with nothing from elsewhere."""
    good = facts.status is CertificateStatus.ACTIVE
    rows = [
        ("证照类型 Type", facts.type_name),
        ("颁发机构 Issuer", facts.issuer_name),
        ("持证主体 Holder", facts.holder_name),
        ("证照标识 Identifier", facts.identifier),
        ("颁发日期 Issued", facts.issued_on.isoformat()),
        ("有效期至 Valid until", "长期" if facts.valid_until is None else facts.valid_until.isoformat()),
        ("核验时间 Checked (UTC)", facts.checked_at.strftime("%Y-%m-%d %H:%M:%S")),
    ]
    table = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return render_frame(f"{LABELS[facts.status]}　{facts.status}", good, f"<table>{table}</table>")


def render_missing() -> str:
    """Render the page for a certificate that is not registered."""
    return render_frame("查无此证　not registered here", False, "<p>请向颁发机构核实。Ask the issuer.</p>")


def render_frame(headline: str, good: bool, body: str) -> str:
    """Frame a page."""
    colour = "#0a6b35" if good else "#a61b1b"
    return (
        '<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><title>电子证照核验</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:16px/1.6 sans-serif;max-width:40em;margin:2em auto;padding:0 1em;color:#222}"
        "th{text-align:left;padding:.4em 1em .4em 0;white-space:nowrap;vertical-align:top}"
        "td{padding:.4em 0;word-break:break-all}"
        f"h1{{font-size:1.4em;color:{colour}}}</style></head>"
        f"<body><p>电子证照核验 Certificate check</p><h1>{escape(headline)}</h1>{body}"
        "<p>本页仅说明登记状态，不能代替对持证人身份的核对。"
        "This page states the register's word only; compare the holder in person.</p></body></html>"
    )
