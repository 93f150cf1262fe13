"""Which tables of `certs` record acts, so that leaves record their rows."""

from __future__ import annotations

from typing import Final

from core.log.recorded_rows import RecordedTable

RECORDED: Final = (
    RecordedTable(name="certs.certificate_type", key=("code", "version")),
    RecordedTable(name="certs.type_service_item", key=("type_code", "service_item")),
    RecordedTable(name="certs.seal", key=("id",)),
    RecordedTable(name="certs.seal_change", key=("id",)),
    RecordedTable(name="certs.certificate", key=("identifier",)),
    RecordedTable(name="certs.certificate_source", key=("identifier", "resource_code")),
    RecordedTable(name="certs.status_change", key=("id",)),
    RecordedTable(name="certs.copies_only", key=("type_code", "service_item")),
    RecordedTable(name="certs.authorisation", key=("id",), passing=frozenset({"uses"})),
    RecordedTable(name="certs.delegation", key=("id",)),
    RecordedTable(name="certs.annotated_copy", key=("id",)),
    RecordedTable(name="certs.presentation", key=("id",)),
)
