"""Tables for people: one sheet as Excel, or CSV that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from enum import StrEnum

from core.log.tables import defuse
from evidence.workbook.write import MEDIA_TYPE, Row, write_sheets


class TableForm(StrEnum):
    """In which form a table is wanted."""

    XLSX = "xlsx"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """The media type of the form."""
        return MEDIA_TYPE if self is TableForm.XLSX else "text/csv; charset=utf-8"


def write_table(form: TableForm, *, name: str, columns: Mapping[str, str], rows: Sequence[Row]) -> bytes:
    """Write rows under the columns' headings; CSV with a byte order mark, since Excel guesses otherwise.

    In CSV a text that a spreadsheet would run as a formula gets an apostrophe before it (CWE-1236).
    """
    if form is TableForm.XLSX:
        return write_sheets({name: (columns, rows)})
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns.values())
    writer.writerows([defuse(row.get(member, "")) for member in columns] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()
