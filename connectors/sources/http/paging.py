"""Which request comes next: paging without a line of I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from connectors.errors import TerminalError, TransientError
from connectors.paths import find_value
from connectors.sources.http.model import (
    CursorPaging,
    LinkPaging,
    NoPaging,
    OffsetPaging,
    PagePaging,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is put into a request: parameters, or another address in place of all."""

    parameters: Mapping[str, str]
    url: str | None = None


class Pager:
    """Tells the turns of one reading. `next` is told of each answer, and returns None after the last."""

    def __init__(self, paging: Any, *, max_pages: int) -> None:
        self._paging = paging
        self._left = max_pages
        self._pages = 0
        self._records = 0
        self._mark: str | None = None

    def first(self) -> Turn:
        """Return the first turn."""
        return Turn(parameters=self._parameters())

    def next(self, document: Any, *, records: int, url: str, link: str | None) -> Turn | None:
        """Return the turn after an answer of so many records, which came from `url`.

        Raises TerminalError where pages never end, TransientError where they do not add up.
        """
        self._pages += 1
        self._records += records
        self._left -= 1
        paging = self._paging
        if isinstance(paging, NoPaging):
            return None
        if isinstance(paging, LinkPaging):
            turn = _follow(url, link)
        elif isinstance(paging, CursorPaging):
            turn = self._move_mark(find_value(document, paging.path))
        else:
            is_last = self._is_last(document, records)
            turn = None if is_last else Turn(parameters=self._parameters())
        if turn is not None and self._left <= 0:
            msg = f"there are more than {self._pages} pages; raise max_pages if that is right"
            raise TerminalError(msg)
        return turn

    def _parameters(self) -> dict[str, str]:
        paging = self._paging
        if isinstance(paging, PagePaging):
            found = {paging.parameter: str(paging.first + self._pages)}
        elif isinstance(paging, OffsetPaging):
            found = {paging.parameter: str(self._records)}
        else:
            return {}
        return found | ({paging.size_parameter: str(paging.size)} if paging.size_parameter else {})

    def _is_last(self, document: Any, records: int) -> bool:
        paging = self._paging
        if paging.total_path is None:
            return records < int(paging.size)
        try:
            total = int(find_value(document, paging.total_path))
        except (TypeError, ValueError):
            msg = f"there is no number at {paging.total_path}, where the total should be"
            raise TerminalError(msg) from None
        if self._records > total or (records == 0 and self._records < total):
            msg = f"{self._records} records came of {total}; they changed while they were read"
            raise TransientError(msg)
        return self._records == total

    def _move_mark(self, mark: Any) -> Turn | None:
        if mark is None or mark == "":
            return None
        if str(mark) == self._mark:
            msg = "the service gives the same mark twice; does `parameter` name what it expects?"
            raise TerminalError(msg)
        self._mark = str(mark)
        return Turn(parameters={self._paging.parameter: self._mark})


def _follow(url: str, link: str | None) -> Turn | None:
    """Follow a link of the same server; another's would be sent our credentials."""
    if link is None:
        return None
    target = urljoin(url, link)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        msg = "the next page lies at another server, which is not followed"
        raise TerminalError(msg)
    return Turn(parameters={}, url=target)
