"""`shuzheng types`: carry the catalogue of certificate types between hubs and spreadsheets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from connectors import HubClient
from core.errors import BadInput

app = typer.Typer(help="Certificate types (证照类型).", no_args_is_help=True)
_FORMATS = {".json": "json", ".xlsx": "xlsx"}

Hub = Annotated[str, typer.Option(help="address of the hub")]


@app.command("export")
def export_types(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="file to write: .json or .xlsx")],
    hub: Hub = "http://127.0.0.1:8000",
) -> None:
    """Write the whole catalogue to a file."""
    with _connect(hub) as client:
        answer = client.send("GET", "/v1/certificate-types/export", params={"format": _format_of(file)})
    file.write_bytes(answer.content)


@app.command("import")
def import_types(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a .json or .xlsx file")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what would be done")] = False,
    hub: Hub = "http://127.0.0.1:8000",
) -> None:
    """Register the types of a file: all of them, or nothing with the errors of every row."""
    params = {"format": _format_of(file), "dry_run": str(dry_run).lower()}
    content_type = {"Content-Type": "application/octet-stream"}
    with _connect(hub) as client:
        answer = client.send(
            "POST",
            "/v1/certificate-types/import",
            params=params,
            content=file.read_bytes(),
            headers=content_type,
        )
    console = Console(highlight=False)
    for each in answer.json()["types"]:
        line = f"{each['outcome']:>12}  {each['code']}  version {each['version']}  {each['name']}"
        console.print(line, markup=False)


def _format_of(file: Path) -> str:
    found = _FORMATS.get(file.suffix.lower())
    if found is None:
        msg = f"a catalogue is a file ending in {' or '.join(_FORMATS)}"
        raise BadInput(msg)
    return found


def _connect(hub: str) -> HubClient:
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to an administrator's credentials"
        raise BadInput(msg)
    return HubClient(hub, client_id=client_id, client_secret=client_secret)
