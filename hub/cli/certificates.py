"""`shuzheng cert`: examine a sealed OFD file of anyone, offline (`verify`); draw its pages (`render`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from certs.verify.command import verify_file
from certs.verify.describe import describe_report, render_text
from core.settings import Settings
from hub.cli import render

app = typer.Typer(help="E-certificates (电子证照).", no_args_is_help=True)
render.add_commands(app)


@app.callback()
def certificates() -> None:
    """Work with certificate files."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="an OFD file")],
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    trust: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="folder of certificates and CRLs")
    ] = None,
    at: Annotated[str, typer.Option(help="judge at signing, now, or a time (ISO 8601)")] = "signing",
    strict: Annotated[bool, typer.Option("--strict", help="every switch on its strict side")] = False,
) -> None:
    """Verify seals and signatures. Code 0 valid, 1 not valid, 2 unreadable, 3 unknown or unsigned."""
    report = verify_file(
        file,
        trust_folder=trust,
        at=at,
        strict=strict,
        now=datetime.now(UTC),
        max_bytes=Settings().max_certificate_bytes,
    )
    console = Console(highlight=False)
    if as_json:
        console.print_json(json.dumps(describe_report(report), ensure_ascii=False))
    else:
        console.print(render_text(report), markup=False)
    raise typer.Exit(report.exit_code)
