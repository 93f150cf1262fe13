"""What decoding makes of a piece of an upload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exchange.publish.model import Reason, Reject

BATCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedBatch:
    """Rows of text, a column for each column of the file: `numbers` are their row numbers in the file."""

    numbers: Sequence[int] | NDArray[np.int64]
    columns: dict[str, pa.Array]
    malformed: tuple[Reject, ...] = ()


def refuse_row(number: int, text: str, code: str, detail: str) -> Reject:
    """Refuse a row that cannot be split into cells; its text is kept whole, under an empty header."""
    reasons = (Reason(item=None, code=code, detail=detail),)
    return Reject(row_number=number, original={"": text}, reasons=reasons)
