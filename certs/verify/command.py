"""What the command line needs: files to reports, and reports to an exit code."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Final

from certs.verify.document import assess_document
from certs.verify.model import DocumentReport, refuse_overlong, refuse_unread
from signing.findings import FindingCode
from signing.trust import TrustPolicy

NOT_VALID: Final = 1
UNREADABLE: Final = 2
UNKNOWN: Final = 3


def verify_file(path: Path, *, trust: TrustPolicy, now: datetime, max_bytes: int) -> DocumentReport:
    """Examine one file; one that cannot be read, or is over-long, gives a report as well (E100, E101)."""
    try:
        if path.stat().st_size > max_bytes:
            return refuse_overlong(max_bytes)
        data = path.read_bytes()
    except OSError as error:
        en = error.strerror or "it cannot be read"
        return refuse_unread(FindingCode.CONTAINER_INVALID, zh="文件无法读取", en=en)
    return assess_document(data, trust=trust, at=now)


def combine_exit_codes(codes: Iterable[int]) -> int:
    """Combine the codes of several files: the gravest of not valid, unreadable, unknown; else 0."""
    found = set(codes)
    return next((code for code in (NOT_VALID, UNREADABLE, UNKNOWN) if code in found), 0)
