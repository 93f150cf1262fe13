"""Commands that make and send data: `sample`, `publish`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.progress import Progress, TaskID

from connectors import HubClient
from core.errors import BadInput
from exchange.standards.samples import Part, SampleKind, write_sample

PIECE_BYTES = 256 * 1024
CONTENT_TYPES = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".arrow": "application/vnd.apache.arrow.stream",
}


def add_commands(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(sample)
    app.command()(publish)


def sample(
    kind: Annotated[SampleKind, typer.Argument(help="what to make up")],
    rows: Annotated[int, typer.Option(min=1, max=10_000_000, help="rows of the first batch")] = 1000,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    dirt: Annotated[float, typer.Option(min=0, max=1, help="share of dirty rows in the first batch")] = 0.0,
    part: Annotated[
        Part, typer.Option(help="the first batch, the changes after it, or deletions")
    ] = Part.INITIAL,
    out: Annotated[Path | None, typer.Option(help="file to write; standard output without it")] = None,
) -> None:
    """Make up check-valid, reproducible data in a standard schema. Nobody in it exists."""
    if out is None:
        summary = write_sample(kind, rows=rows, seed=seed, dirt=dirt, out=sys.stdout.buffer, part=part)
    else:
        with out.open("wb") as file:
            summary = write_sample(kind, rows=rows, seed=seed, dirt=dirt, out=file, part=part)
    dirty = ", ".join(f"{name} {count}" for name, count in sorted(summary.dirty.items())) or "none"
    Console(stderr=True).print(f"{summary.rows} rows; dirty: {dirty}", highlight=False)


def publish(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, Parquet or Arrow stream")],
    resource: Annotated[str, typer.Option(help="code of the resource")],
    mode: Annotated[str, typer.Option(help="upsert, delete or snapshot")] = "upsert",
    hub: Annotated[str, typer.Option(help="address of the hub")] = "http://127.0.0.1:8000",
    key: Annotated[str | None, typer.Option(help="Idempotency-Key; a new one without it")] = None,
) -> None:
    """Publish a file. Credentials come from SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET."""
    content_type = CONTENT_TYPES.get(file.suffix.lower())
    if content_type is None:
        msg = f"a batch is a file ending in {', '.join(CONTENT_TYPES)}"
        raise BadInput(msg)
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to the credentials of a publishing system"
        raise BadInput(msg)
    console = Console(stderr=True)
    with (
        HubClient(hub, client_id=client_id, client_secret=client_secret) as client,
        Progress(console=console) as progress,
    ):
        task = progress.add_task(f"{file.name} → {resource}", total=file.stat().st_size)
        answer = client.publish(
            resource,
            _pieces(file, progress, task),
            idempotency_key=key or str(uuid4()),
            mode=mode,
            content_type=content_type,
        )
    for name, value in answer.items():
        console.print(f"{name:>20}  {value}", highlight=False)


def _pieces(file: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            yield piece
            progress.advance(task, len(piece))
