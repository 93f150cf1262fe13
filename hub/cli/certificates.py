"""`shuzheng cert`: examine sealed OFD files of anyone, offline (`verify`); draw its pages (`render`)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from certs.verify.command import combine_exit_codes, verify_file
from certs.verify.describe import describe_report, render_text
from certs.verify.language import Language
from certs.verify.model import DocumentReport
from certs.verify.policy import build_policy
from certs.verify.trust_folder import load_trust
from core.errors import BadInput
from core.settings import Settings
from hub.cli import certificate_work, render
from signing.trust import NOTHING_TRUSTED, TrustPolicy

app = typer.Typer(help="E-certificates (电子证照).", no_args_is_help=True)
render.add_commands(app)
certificate_work.add_commands(app)

TrustFolder = Annotated[
    Path | None,
    typer.Option("--trust", help="folder of certificates (.cer .crt .pem .der), .crl and .ors files"),
]
Moment = Annotated[str, typer.Option("--at", help="judge at signing, now, or a time (ISO 8601)")]
Strict = Annotated[bool, typer.Option("--strict", help="every switch on its strict side")]
Lang = Annotated[Language | None, typer.Option("--lang", help="zh or en; text comes in both without it")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON; one line a file where there are several")]


@app.callback()
def certificates() -> None:
    """Work with certificate files."""


def choose_trust(folder: Path | None, *, at: str, strict: bool) -> TrustPolicy:
    """Build the policy of a command. Raises BadParameter, which ends it with code 2."""
    try:
        trust = NOTHING_TRUSTED if folder is None else load_trust(folder)
        return build_policy(trust, at=at, strict=strict)
    except BadInput as error:
        raise typer.BadParameter(error.detail) from error


@app.command()
def verify(
    files: Annotated[list[Path], typer.Argument(help="OFD files", metavar="FILE…")],
    as_json: AsJson = False,
    trust: TrustFolder = None,
    at: Moment = "signing",
    strict: Strict = False,
    lang: Lang = None,
    full: Annotated[bool, typer.Option("--full", help="JSON with digest, metadata and checks")] = False,
) -> None:
    """Verify seals and signatures. Code 0 valid, 1 not valid, 2 unreadable, 3 unknown or unsigned.

    Of several files the gravest code counts: 1 before 2 before 3.
    """
    policy = choose_trust(trust, at=at, strict=strict)
    now, limit = datetime.now(UTC), Settings().max_certificate_bytes
    codes = []
    for file in files:
        report = verify_file(file, trust=policy, now=now, max_bytes=limit)
        codes.append(report.exit_code)
        named = str(file) if len(files) > 1 else None
        typer.echo(_json(report, named, lang, full=full) if as_json else _text(report, named, lang))
    raise typer.Exit(combine_exit_codes(codes))


def _json(report: DocumentReport, name: str | None, lang: Language | None, *, full: bool) -> str:
    described = describe_report(report, language=lang or Language.EN, full=full)
    if name is None:
        return json.dumps(described, ensure_ascii=False, indent=2)
    return json.dumps({"file": name, **described}, ensure_ascii=False)


def _text(report: DocumentReport, name: str | None, lang: Language | None) -> str:
    text = render_text(report, language=lang)
    return text if name is None else f"{name}: {text}"
