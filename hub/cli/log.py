"""`shuzheng log …`: verify, prove, look into, export and restore the transparency log; be its witness."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from rich.console import Console

from core.log.findings import CheckReport
from core.log.services import LogServices
from core.settings import Settings
from hub.cli import log_offline, log_views, log_witness

app = typer.Typer(help="The transparency log (审计日志).", no_args_is_help=True)

SHOWN_FINDINGS = 50
Result = TypeVar("Result")
CaFile = Annotated[
    Path | None, typer.Option("--ca", exists=True, dir_okay=False, help="the hub's root certificate")
]


@app.callback()
def log() -> None:
    """Work with the transparency log."""


def run_on_log(work: Callable[[LogServices], Awaitable[Result]]) -> Result:
    """Open this hub's log (SHUZHENG_HOME, SHUZHENG_DATABASE_URL) and work on it."""
    from hub.log_alone import open_log  # noqa: PLC0415 - the server's parts load slowly
    from hub.serve import database_for  # noqa: PLC0415

    async def run(settings: Settings) -> Result:
        async with open_log(settings) as services:
            return await work(services)

    with database_for(Settings()) as ready:
        return asyncio.run(run(ready))


@app.command()
def verify(
    export: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="an export to verify")
    ] = None,
    proof: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="a proof to verify")] = None,
    number: Annotated[str | None, typer.Option(help="the number that a subject's proof is about")] = None,
    hub: Annotated[str | None, typer.Option(help="address of a hub whose log to verify over HTTP")] = None,
    ca: CaFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Check the log of this hub's database; or, with the CA certificate, an export, a proof, another hub.

    With --proof and --export, what the hub signed about a subject is counted again in the export. With --hub,
    SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET of an auditor's system have the leaves checked
    too. Code 0: whole. Code 1: something was found.
    """
    if proof is not None:
        console = Console(highlight=False)
        console.print(log_offline.verify_proof(proof, ca=ca, number=number), markup=False)
        if export is not None:
            console.print(log_offline.verify_proof_in_export(proof, export, ca=ca), markup=False)
        return
    if hub is not None:
        report = log_offline.verify_hub(hub, ca=ca)
    elif export is None:
        report = run_on_log(lambda services: services.check.run_recorded())
    else:
        report, _, _ = log_offline.check_export(export, ca=ca)
    print_report(report, as_json=as_json)
    raise typer.Exit(0 if report.is_whole else 1)


def print_report(report: CheckReport, *, as_json: bool) -> None:
    """Print the outcome of a check."""
    console = Console(highlight=False)
    if as_json:
        console.print_json(json.dumps(describe_report(report), ensure_ascii=False))
        return
    for finding in report.findings[:SHOWN_FINDINGS]:
        console.print(str(finding), markup=False, soft_wrap=True)
    verdict = "whole" if report.is_whole else f"NOT whole: {report.findings_count} findings"
    console.print(
        f"{report.tree_size} places, {report.leaves} leaves, {report.heads} signed heads: {verdict}"
    )


def describe_report(report: CheckReport) -> dict[str, Any]:
    """Render the outcome of a check."""
    return {
        "tree_size": report.tree_size,
        "root": report.root_hash.hex(),
        "leaves": report.leaves,
        "heads": report.heads,
        "is_whole": report.is_whole,
        "findings": [
            {"table": each.table, "row": each.row, "problem": each.problem} for each in report.findings
        ],
        "findings_count": report.findings_count,
    }


@app.command()
def prove(
    leaf: Annotated[UUID, typer.Argument(help="id of a leaf")],
    out: Annotated[Path, typer.Option(help="file to write")] = Path("proof.json"),
) -> None:
    """Write the proof that a leaf is in the newest signed tree; `log verify --proof` checks it offline."""
    document = run_on_log(lambda services: services.prove_for_file(leaf))
    out.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    Console().print(f"{out}: leaf {document['index']} of {document['tree_size']}", highlight=False)


@app.command(name="prove-subject")
def prove_subject(
    number: Annotated[
        str, typer.Option(prompt=True, hide_input=True, help="a citizen number or credit code")
    ],
    out: Annotated[Path, typer.Option(help="file to write")] = Path("subject.json"),
) -> None:
    """Write the proof of all leaves about a person or firm; `log verify --proof` misses none."""
    document = run_on_log(lambda services: services.prove_subject_for_file(number))
    out.write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
    Console().print(f"{out}: {len(document['leaves'])} leaves", highlight=False)


@app.command()
def export(out: Annotated[Path, typer.Argument(help="zip file to write; must not exist")]) -> None:
    """Export the whole log: signed, verifiable offline, restorable, readable by other tools for tile logs."""
    if out.exists():
        raise typer.BadParameter("the file exists already")  # noqa: EM101
    done = run_on_log(lambda services: services.export.export(out, caller=None))
    Console().print(f"{out}: {done.tree_size} leaves, manifest sm3:{done.manifest_sm3}", highlight=False)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="an export")],
    ca: CaFile = None,
) -> None:
    """Restore a verified export into a database whose log is empty, and check every row of it."""
    report = log_offline.restore_export(file, ca=ca, settings=Settings())
    print_report(report, as_json=False)
    raise typer.Exit(0 if report.is_whole else 1)


@app.command()
def drop(
    before: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="drop what is older than this day, UTC")
    ],
) -> None:
    """Drop the payloads of old leaves (at least 183 days); their hashes stay, and the tree provable."""
    moment = before.replace(tzinfo=UTC)
    dropped = run_on_log(lambda services: services.retention.drop_before(moment))
    Console().print(f"{dropped} payloads dropped", highlight=False)


log_views.add_commands(app, run_on_log)
log_witness.add_commands(app)
