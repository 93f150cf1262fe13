"""What validation makes of a piece of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from exchange.publish.model import Reject


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedBatch:
    """`accepted` has `_row` and a typed column for each item of the file; `rejects` are the other rows.

    `flags` are accepted rows that broke a rule which only marks.
    """

    accepted: pa.Table
    rejects: tuple[Reject, ...]
    flags: tuple[Reject, ...] = ()

    @property
    def received_rows(self) -> int:
        """Rows that came in."""
        return int(self.accepted.num_rows) + len(self.rejects)
