"""Brings parcels to the sink, in their order, until each has its answer."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from connectors.errors import ConnectorError, TerminalError, describe_fault
from connectors.model import Parcel, Receipt
from connectors.protocols import Sink
from connectors.runner import store
from connectors.runner.patience import Patience
from connectors.runner.report import Report

POLL_S: Final = 0.2
KEPT_PARCELS: Final = 10_000


@runtime_checkable
class HandsRejectsBack(Protocol):
    """A sink whose refused rows can be saved beside the state."""

    def download_rejects(self, reference: str, path: Path) -> None:
        """Save the refused rows of a writing."""


@dataclass(slots=True, kw_only=True)
class Deliverer:
    """Runs in a thread of its own; `error` says why it ended where it did not end well."""

    name: str
    folder: Path
    make_sink: Callable[[], Sink]
    patience: Patience
    report: Report
    finish: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None
    has_given_up: bool = False
    _sink: Sink | None = None

    def run(self) -> None:
        """Deliver until `finish` is set and nothing waits, until stopped, or until a trouble that stays."""
        connection = store.open_state(self.folder)
        try:
            while not self.patience.stop.is_set():
                parcel = store.load_waiting(connection, name=self.name, spool=self.folder / "spool")
                if parcel is not None:
                    self._deliver(connection, parcel)
                elif self.finish.is_set():
                    return
                else:
                    self.finish.wait(POLL_S) or self.patience.stop.wait(0)
                if self.has_given_up:
                    return
        except Exception as trouble:
            self.error = trouble
            self.report("failed", {"where": "sink", "reason": str(trouble)})
        finally:
            self._close_sink()
            connection.close()

    def _deliver(self, connection: Any, parcel: Parcel) -> None:
        while True:
            try:
                receipt = self._write(parcel)
                break
            except ConnectorError as trouble:
                if not trouble.is_transient:
                    msg = f"parcel {parcel.number} is not taken: {trouble}"
                    raise TerminalError(msg) from trouble
                self._close_sink()
                wait_s = self.patience.next_wait_s()
                self.has_given_up = wait_s is None
                self.report(
                    "waiting",
                    {"where": "sink", "parcel": parcel.number, "wait_s": wait_s, "reason": str(trouble)},
                )
                if wait_s is None or not self.patience.wait(wait_s):
                    return
        self.patience.begin_anew()
        store.save_written(connection, number=parcel.number, receipt=receipt)
        parcel.path.unlink(missing_ok=True)
        if parcel.number % KEPT_PARCELS == 0:
            store.prune_written(connection, keep=KEPT_PARCELS)
        self._tell(parcel, receipt)

    def _write(self, parcel: Parcel) -> Receipt:
        verify_parcel(parcel)
        if self._sink is None:
            self._sink = self.make_sink()
        try:
            receipt = self._sink.write(parcel)
        except ConnectorError:
            raise
        except Exception as fault:
            raise describe_fault(fault, part="sink") from fault
        if receipt.accepted + receipt.rejected != parcel.rows:
            msg = (
                f"the sink answers for {receipt.accepted + receipt.rejected} rows of {parcel.rows}; "
                "none may be lost in silence"
            )
            raise TerminalError(msg)
        if receipt.rejected and isinstance(self._sink, HandsRejectsBack):
            self._save_rejects(self._sink, parcel, receipt)
        return receipt

    def _save_rejects(self, sink: HandsRejectsBack, parcel: Parcel, receipt: Receipt) -> None:
        folder = self.folder / "rejects"
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{parcel.number:08}.ndjson"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        sink.download_rejects(receipt.reference, path)

    def _tell(self, parcel: Parcel, receipt: Receipt) -> None:
        fields = {
            "parcel": parcel.number,
            "operation": parcel.operation.value,
            "rows": parcel.rows,
            "accepted": receipt.accepted,
            "rejected": receipt.rejected,
            "reasons": dict(receipt.reasons),
            "reference": receipt.reference,
            **receipt.effect,
        }
        self.report("written", fields)

    def _close_sink(self) -> None:
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def verify_parcel(parcel: Parcel) -> None:
    """Let a parcel pass whose file is as it was written. Raises TerminalError."""
    try:
        with parcel.path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as trouble:
        msg = f"the file of parcel {parcel.number} cannot be read ({trouble.strerror})"
        raise TerminalError(msg) from trouble
    if digest != parcel.digest:
        msg = f"the file of parcel {parcel.number} is not as it was written; is the disk sound?"
        raise TerminalError(msg)
