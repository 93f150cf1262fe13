"""Checking a file against a schema without a hub: what a publish would refuse, and why.

Left out is what only a hub can know: keys that come twice, references to other resources.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from core.caller import OrganisationCode
from core.errors import BadInput
from exchange.publish.decode import open_upload
from exchange.publish.model import Reject, Upload
from exchange.publish.validate import Validator
from exchange.standards.schema import StandardSchema

MEDIA_TYPE_OF: Final = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
}
SHOWN_REJECTS: Final = 20


@dataclass(slots=True, kw_only=True)
class FileReport:
    """What a check found: rows in all, refused rows, reasons counted, the first refused rows."""

    received: int = 0
    rejected: int = 0
    flagged: int = 0
    by_reason: Counter[str] = field(default_factory=Counter)
    first_rejects: list[Reject] = field(default_factory=list)


def check_file(file: Path, schema: StandardSchema) -> FileReport:
    """Check every row of a file. Raises BadInput for a file that cannot be read at all."""
    media_type = MEDIA_TYPE_OF.get(file.suffix.lower())
    if media_type is None:
        msg = f"a file to check ends in {', '.join(MEDIA_TYPE_OF)}"
        raise BadInput(msg)
    resource = schema.build(provider_code=OrganisationCode("0" * 18))
    upload = Upload(
        path=file, size_bytes=file.stat().st_size, digest=b"", media_type=media_type, charset=None
    )
    columns, batches = open_upload(upload, resource, keys_only=False)
    validator = Validator(resource, columns, keys_only=False)
    report = FileReport()
    for batch in batches:
        validated = validator.validate(batch)
        rejects = list(validated.rejects)
        report.received += validated.received_rows
        report.rejected += len(rejects)
        report.flagged += len(validated.flags)
        report.by_reason.update(reason.code for reject in rejects for reason in reject.reasons)
        report.first_rejects += rejects[: SHOWN_REJECTS - len(report.first_rejects)]
    return report
