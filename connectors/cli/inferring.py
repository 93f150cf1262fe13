"""`connector infer`."""

from __future__ import annotations

from typing import Annotated, Any

import pyarrow as pa
import typer

from connectors.cli.running import ConfigFile
from connectors.config import Config, load_config
from connectors.errors import TerminalError
from connectors.mapping.infer import Target, infer_mapping, write_toml
from connectors.sinks.hub import HubSinkOptions, connect


def add_commands(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(infer)


def infer(
    config: ConfigFile, rows: Annotated[int, typer.Option(min=1, help="rows to read from the start")] = 1000
) -> None:
    """Propose a mapping from real rows, with how sure each part is; for a hub, to the resource's items.

    It prints the table [mapping] of a configuration; comments hold codes that were seen. Nothing is sent.
    """
    loaded = load_config(config)
    sample = _read_sample(loaded, rows)
    typer.echo(write_toml(infer_mapping(sample, _fetch_targets(loaded))), nl=False)


def _read_sample(loaded: Config, rows: int) -> pa.Table:
    source = loaded.make_source()
    found: list[pa.RecordBatch] = []
    try:
        for batch in source.read(None):
            found.append(batch.rows.slice(0, rows - sum(part.num_rows for part in found)))
            if sum(part.num_rows for part in found) >= rows:
                break
    finally:
        source.close()
    if not found:
        msg = "the source has no rows to infer from"
        raise TerminalError(msg)
    return pa.Table.from_batches(found[:1] + [part for part in found[1:] if part.schema == found[0].schema])


def _fetch_targets(loaded: Config) -> list[Target]:
    """Return the items of the resource where the sink is a hub; none otherwise."""
    options: Any = loaded.sink.options
    if not isinstance(options, HubSinkOptions):
        return []
    with connect(options) as client:
        resource = client.get(f"/v1/resources/{options.resource}")
    return [
        Target(
            name=item["name"],
            title=item.get("title") or "",
            format=item.get("format") or "",
            is_key=bool(item.get("is_key")),
        )
        for item in resource["items"]
    ]
