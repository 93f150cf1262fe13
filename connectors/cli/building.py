"""Commands for whoever builds a connector: `new`, `test`, `preview`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from connectors.cli.running import ConfigFile
from connectors.config import Config, load_config
from connectors.errors import ConfigurationError
from connectors.mapping.apply import load_mapper
from connectors.mapping.preview import Preview
from connectors.mapping.preview import preview as make_preview
from connectors.registry import load_class
from connectors.scaffold.write import write_package

if TYPE_CHECKING:
    from connectors.kit import Finding


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (new, preview):
        app.command()(command)
    app.command("test")(run_kit)


def new(
    name: Annotated[str, typer.Argument(help="name of the package, such as market-licences")],
    folder: Annotated[Path, typer.Option(help="where to write it")] = Path(),
) -> None:
    """Write a package of your own: a source that works, its tests, a configuration."""
    for path in write_package(name, folder):
        typer.echo(path)


def run_kit(
    config: ConfigFile,
    stage: Annotated[
        str | None, typer.Option(help="FILE.py:Class that prepares the system; made without arguments")
    ] = None,
    sink: Annotated[bool, typer.Option("--sink", help="test the sink, which needs a stage")] = False,
    only: Annotated[list[str] | None, typer.Option(help="only this check; may be repeated")] = None,
) -> None:
    """Run the conformance kit on the source of a configuration (or its sink). Code 1 where a check fails.

    Without a stage the source is only read. With one its system is emptied and filled: never a real one.
    """
    from connectors.kit import Outcome  # noqa: PLC0415 - `run` starts without the kit

    loaded = load_config(config)
    given = load_class(stage, base=loaded.folder)() if stage else None
    findings = _assess(loaded, given, sink=sink, only=only or [])
    _print(findings)
    if any(finding.outcome is Outcome.FAILED for finding in findings):
        raise typer.Exit(1)


def _assess(loaded: Config, stage: Any, *, sink: bool, only: list[str]) -> list[Finding]:
    from connectors.kit import assess_sink, assess_source  # noqa: PLC0415

    if not sink:
        return assess_source(loaded.make_source, stage, only=only)
    if stage is None:
        msg = "--sink needs --stage: the kit must see what was written"
        raise ConfigurationError(msg)
    return assess_sink(loaded.make_sink, stage, only=only)


def _print(findings: list[Finding]) -> None:
    from connectors.kit import Outcome, describe  # noqa: PLC0415

    console = Console()
    for finding in findings:
        if finding.outcome is Outcome.PASSED:
            console.print(f"✓ {finding.check}", markup=False, highlight=False)
    console.print(describe(findings), markup=False, highlight=False)
    counts = {outcome: sum(f.outcome is outcome for f in findings) for outcome in Outcome}
    console.print(", ".join(f"{count} {outcome}" for outcome, count in counts.items()), highlight=False)


def preview(
    config: ConfigFile, rows: Annotated[int, typer.Option(min=1, help="rows to read from the start")] = 1000
) -> None:
    """Show what the mapping makes of real rows: hit rates, values that do not fit, codes nobody knows.

    Nothing is sent and the cursor stays. It prints values of rows: look at it, and do not log it.
    """
    loaded = load_config(config)
    mapper = load_mapper(loaded.mapping)
    if mapper is None:
        msg = "the configuration has no mapping"
        raise ConfigurationError(msg)
    source = loaded.make_source()
    try:
        found = make_preview(source, mapper, rows=rows)
    finally:
        source.close()
    _print_preview(found)


def _print_preview(found: Preview) -> None:
    console = Console()
    table = Table(
        "column", "values", "null", "fit", "do not fit", "unknown codes", title=f"{found.rows} rows"
    )
    for name, count in found.columns.items():
        codes = ", ".join(f"{code} ({times})" for code, times in count.unknown_codes.most_common(10))
        rate = "-" if count.hit_rate is None else f"{count.hit_rate:.1%}"
        unfit = ", ".join(found.unfit.get(name, []))
        table.add_row(name, str(count.values), str(count.nulls), rate, unfit, codes)
    console.print(table, markup=False)
    for before, after in zip(found.before, found.after, strict=True):
        console.print(f"{before}\n  → {after}", markup=False, highlight=False)
