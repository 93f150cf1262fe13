"""The configuration of a connector: one TOML file.

name = "market-licences"
[source]
kind = "sqlite"
file = "licences.db"
table = "licence"
[sink]
kind = "hub"
url = "https://hub.example"
resource = "xy_xzxk"
client_id = "${SHUZHENG_CLIENT_ID}"
client_secret = "${SHUZHENG_CLIENT_SECRET}"
[run]
every_s = 300
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from connectors.errors import ConfigurationError
from connectors.options import Options, build_options, expand
from connectors.protocols import Sink, Source
from connectors.registry import load_kind
from connectors.runner.schedule import Interval, Schedule, parse_schedule

MIB = 1024 * 1024


class FullReading(StrEnum):
    """What is made of a source that yields everything each time."""

    UPSERT = "upsert"  # send all of it; what is gone stays at the sink
    DIFF = "diff"  # send what differs from the last time, deletes too
    SNAPSHOT = "snapshot"  # send all of it as one parcel that is the whole truth


class RunOptions(Options):
    """The table `[run]`."""

    every_s: float | None = Field(default=None, gt=0, description="seconds from one start to the next")
    at: str | None = Field(default=None, description="times in place of it, in five fields as cron has them")
    zone: str = Field(default="Asia/Shanghai", description="of these times, an IANA name")
    full_reading: FullReading = FullReading.UPSERT
    key: tuple[str, ...] = Field(default=(), description="columns that name a row; needed for diff")
    max_deleted_share: float = Field(default=0.2, ge=0, le=1, description="of the rows, for diff")
    allow_empty_snapshot: bool = Field(
        default=False, description="let the snapshot of a source without a row delete everything at the sink"
    )
    parcel_rows: int = Field(default=2_000_000, ge=1, le=5_000_000)
    parcel_bytes: int = Field(default=256 * MIB, ge=1)
    spool_bytes: int = Field(default=4096 * MIB, ge=1, description="reading pauses while so much waits")
    state: Path | None = Field(default=None, description="folder of cursor and spool; default NAME.state")
    max_wait_s: float = Field(default=300, gt=0, description="longest pause between two tries")
    patience_s: float = Field(default=60, ge=0, description="of a run that is not scheduled")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.every_s is not None and self.at is not None:
            msg = "give every_s, or at"
            raise ValueError(msg)
        return self

    @property
    def schedule(self) -> Schedule | None:
        """When to read again; None for once. Raises ConfigurationError."""
        if self.at is not None:
            return parse_schedule(self.at, self.zone)
        return None if self.every_s is None else Interval(every_s=self.every_s)


class _Document(Options):
    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    source: dict[str, Any]
    sink: dict[str, Any]
    mapping: str | dict[str, Any] | None = None
    run: RunOptions = RunOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A source or sink to be made: its class and its options."""

    kind: str
    made_by: type[Any]
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that has been checked; nothing has been connected to."""

    name: str
    source: Part
    sink: Part
    mapping: Mapping[str, Any] | None
    run: RunOptions
    folder: Path

    @property
    def state(self) -> Path:
        """The folder that holds cursor and spool."""
        return self.folder / (self.run.state or f"{self.name}.state")

    def make_source(self) -> Source:
        """Make the source anew."""
        made: Source = self.source.made_by(self.source.options)
        return made

    def make_sink(self) -> Sink:
        """Make the sink anew."""
        made: Sink = self.sink.made_by(self.sink.options)
        return made


def load_config(path: Path) -> Config:
    """Read a configuration. Raises ConfigurationError that names the key and what is wrong with it."""
    folder = path.resolve().parent
    document = build_options(_Document, expand(read_toml(path), base=folder), where=path.name)
    return Config(
        name=document.name,
        source=build_part("source", document.source, folder=folder),
        sink=build_part("sink", document.sink, folder=folder),
        mapping=_load_mapping(document.mapping, folder),
        run=document.run,
        folder=folder,
    )


def build_part(role: str, table: Mapping[str, Any], *, folder: Path) -> Part:
    """Check the table of a source or sink. Raises ConfigurationError."""
    kind = table.get("kind")
    if not isinstance(kind, str):
        msg = f"{role}.kind: name the kind of {role}"
        raise ConfigurationError(msg)
    made_by = load_kind(role, kind, base=folder)
    values = {name: value for name, value in table.items() if name != "kind"}
    options = build_options(made_by.options_model, _from_folder(made_by, values, folder), where=role)
    return Part(kind=kind, made_by=made_by, options=options)


def _from_folder(made_by: type[Any], values: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Let options that are paths start at the configuration's folder."""
    fields = made_by.options_model.model_fields
    paths = {name for name, field in fields.items() if field.annotation in {Path, Path | None}}
    return {
        name: folder / value if name in paths and isinstance(value, str) else value
        for name, value in values.items()
    }


def _load_mapping(given: str | dict[str, Any] | None, folder: Path) -> Mapping[str, Any] | None:
    return read_toml(folder / given) if isinstance(given, str) else given


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file. Raises ConfigurationError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as trouble:
        msg = f"{path} cannot be read ({trouble.strerror})"
        raise ConfigurationError(msg) from trouble
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as trouble:
        msg = f"{path} is no TOML: {trouble}"
        raise ConfigurationError(msg) from trouble
