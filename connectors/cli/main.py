"""The application: one module for each group of commands."""

from __future__ import annotations

import typer

from connectors.cli import building, cascading, inferring, running, state

app = typer.Typer(
    name="connector",
    help="Connect a system of yours to a hub: sources, sinks, mappings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
running.add_commands(app)
state.add_commands(app)
building.add_commands(app)
inferring.add_commands(app)
cascading.add_commands(app)
