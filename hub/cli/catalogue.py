"""Commands of the catalogue: checking a file against a ready schema, exporting and importing descriptions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from connectors import HubClient
from core.errors import BadInput, NotFound
from exchange.interchange.model import MEDIA_TYPES, DocumentFormat
from exchange.publish.check_file import check_file
from exchange.standards.schemas import STANDARD_SCHEMAS

_SUFFIXES = {
    ".json": DocumentFormat.JSON,
    ".xlsx": DocumentFormat.EXCEL,
    ".jsonld": DocumentFormat.DCAT,
}
catalogue = typer.Typer(help="Descriptions of resources as documents.", no_args_is_help=True)
Hub = Annotated[str, typer.Option(help="address of the hub")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(check)
    app.add_typer(catalogue, name="catalogue")


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


@catalogue.command("export")
def export_catalogue(
    file: Annotated[Path, typer.Argument(help="where to write: .json, .xlsx or .jsonld (DCAT)")],
    code: Annotated[list[str] | None, typer.Option(help="only this resource; may be repeated")] = None,
    hub: Hub = "http://127.0.0.1:8000",
) -> None:
    """Write the published catalogue into a file. Credentials as of `shuzheng publish`."""
    params: dict[str, str | list[str]] = {"format": str(_form_of(file)), "code": code or []}
    with _connect(hub) as client:
        file.write_bytes(client.send("GET", "/v1/catalogue/export", params=params).content)


@catalogue.command("import")
def import_catalogue(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=".json, .xlsx or .jsonld (DCAT)")],
    draft: Annotated[bool, typer.Option(help="register new resources as drafts")] = False,
    dry_run: Annotated[bool, typer.Option(help="tell what would happen and change nothing")] = False,
    hub: Hub = "http://127.0.0.1:8000",
) -> None:
    """Bring every resource of a file into the catalogue, or none. Credentials as of `shuzheng publish`."""
    with _connect(hub) as client:
        answer = client.send(
            "POST",
            "/v1/catalogue/import",
            params={"draft": draft, "dry_run": dry_run},
            content=file.read_bytes(),
            headers={"Content-Type": MEDIA_TYPES[_form_of(file)]},
        ).json()
    console = Console()
    for outcome in ("created", "changed", "unchanged"):
        console.print(f"{outcome:>10}  {', '.join(answer[outcome]) or '-'}", highlight=False)


def _form_of(file: Path) -> DocumentFormat:
    form = _SUFFIXES.get(file.suffix.lower())
    if form is None:
        msg = f"a catalogue is a file ending in {', '.join(_SUFFIXES)}"
        raise BadInput(msg)
    return form


def _connect(hub: str) -> HubClient:
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to the credentials of a system of yours"
        raise BadInput(msg)
    return HubClient(hub, client_id=client_id, client_secret=client_secret)
