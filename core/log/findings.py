"""What a check of the log found, row by row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

MAX_FINDINGS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as the signed tree says: table, row (its key), and what is wrong with it."""

    table: str
    row: str
    problem: str

    def __str__(self) -> str:
        return f"{self.table} {self.row}: {self.problem}"


@dataclass(slots=True, kw_only=True)
class Findings:
    """Findings as they are collected; the count goes on after the first MAX_FINDINGS."""

    found: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, table: str, row: str, problem: str) -> None:
        """Add one."""
        self.count += 1
        if len(self.found) < MAX_FINDINGS:
            self.found.append(Finding(table=f"core.{table}", row=row, problem=problem))

    def add_row(self, table: str, row: str, problem: str) -> None:
        """Add one about a table of another package, whose name has its schema."""
        self.count += 1
        if len(self.found) < MAX_FINDINGS:
            self.found.append(Finding(table=table, row=row, problem=problem))

    def add_file(self, name: str, problem: str) -> None:
        """Add one about a file of an export."""
        self.count += 1
        if len(self.found) < MAX_FINDINGS:
            self.found.append(Finding(table="export", row=name, problem=problem))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """The outcome of a check. `root_hash` is that of the recomputed tree over all stored entries."""

    checked_at: datetime
    tree_size: int
    root_hash: bytes
    leaves: int
    heads: int
    findings: tuple[Finding, ...]
    findings_count: int

    @property
    def is_whole(self) -> bool:
        """Tell whether nothing was found."""
        return self.findings_count == 0
