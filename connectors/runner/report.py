"""What a runner tells: lines of JSON for a service, a bar for a person, a file for whoever watches."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import IO, Any

Report = Callable[[str, Mapping[str, Any]], None]
"""Takes the name of an event and its fields; a field holds neither rows nor secrets."""


def report_json(connector: str, out: IO[str] | None = None) -> Report:
    """Write each event as one line of JSON: at, connector, event, and its fields. Threads may share it."""
    writing = Lock()

    def report(event: str, fields: Mapping[str, Any]) -> None:
        line = {"at": _now(), "connector": connector, "event": event, **fields}
        with writing:
            print(json.dumps(line, ensure_ascii=False), file=out or sys.stdout, flush=True)

    return report


@dataclass(slots=True)
class Health:
    """Keeps `health.json` beside the state: what is going on, what went wrong last, when it last went well.

    What the process before noted stays until it is no longer so.
    """

    path: Path
    _told: dict[str, Any] = field(init=False)
    _noting: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._told = load_health(self.path)

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        """Note an event; those that come often are left out."""
        if event == "read":
            return
        with self._noting:
            self._told |= {"event": event, "at": _now(), "pid": os.getpid()}
            if event in {"waiting", "failed"}:
                self._told["trouble"] = fields.get("reason")
            if event == "written" or fields.get("ended_well"):
                self._told |= {"trouble": None, "last_good_at": _now()}
            beside = self.path.with_suffix(".new")
            beside.write_text(json.dumps(self._told, ensure_ascii=False), encoding="utf-8")
            beside.replace(self.path)


def load_health(path: Path) -> dict[str, Any]:
    """Return what `Health` noted; nothing where there is no file, or none that is whole."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def report_systemd(event: str, fields: Mapping[str, Any]) -> None:
    """Tell systemd that the service is ready, lives or stops (sd_notify(3)), where it asks for that."""
    words = {"started": "READY=1", "stopped": "STOPPING=1"}.get(event, "WATCHDOG=1")
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    status = fields.get("reason")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.sendto(f"{words}\nSTATUS={status or event}".encode(), name)


@dataclass(slots=True)
class Bars:
    """Moves two counters on a terminal, `read` and `written`, and says what a person should know."""

    show: Callable[[str, int], None]
    say: Callable[[str], None]
    _read: int = 0
    _written: int = 0

    def __call__(self, event: str, fields: Mapping[str, Any]) -> None:
        """Show an event."""
        if event == "read":
            self._read += fields["rows"]
            self.show("read", self._read)
        elif event == "written":
            self._written += fields["rows"]
            self.show("written", self._written)
        if event in {"waiting", "failed", "mapping_changed", "empty"}:
            self.say(f"{event}: {fields['reason']}")
        if event == "mapped":
            self._say_strangers(fields["columns"])
        if event == "written" and fields["rejected"]:
            self.say(f"parcel {fields['parcel']}: {fields['rejected']} rows refused {fields['reasons']}")

    def _say_strangers(self, columns: Mapping[str, Mapping[str, Any]]) -> None:
        for name, count in columns.items():
            if count["unknown_codes"]:
                said = f"{count['unknown_codes']} codes that the mapping does not know"
                self.say(f"{name}: {said}, in {count['rows_of_unknown_codes']} rows; see `connector hits`")


def to_all(*reports: Report) -> Report:
    """Tell several."""

    def report(event: str, fields: Mapping[str, Any]) -> None:
        for each in reports:
            each(event, fields)

    return report


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
