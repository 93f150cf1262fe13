"""The options of `kind = "http"`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from connectors.auth import Proof
from connectors.options import Options


class NoPaging(Options):
    """One answer holds everything."""

    kind: Literal["none"] = "none"


class PagePaging(Options):
    """Pages with numbers. It ends at a page with fewer records than `size`, or at the total."""

    kind: Literal["page"]
    parameter: str = "page"
    first: int = 1
    size_parameter: str | None = None
    size: int = Field(default=500, ge=1)
    total_path: str | None = Field(default=None, description="of the number of all records")


class OffsetPaging(Options):
    """An offset in records. It ends at an answer with fewer than `size`, or at the total."""

    kind: Literal["offset"]
    parameter: str = "offset"
    size_parameter: str | None = "limit"
    size: int = Field(default=500, ge=1)
    total_path: str | None = None


class CursorPaging(Options):
    """A mark in each answer that fetches the next one. It ends where there is none."""

    kind: Literal["cursor"]
    parameter: str = "cursor"
    path: str = Field(description="of the mark, as in meta.next")


class LinkPaging(Options):
    """The header field Link with rel="next" (RFC 8288), on the same server."""

    kind: Literal["link"]


Paging = Annotated[
    NoPaging | PagePaging | OffsetPaging | CursorPaging | LinkPaging, Field(discriminator="kind")
]


class ColumnType(StrEnum):
    """What a column holds. What a record has there must be of it, as JSON or written as text."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"  # exact, as text
    BOOLEAN = "boolean"
    DATE = "date"  # YYYY-MM-DD or YYYYMMDD
    JSON = "json"  # whatever stands there, as JSON text


class Column(Options):
    """Where a record holds a column, and what it is."""

    path: str
    type: ColumnType = ColumnType.TEXT


class Since(Options):
    """How only what changed is asked for: the greatest value of a column goes into a parameter.

    The service must answer everything from that value on, itself included: records of that moment come
    again, and those that are as they were are left out (of a hundred at most; more go to the sink again).
    """

    column: str
    parameter: str
    start: str | None = Field(default=None, description="of the first time; without it, no parameter")


class HttpOptions(Options):
    """The options of `kind = "http"`: one request, its pages, and what becomes of the records.

    Parameters go into the query, but for those that stand in `body` as `{{name}}`: there their values are
    escaped as its type wants. Records behind text that is a document itself are reached by `unwrap`.
    """

    url: str = Field(pattern=r"^https?://")
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = Field(default_factory=dict)
    parameters: dict[str, str] = Field(default_factory=dict)
    body: str | None = Field(default=None, description="a template, as its type wants")
    body_type: Literal["json", "form", "xml"] = "json"
    answer: Literal["json", "xml"] = "json"
    auth: Proof | None = None
    unwrap: str | None = Field(default=None, description="path of text that holds the document itself")
    unwrapped: Literal["json", "xml"] = "json"
    records: str = Field(default="", description="path of the list; in XML of the element that repeats")
    success: dict[str, str] = Field(default_factory=dict, description="paths of the answer and their values")
    paging: Paging = NoPaging()
    columns: dict[str, Column | str] = Field(min_length=1, description="name → path, or path and type")
    key: tuple[str, ...] = ()
    since: Since | None = None
    timeout_s: float = Field(default=60, gt=0)
    max_pages: int = Field(default=100_000, ge=1)
    max_answer_bytes: int = Field(default=64 * 1024 * 1024, ge=1)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        wanted = {*self.key, *({self.since.column} if self.since else ())}
        if missing := sorted(wanted - set(self.columns)):
            msg = f"columns must hold {', '.join(missing)}"
            raise ValueError(msg)
        return self

    @property
    def typed_columns(self) -> dict[str, Column]:
        """The columns with their types."""
        return {
            name: Column(path=given) if isinstance(given, str) else given
            for name, given in self.columns.items()
        }
