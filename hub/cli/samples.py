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
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn

from connectors import HubClient
from connectors.uploads import FileUpload
from core.errors import BadInput
from exchange.publish.media import COMPRESSED_EXTENSIONS, EXTENSIONS
from exchange.standards.samples import Part, SampleKind, write_sample

PIECE_BYTES = 256 * 1024


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
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV, NDJSON, Excel, Parquet or Arrow stream")
    ],
    resource: Annotated[str, typer.Option(help="code of the resource")],
    mode: Annotated[str, typer.Option(help="upsert, delete or snapshot")] = "upsert",
    hub: Annotated[str, typer.Option(help="address of the hub")] = "http://127.0.0.1:8000",
    key: Annotated[str | None, typer.Option(help="Idempotency-Key; a new one without it")] = None,
    confirm: Annotated[bool, typer.Option(help="let a snapshot delete more than a fifth")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="validate and report; commit nothing")] = False,
) -> None:
    """Publish a file; a cut connection is taken up again.

    Credentials come from SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET.
    """
    content_type, coding = read_kind(file)
    console = Console(stderr=True)
    with (
        open_client(hub) as client,
        Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[phase]}"),
            TimeElapsedColumn(),
            console=console,
        ) as progress,
    ):
        task = progress.add_task(f"{file.name} → {resource}", total=file.stat().st_size, phase="sending")
        if dry_run:
            answer = client.send(
                "POST",
                f"/v1/resources/{resource}/batches",
                params={"mode": mode, "dry_run": "true"},
                content=_pieces(file, progress, task),
                headers={"Content-Type": content_type, "Content-Encoding": coding},
                timeout=None,
            ).json()
        else:
            answer = client.publish_file(
                FileUpload(
                    resource=resource,
                    file=file,
                    idempotency_key=key or str(uuid4()),
                    content_type=content_type,
                    content_encoding=coding,
                    mode=mode,
                    confirm=confirm,
                    on_sent=lambda offset: progress.update(task, completed=offset),
                    on_progress=lambda phase, rows: progress.update(task, phase=f"{phase}, {rows:,} rows"),
                )
            )
        progress.update(task, phase="done")
    for name, value in answer.items():
        console.print(f"{name:>20}  {value}", markup=False, highlight=False)


def read_kind(file: Path) -> tuple[str, str]:
    """Tell the media type and content coding of a file by its name. Raises BadInput."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    coding = COMPRESSED_EXTENSIONS.get(suffixes[-1]) if suffixes else None
    kind = (
        EXTENSIONS.get(suffixes[-2] if coding and len(suffixes) > 1 else suffixes[-1]) if suffixes else None
    )
    if kind is None:
        ends = ", ".join(EXTENSIONS)
        msg = f"a batch is a file ending in {ends}, also with {' or '.join(COMPRESSED_EXTENSIONS)} behind it"
        raise BadInput(msg)
    return kind, coding or "identity"


def open_client(hub: str) -> HubClient:
    """Open a client with the credentials of the environment. Raises BadInput where there are none."""
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to the credentials of your system"
        raise BadInput(msg)
    return HubClient(hub, client_id=client_id, client_secret=client_secret)


def _pieces(file: Path, progress: Progress, task: TaskID) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE_BYTES):
            yield piece
            progress.advance(task, len(piece))
