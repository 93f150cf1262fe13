"""`shuzheng seal inspect`: what a seal file says, and what is wrong with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from certs.verify.describe import describe_findings
from certs.verify.language import Language
from hub.cli.certificates import AsJson, Lang, Moment, Strict, TrustFolder, choose_trust
from signing.errors import DecodeError
from signing.findings import Verdict
from signing.seals.assess import assess_seal
from signing.seals.describe import describe_seal
from signing.seals.parse import parse_seal

app = typer.Typer(help="Seals (电子印章).", no_args_is_help=True)
UNREADABLE: Final = 2
MAX_SEAL_BYTES: Final = 16 * 1024 * 1024
_EXIT_CODES: Final = {
    Verdict.VALID: 0,
    Verdict.VALID_WITH_WARNINGS: 0,
    Verdict.INVALID: 1,
    Verdict.UNKNOWN: 3,
}


@app.callback()
def seals() -> None:
    """Work with seal files."""


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="a seal (.esl), DER")],
    as_json: AsJson = False,
    trust: TrustFolder = None,
    at: Moment = "now",
    strict: Strict = False,
    lang: Lang = None,
) -> None:
    """Show what a seal says and every finding. Code 0 valid, 1 not valid, 2 not a seal, 3 unknown.

    A seal alone is judged now, unless a time is given.
    """
    policy = choose_trust(trust, at=at, strict=strict)
    data = _read(file)
    try:
        seal = parse_seal(data)
    except DecodeError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(UNREADABLE) from None
    report = assess_seal(data, at=datetime.now(UTC), trust=policy)
    told: dict[str, Any] = {
        "status": str(report.verdict),
        "seal": describe_seal(seal),
        "findings": describe_findings(report.findings, lang or Language.EN),
    }
    typer.echo(json.dumps(told, ensure_ascii=False, indent=2) if as_json else _text(told))
    raise typer.Exit(_EXIT_CODES[report.verdict])


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as source:
            data = source.read(MAX_SEAL_BYTES + 1)
    except OSError as error:
        typer.echo(error.strerror or "the file cannot be read", err=True)
        raise typer.Exit(UNREADABLE) from None
    if len(data) > MAX_SEAL_BYTES:
        typer.echo(f"a seal has at most {MAX_SEAL_BYTES} bytes", err=True)
        raise typer.Exit(UNREADABLE)
    return data


def _text(told: dict[str, Any]) -> str:
    lines = [f"status: {told['status']}"]
    lines += [f"{name}: {value}" for name, value in told["seal"].items()]
    lines += [" ".join(finding.values()) for finding in told["findings"]]
    return "\n".join(lines)
