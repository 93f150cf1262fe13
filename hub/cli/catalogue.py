"""Commands of the catalogue that need no hub: checking a file against a ready schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.errors import NotFound
from exchange.publish.check_file import check_file
from exchange.standards.schemas import STANDARD_SCHEMAS


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(check)


def check(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, Parquet or Arrow stream")],
    schema: Annotated[str, typer.Option(help="code of a ready schema, such as xy_xzxk")],
) -> None:
    """Check a file against a ready schema: what a publish would refuse, and why. Code 1 where it would."""
    if schema not in STANDARD_SCHEMAS:
        msg = f"there is no ready schema of that code; there are {', '.join(sorted(STANDARD_SCHEMAS))}"
        raise NotFound(msg)
    report = check_file(file, STANDARD_SCHEMAS[schema])
    console = Console()
    table = Table("row", "item", "reason", "what is wrong")
    for reject in report.first_rejects:
        for reason in reject.reasons:
            table.add_row(str(reject.row_number), reason.item or "", reason.code, reason.detail)
    if report.first_rejects:
        console.print(table)
    console.print(f"{report.received} rows: {report.rejected} would be refused, {report.flagged} marked")
    for code, count in report.by_reason.most_common():
        console.print(f"  {code}: {count}", highlight=False)
    raise typer.Exit(1 if report.rejected else 0)
