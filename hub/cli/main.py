"""`shuzheng`: the commands, one module for each group of them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from connectors import ConnectorError
from core.settings import Settings
from hub.cli import (
    administration,
    catalogue,
    certificates,
    connector,
    log,
    people,
    receipt,
    reconcile,
    samples,
    seals,
    types,
)
from signing.errors import ShuzhengError

app = typer.Typer(
    name="shuzheng",
    help="Shuzheng 数证: government data exchange and e-certificate hub.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
administration.add_commands(app)
samples.add_commands(app)
reconcile.add_commands(app)
catalogue.add_commands(app)
app.add_typer(seals.app, name="seal")
app.add_typer(certificates.app, name="cert")
app.add_typer(log.app, name="log")
app.add_typer(connector.app, name="connector")
app.add_typer(receipt.app, name="receipt")
app.add_typer(people.app, name="person")
app.add_typer(types.app, name="types")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="address to listen on [SHUZHENG_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="port to listen on [SHUZHENG_PORT]")] = None,
    workers: Annotated[int | None, typer.Option(help="hub processes [SHUZHENG_WORKERS]")] = None,
) -> None:
    """Run the hub. Without SHUZHENG_DATABASE_URL it starts an embedded PostgreSQL under SHUZHENG_HOME."""
    from hub.serve import serve as run  # noqa: PLC0415 - the server's parts load slowly

    options = {"host": host, "port": port, "workers": workers}
    settings = Settings(**{name: value for name, value in options.items() if value is not None})  # type: ignore[arg-type]
    Console(stderr=True).print(
        f"hub on http://{settings.host}:{settings.port} (docs at /docs)", highlight=False
    )
    run(settings)


@app.command()
def demo(
    exit_: Annotated[bool, typer.Option("--exit", help="stop when the story ends")] = False,
    rows: Annotated[int, typer.Option(min=100, max=10_000_000, help="population rows to publish")] = 20_000,
) -> None:
    """Start a hub and play the whole story over HTTP, each system with its own credentials."""
    from hub.demo.play import play  # noqa: PLC0415 - the server's parts load slowly

    raise typer.Exit(play(Settings(), stop_at_end=exit_, rows=rows))


def main() -> None:
    """Run the command line. Errors of ours end with their sentence on stderr and code 1."""
    try:
        app()
    except ShuzhengError as error:
        console = Console(stderr=True)
        console.print(f"[red]{error.title}[/red] ({error.code})", highlight=False)
        console.print(error.detail, markup=False, highlight=False)
        for finding in error.errors:
            console.print(f"  {finding.pointer}: {finding.detail}", markup=False, highlight=False)
        sys.exit(1)
    except ConnectorError as error:
        Console(stderr=True).print(str(error), markup=False, highlight=False)
        sys.exit(1)
