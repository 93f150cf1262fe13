"""Rows for certificates: what `certs` asks of the exchange, read under the issuer's own data or a grant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from certs.issue.rows import ReadRow, SourceRow
from core.caller import Caller, Purpose
from core.errors import Conflict, NotFound
from exchange.query.model import Question
from exchange.query.service import QueryService


def build_row_reader(query: QueryService) -> ReadRow:
    """Build what `IssueService` calls; every read is a query with its leaf in the log."""

    async def read_row(
        *,
        resource_code: str,
        keys: Mapping[str, str],
        items: Sequence[str],
        caller: Caller,
        purpose: Purpose,
    ) -> SourceRow:
        question = Question(keys=dict(keys), where=None, items=tuple(items), limit_rows=2, after=None)
        found = await query.find(
            caller=caller, purpose=purpose, resource_code=resource_code, question=question
        )
        rows = found.answer.snapshot.rows
        if not rows:
            msg = "the resource has no row of these keys that the grant covers"
            raise NotFound(msg)
        if len(rows) > 1:
            msg = "the keys name several rows; a certificate rests on one"
            raise Conflict(msg)
        values = {name: _write(value) for name, value in rows[0].items()}
        return SourceRow(version=found.answer.snapshot.version, row_key=found.row_key, values=values)

    return read_row


def _write(value: object) -> str:
    """Write a value as certificates hold it; days lose their hyphens."""
    if value is None:
        return ""
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return text.replace("-", "") if len(text) == 10 and text[4] == text[7] == "-" else text
