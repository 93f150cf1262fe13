"""`connector run`."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from connectors.config import load_config
from connectors.runner.report import Bars, Health, Report, report_json, report_systemd, to_all
from connectors.runner.runner import Runner
from connectors.runner.store import make_folder

EX_TEMPFAIL: Final = 75
ConfigFile = Annotated[Path, typer.Argument(help="configuration of the connector (TOML)")]


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(run)


def run(
    config: ConfigFile,
    once: Annotated[bool, typer.Option("--once", help="read once, though a schedule is set")] = False,
    json_lines: Annotated[
        bool, typer.Option("--json", help="tell in lines of JSON on a terminal too")
    ] = False,
) -> None:
    """Read what is new and deliver it; with run.every_s or run.at again and again until SIGTERM.

    Ends with code 75 where the sink was away and parcels wait for the next run.
    """
    loaded = load_config(config)
    schedule = loaded.run.schedule
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    make_folder(loaded.state)
    with _reporting(loaded.name, json_lines=json_lines) as told:
        report = to_all(told, Health(loaded.state / "health.json"), report_systemd)
        runner = Runner(loaded, report=report, stop=stop)
        if schedule is not None and not once:
            runner.run_scheduled(schedule)
            return
        outcome = runner.run_once()
    if not outcome.is_delivered:
        message = f"{outcome.waiting} parcels wait for the sink; the next run brings them"
        Console(stderr=True).print(message, highlight=False)
        raise typer.Exit(EX_TEMPFAIL)


@contextmanager
def _reporting(name: str, *, json_lines: bool) -> Iterator[Report]:
    if json_lines or not sys.stdout.isatty():
        yield report_json(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        tasks = {
            "read": progress.add_task(f"{name}: rows read", total=None),
            "written": progress.add_task(f"{name}: rows at the sink", total=None),
        }
        yield Bars(
            lambda counter, rows: progress.update(tasks[counter], completed=rows),
            lambda line: progress.console.print(line, markup=False),
        )
