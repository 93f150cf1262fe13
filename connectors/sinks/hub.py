"""A resource of a hub: each parcel is one batch, under the parcel's key as Idempotency-Key."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.client import HubClient
from connectors.errors import ConfigurationError, ConnectionFailed, Refused, TransientError
from connectors.keys import ClientKey, GmsslKey
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.protocols import BaseSink
from connectors.runner.spool import UPLOAD
from connectors.uploads import Begun, FileUpload

ARROW: Final = "application/vnd.apache.arrow.stream"
IN_FLIGHT: Final = "STATE-CONFLICT"
PIECE_BYTES: Final = 1024 * 1024
PARTS_FROM_BYTES: Final = 16 * 1024 * 1024
PART_TRIES: Final = 3
_EFFECTS: Final = ("inserted", "updated", "unchanged", "deleted", "flagged")


class HubSinkOptions(Options):
    """The options of `kind = "hub"`: who publishes what. Give a secret or an SM2 key."""

    url: str
    resource: str
    client_id: str
    client_secret: SecretStr | None = None
    credential_id: str | None = Field(default=None, description="of the SM2 key, as the hub gave it")
    private_key: SecretStr | None = Field(default=None, description="64 hexadecimal digits")
    sign_requests: bool = False
    confirm: bool = Field(default=False, description="let a snapshot delete more than a fifth of the rows")
    parts_from_bytes: int = Field(
        default=PARTS_FROM_BYTES,
        ge=0,
        description="a parcel this long goes on in parts where its connection was cut",
    )


class HubSink(BaseSink):
    """Publishes parcels. What the hub refuses row by row is in quarantine there, and counted here.

    A parcel is sent in one request. Where that is cut and the parcel is long, it goes on in parts, from where
    the hub's copy ends, by the next run too: a note beside the parcel names the upload.
    """

    options_model = HubSinkOptions

    def __init__(self, options: HubSinkOptions) -> None:
        self._options = options
        self._client: HubClient | None = None

    @property
    def capabilities(self) -> SinkCapabilities:
        """Everything that a hub does."""
        return SinkCapabilities(operations=frozenset(Operation), judges_rows=True)

    def write(self, parcel: Parcel) -> Receipt:
        """Publish a parcel. Raises Refused, ConnectionFailed, TransientError."""
        note = parcel.path.with_suffix(UPLOAD)
        try:
            answer = self._publish_parts(parcel, note) if note.exists() else self._publish(parcel, note)
        except Refused as refused:
            if refused.code == IN_FLIGHT:
                msg = "the hub is still at work on this parcel, which was sent before"
                raise TransientError(msg) from refused
            raise
        note.unlink(missing_ok=True)
        return read_receipt(answer)

    def _publish(self, parcel: Parcel, note: Path) -> dict[str, Any]:
        """Publish in one request; let a long parcel whose connection is cut go on in parts."""
        try:
            return self._connect().publish(
                self._options.resource,
                _Pieces(parcel.path),
                idempotency_key=parcel.key,
                mode=parcel.operation.value,
                content_type=ARROW,
                confirm=self._options.confirm,
                sha256=bytes.fromhex(parcel.digest),
            )
        except ConnectionFailed:
            if parcel.size_bytes < self._options.parts_from_bytes:
                raise
            note.write_text("{}", encoding="utf-8")
        return self._publish_parts(parcel, note)

    def _publish_parts(self, parcel: Parcel, note: Path) -> dict[str, Any]:
        """Go on with a parcel in parts, unless the hub has published it: then only the answer was lost."""
        client, resource = self._connect(), self._options.resource
        for batch in client.get(f"/v1/resources/{resource}/batches", idempotency_key=parcel.key):
            if batch["state"] == "published":
                return dict(batch)
        upload = FileUpload(
            resource=resource,
            file=parcel.path,
            idempotency_key=parcel.key,
            content_type=ARROW,
            mode=parcel.operation.value,
            confirm=self._options.confirm,
            tries=PART_TRIES,
            begun=_read_note(note),
            on_begun=lambda begun: _write_note(note, begun),
        )
        return client.publish_file(upload)

    def download_rejects(self, reference: str, path: Path) -> None:
        """Save the rows of a batch that were refused, with reasons and tickets, as NDJSON."""
        place = f"/v1/resources/{self._options.resource}/batches/{reference}/rejects.ndjson"
        with path.open("wb") as out:
            for piece in self._connect().stream(place):
                out.write(piece)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _connect(self) -> HubClient:
        if self._client is None:
            self._client = connect(self._options)
        return self._client


class _Pieces:
    """A file's bytes in pieces, from the start each time they are asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __iter__(self) -> Any:
        with self._path.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield piece


def _write_note(note: Path, begun: Begun) -> None:
    beside = note.with_suffix(f"{UPLOAD}.new")
    beside.write_text(json.dumps(asdict(begun)), encoding="utf-8")
    beside.replace(note)


def _read_note(note: Path) -> Begun | None:
    """Read which upload of a parcel was begun; None where there is none, or the note is unreadable."""
    try:
        held = json.loads(note.read_text(encoding="utf-8"))
        return Begun(upload=str(held["upload"]), part_bytes=int(held["part_bytes"]))
    except (OSError, KeyError, TypeError, ValueError):
        return None


def connect(options: Any) -> HubClient:
    """Make a client of options that have url, client_id and a proof. Raises ConfigurationError."""
    key: ClientKey | None = None
    if options.private_key is not None:
        if options.credential_id is None:
            msg = "credential_id: name the credential of the private key"
            raise ConfigurationError(msg)
        key = GmsslKey(options.credential_id, options.private_key.get_secret_value())
    secret = options.client_secret.get_secret_value() if options.client_secret is not None else None
    try:
        return HubClient(
            options.url,
            client_id=options.client_id,
            client_secret=secret,
            key=key,
            sign_requests=options.sign_requests,
        )
    except ValueError as wrong:
        raise ConfigurationError(str(wrong)) from wrong


def read_receipt(answer: dict[str, Any]) -> Receipt:
    """Read the hub's accounting of a batch. Raises ConnectionFailed where it is something else."""
    try:
        return Receipt(
            accepted=int(answer["accepted"]),
            rejected=int(answer["rejected"]),
            reference=str(answer["batch"]),
            reasons={str(code): int(count) for code, count in answer["rejected_by_reason"].items()},
            effect={name: int(answer[name]) for name in _EFFECTS if name in answer},
        )
    except (KeyError, TypeError, ValueError) as trouble:
        msg = "the answer is no accounting of a batch; does something between change answers?"
        raise ConnectionFailed(msg) from trouble
