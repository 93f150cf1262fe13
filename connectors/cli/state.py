"""Commands that show and mend the state of a connector."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from connectors.cli.running import ConfigFile
from connectors.config import Config, load_config
from connectors.errors import ConfigurationError, TerminalError
from connectors.registry import list_kinds
from connectors.runner import mapped, store
from connectors.runner.lock import locked
from connectors.runner.report import load_health

SHOWN_PARCELS: Final = 10


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (status, parcels, hits, park, unpark, reset, kinds):
        app.command()(command)


def status(
    config: ConfigFile,
    max_age_s: Annotated[float | None, typer.Option(help="code 1 where the last good is older")] = None,
) -> None:
    """Show cursor, parcels and trouble as JSON. Code 1 where something is wrong: a check for a monitor."""
    loaded = load_config(config)
    with _opened(loaded) as state:
        shown = store.load_summary(state) | {"cursor": store.load_cursor(state)}
        shown["mapping"] = next((known["version"] for known in mapped.load_mappings(state)), None)
    told = load_health(loaded.state / "health.json")
    shown |= {
        "connector": loaded.name,
        "trouble": told.get("trouble"),
        "last_good_at": told.get("last_good_at"),
    }
    typer.echo(json.dumps(shown, ensure_ascii=False, indent=2))
    is_old = max_age_s is not None and _age_s(told.get("last_good_at")) > max_age_s
    if shown["trouble"] or "parked" in shown["parcels"] or is_old:
        raise typer.Exit(1)


def _age_s(at: str | None) -> float:
    return float("inf") if at is None else (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()


def parcels(config: ConfigFile, limit: Annotated[int, typer.Option(min=1)] = 20) -> None:
    """List the newest parcels and what the sink answered."""
    with _opened(load_config(config)) as state:
        found = store.load_parcels(state, limit=limit)
    names = (
        "number",
        "state",
        "mapping",
        "operation",
        "rows",
        "accepted",
        "rejected",
        "reference",
        "written",
    )
    table = Table(*names)
    for row in found:
        receipt = row["receipt"] or {}
        cells = (
            *(row["number"], row["state"], row["mapping"] or "-", row["operation"], row["rows"]),
            *(receipt.get(name, "") for name in ("accepted", "rejected", "reference")),
            row["written_at"] or "",
        )
        table.add_row(*map(str, cells))
    Console().print(table)


def hits(config: ConfigFile) -> None:
    """Show as JSON how values fitted each version of the mapping, and codes that none of its lists has.

    It prints values of rows where a code list does not know them: look at it, and do not log it.
    """
    with _opened(load_config(config)) as state:
        found = mapped.load_mappings(state)
    typer.echo(json.dumps(found, ensure_ascii=False, indent=2))


def park(config: ConfigFile, number: int) -> None:
    """Put a parcel aside that the sink does not take, so that those behind it pass. Its file stays."""
    _park(config, number, parked=True)


def unpark(
    config: ConfigFile,
    number: int,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="though later parcels were written since it was put aside")
    ] = False,
) -> None:
    """Let a parcel that was put aside wait for the sink again, before all younger ones.

    Where younger ones were written meanwhile its older rows would replace theirs: that takes --anyway.
    """
    _park(config, number, parked=False, anyway=anyway)


def _park(config: ConfigFile, number: int, *, parked: bool, anyway: bool = False) -> None:
    loaded = load_config(config)
    with locked(loaded.state), _opened(loaded) as state:
        if not parked and not anyway:
            _require_newest(number, store.load_overtaking(state, number=number))
        if not store.save_parked(state, number=number, parked=parked):
            msg = f"no parcel {number} {'waits' if parked else 'is parked'}; see `connector parcels`"
            raise TerminalError(msg)


def _require_newest(number: int, younger: list[int]) -> None:
    """Raises TerminalError that says which younger parcels were written."""
    if younger:
        named = ", ".join(map(str, younger[:SHOWN_PARCELS]))
        if len(younger) > SHOWN_PARCELS:
            named += f" and {len(younger) - SHOWN_PARCELS} more"
        msg = (
            f"parcels {named} were written since; the older rows of parcel {number} would replace newer ones "
            "of the same keys, and bring deleted ones back. Give --anyway where that is meant"
        )
        raise TerminalError(msg)


def reset(config: ConfigFile, yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False) -> None:
    """Forget cursor, digests and parcels, those that wait too: the next run reads everything anew."""
    loaded = load_config(config)
    if not yes:
        typer.confirm(f"forget the state in {loaded.state}?", abort=True)
    with locked(loaded.state):
        for path in loaded.state.glob("state.db*"):
            path.unlink()
        for folder in ("spool", "rejects"):
            shutil.rmtree(loaded.state / folder, ignore_errors=True)


def kinds() -> None:
    """List the kinds of source and sink that there are."""
    table = Table("role", "kind", "class")
    for role in ("source", "sink"):
        for kind, target in sorted(list_kinds(role).items()):
            table.add_row(role, kind, target)
    Console().print(table)


@contextmanager
def _opened(config: Config) -> Iterator[sqlite3.Connection]:
    if not (config.state / "state.db").exists():
        msg = f"{config.name} has not run yet: there is no state in {config.state}"
        raise ConfigurationError(msg)
    connection = store.open_state(config.state)
    try:
        yield connection
    finally:
        connection.close()
