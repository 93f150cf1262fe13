"""`shuzheng seal inspect`: what a seal file says, and what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from signing.errors import DecodeError
from signing.seals.assess import assess_seal
from signing.seals.describe import describe_finding, describe_seal
from signing.seals.parse import parse_seal
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.pem import parse_pem

app = typer.Typer(help="Seals (电子印章).", no_args_is_help=True)
EXIT_UNREADABLE = 2


@app.callback()
def seals() -> None:
    """Work with seal files."""


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a seal (.esl), DER")],
    trust: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="folder of trusted roots (.pem)")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show what a seal says and every finding, judged now. Code 2 where the file is not a seal."""
    data = file.read_bytes()
    console = Console(highlight=False)
    try:
        seal = parse_seal(data)
    except DecodeError as error:
        Console(stderr=True).print(error.detail, markup=False)
        raise typer.Exit(EXIT_UNREADABLE) from None
    report = assess_seal(data, at=datetime.now(UTC), trust=TrustPolicy(roots=_load_roots(trust)))
    told: dict[str, Any] = {
        "status": str(report.verdict),
        "seal": describe_seal(seal),
        "findings": [describe_finding(finding) for finding in report.findings],
    }
    if as_json:
        console.print_json(json.dumps(told, ensure_ascii=False))
        return
    console.print(f"status: {told['status']}")
    for name, value in told["seal"].items():
        console.print(f"{name}: {value}", markup=False)
    for finding in told["findings"]:
        console.print(" ".join(finding.values()), markup=False)


def _load_roots(folder: Path | None) -> tuple[Certificate, ...]:
    if folder is None:
        return ()
    blocks = [
        der for path in sorted(folder.glob("*.pem")) for der in parse_pem(path.read_bytes(), "CERTIFICATE")
    ]
    return tuple(Certificate.parse(der) for der in blocks)
