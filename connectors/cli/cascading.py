"""`connector cascade`: entries of a catalogue and requests for them, between two hubs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import Field, SecretStr

from connectors.cascade import copy_entry
from connectors.config import read_toml
from connectors.demands import carry_demands
from connectors.options import Options, build_options, expand
from connectors.sinks.hub import connect


class HubOptions(Options):
    """A hub, and who calls it. Give a secret or an SM2 key."""

    url: str
    client_id: str
    client_secret: SecretStr | None = None
    credential_id: str | None = None
    private_key: SecretStr | None = None
    sign_requests: bool = False


class EntryOptions(Options):
    """An entry to copy: its code above, its code below where that is another, and items if not all."""

    resource: str
    code: str | None = None
    items: tuple[str, ...] = ()
    demands: bool = Field(default=False, description="carry requests for the copy up, and decisions down")


class CascadeOptions(Options):
    """The file of `connector cascade`."""

    above: HubOptions
    below: HubOptions
    draft: bool = Field(default=False, description="let new entries below be drafts")
    entry: tuple[EntryOptions, ...] = Field(min_length=1)


def add_commands(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(cascade)


def cascade(
    file: Annotated[Path, typer.Argument(help="the two hubs and the entries (TOML)")],
) -> None:
    """Copy entries of one hub's catalogue to another, and carry requests for them up and decisions down.

    Each line of JSON tells of one entry or request. To be run now and then: what was done is not done again.
    """
    given = build_options(
        CascadeOptions, expand(read_toml(file), base=file.resolve().parent), where=file.name
    )
    with connect(given.above) as upper, connect(given.below) as lower:
        for entry in given.entry:
            made = copy_entry(
                upper, lower, entry.resource, code=entry.code, items=entry.items, draft=given.draft
            )
            _tell("entry", code=made.code, new=made.is_new, differing=list(made.differing))
            if not entry.demands:
                continue
            for carried in carry_demands(upper, lower, resource=entry.resource, code=made.code):
                _tell(
                    "request",
                    code=made.code,
                    application=carried.application,
                    above=carried.above,
                    fate=carried.fate.value,
                )


def _tell(what: str, **fields: Any) -> None:
    typer.echo(json.dumps({"cascade": what, **fields}, ensure_ascii=False))
