"""`connector infer`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from connectors.cli.running import ConfigFile
from connectors.config import Config, load_config
from connectors.errors import ConfigurationError, TerminalError
from connectors.mapping.infer import Target, infer_mapping, write_toml
from connectors.sinks.hub import HubSinkOptions, connect


def add_commands(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(infer)


def infer(
    config: ConfigFile,
    rows: Annotated[int, typer.Option(min=1, help="rows to read from the start")] = 1000,
    codes: Annotated[
        Path | None, typer.Option(help="code lists of the target (TOML): a table [ITEM] of code = title")
    ] = None,
) -> None:
    """Propose a mapping from real rows, with how sure each part is; for a hub, to the resource's items.

    Codes are translated to the code lists of the items, or to those of a file. It prints the table [mapping]
    of a configuration; comments hold codes that were seen. Nothing is sent.
    """
    loaded = load_config(config)
    lists = {} if codes is None else _read_lists(codes)
    sample = _read_sample(loaded, rows)
    typer.echo(write_toml(infer_mapping(sample, _find_targets(loaded, sample, lists))), nl=False)


def _read_lists(path: Path) -> dict[str, dict[str, str]]:
    """Read code lists. Raises ConfigurationError."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as trouble:
        msg = f"{path} cannot be read as TOML ({trouble})"
        raise ConfigurationError(msg) from trouble
    for name, held in found.items():
        if not isinstance(held, dict) or not all(isinstance(title, str) for title in held.values()):
            msg = f'{path}: {name} is no code list; write a table of "code" = "title"'
            raise ConfigurationError(msg)
    return found


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


def _find_targets(loaded: Config, sample: pa.Table, lists: Mapping[str, Mapping[str, str]]) -> list[Target]:
    """Return the items of the resource where the sink is a hub; else the columns, where some have codes."""
    options: Any = loaded.sink.options
    if not isinstance(options, HubSinkOptions):
        names = sample.column_names if lists else []
        return [Target(name=name, codes=lists.get(name, {})) for name in names]
    with connect(options) as client:
        resource = client.get(f"/v1/resources/{options.resource}")
        shipped = client.get("/v1/code-lists")
    return [
        Target(
            name=item["name"],
            title=item.get("title") or "",
            format=item.get("format") or "",
            is_key=bool(item.get("is_key")),
            codes=lists.get(item["name"]) or shipped.get(item.get("code_list") or "", {}),
        )
        for item in resource["items"]
    ]
