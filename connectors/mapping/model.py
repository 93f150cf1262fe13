"""A mapping as its file says it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import Field, model_validator

from connectors.options import Options


class Unmapped(StrEnum):
    """What becomes of columns that the mapping does not name."""

    DROP = "drop"
    KEEP = "keep"
    STOP = "stop"  # so that a new column at the source is noticed


class UnknownCode(StrEnum):
    """What becomes of a value that the code list does not name."""

    KEEP = "keep"  # the sink refuses the row, with its reason
    NULL = "null"
    STOP = "stop"


class ColumnRule(Options):
    """One column of the result."""

    to: str = Field(min_length=1)
    from_: str | None = Field(default=None, alias="from")
    constant: str | None = None
    default: str | None = Field(default=None, description="where the source has nothing")
    format: str | None = None
    codes: str | None = Field(default=None, description="name of a code list of the mapping")
    unknown: UnknownCode = UnknownCode.KEEP
    trim: bool = True

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.from_ is None) == (self.constant is None):
            msg = "give from, or constant"
            raise ValueError(msg)
        return self


class Mapping(Options):
    """A whole mapping. `version` is yours to raise with every change; it stands in what runs report."""

    version: int = Field(ge=1)
    format: Literal["text", "typed"] = Field(
        default="text", description="text lets the hub judge each value; typed is for databases"
    )
    unmapped: Unmapped = Unmapped.DROP
    column: tuple[ColumnRule, ...] = Field(min_length=1)
    codes: dict[str, dict[str, str]] = Field(default={})

    @model_validator(mode="after")
    def _agree(self) -> Self:
        names = [rule.to for rule in self.column]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            msg = f"two columns become {', '.join(twice)}"
            raise ValueError(msg)
        if missing := sorted({rule.codes for rule in self.column if rule.codes} - set(self.codes)):
            msg = f"there is no code list {', '.join(missing)}"
            raise ValueError(msg)
        return self
