"""Telling the story: steps with a number, facts that must hold, and a summary at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from connectors import HubError


class StepFailed(Exception):
    """A step of the story that does not hold."""


@dataclass(slots=True)
class Teller:
    """Prints the story, keeps its times, and stops it at the first thing that is not as it should be."""

    console: Console
    steps: list[tuple[str, float]] = field(default_factory=list)
    facts: list[tuple[str, str]] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell one step. An error of a client inside it ends the story as StepFailed."""
        self.console.rule(f"[bold]{len(self.steps) + 1}. {title}", align="left")
        begun = time.perf_counter()
        try:
            yield
        except HubError as error:
            raise StepFailed(str(error)) from error
        self.steps.append((title, time.perf_counter() - begun))

    def say(self, text: str) -> None:
        """Print one line."""
        self.console.print(f"   {text}", highlight=False, markup=False, soft_wrap=True)

    def check(self, holds: bool, text: str) -> None:
        """Say that something holds, or stop."""
        if not holds:
            msg = f"this does not hold: {text}"
            raise StepFailed(msg)
        self.console.print("   [green]✓[/green] " + escape(text), highlight=False, soft_wrap=True)

    def keep(self, name: str, value: object) -> None:
        """Keep a figure for the summary."""
        self.facts.append((name, str(value)))

    def summarise(self, address: str) -> None:
        """Print times, figures and where to look next."""
        table = Table("what", Column(overflow="fold"), title="Summary", show_header=False)
        for title, seconds in self.steps:
            table.add_row(title, f"{seconds:.1f} s")
        table.add_section()
        for name, value in self.facts:
            table.add_row(name, value)
        table.add_section()
        table.add_row("API documentation", f"{address}/docs")
        table.add_row("root certificate", f"{address}/v1/trust/root.pem")
        table.add_row("signed head of the log", f"{address}/v1/log/checkpoint")
        self.console.print(table)
