"""Which tables of `core` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

RECORDED: Final = (
    RecordedTable(name="core.organisation", key=("code",)),
    RecordedTable(name="core.system", key=("id",)),
    RecordedTable(name="core.credential", key=("id",)),
    RecordedTable(
        name="core.person", key=("id",), passing=frozenset({"failures", "locked_until", "totp_step"})
    ),
    RecordedTable(name="core.x509_certificate", key=("issuer_name", "serial")),
)
