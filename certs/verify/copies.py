"""What the register says about an annotated copy: its use, its expiry, and its original."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from certs.copies.model import AnnotatedCopy
from certs.issue.model import Certificate, StatusChange
from certs.verify.register import (
    STATUS_OF,
    Match,
    RegisterCode,
    RegisterReport,
    RegisterStatus,
    describe_invalid,
    note,
)
from core.china_time import CHINA_TIME, china_day
from signing.findings import Severity


def assess_copy(
    copy: AnnotatedCopy, *, original: Certificate, changes: Sequence[StatusChange], now: datetime
) -> RegisterReport:
    """Say what a copy that was made here is worth now.

    A copy past its expiry is not to be relied upon; that tells nothing about the original.
    """
    status = STATUS_OF[original.status_on(china_day(now))]
    last = changes[-1] if changes and status is not RegisterStatus.VALID else None
    until = copy.expires_at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M:%S")
    findings = [
        note(
            RegisterCode.ANNOTATED_COPY,
            Severity.INFO,
            f"这是加注件：{copy.maker_name}，用于“{copy.cause}”，有效期至 {until}。",
            f"An annotated copy, made by {copy.maker_name} for: {copy.cause}; good until {until}.",
        )
    ]
    if copy.expires_at <= now:
        findings.append(
            note(
                RegisterCode.COPY_PAST,
                Severity.ERROR,
                "加注件已过有效期；这不说明原证照失效。",
                "The copy is past its expiry; that tells nothing about the original.",
            )
        )
    if status is not RegisterStatus.VALID:
        findings.append(describe_invalid(status, last))
    return RegisterReport(
        match=Match.COPY,
        status=status,
        identifier=original.identifier,
        findings=tuple(findings),
        successor=original.successor,
        changed_at=None if last is None else last.changed_at,
        reason=None if last is None else last.reason,
    )
