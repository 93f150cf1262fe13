"""A resource of a hub: each parcel is one batch, under the parcel's key as Idempotency-Key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.client import HubClient
from connectors.errors import ConfigurationError, ConnectionFailed, Refused, TransientError
from connectors.keys import ClientKey, GmsslKey
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.protocols import BaseSink

ARROW: Final = "application/vnd.apache.arrow.stream"
IN_FLIGHT: Final = "STATE-CONFLICT"
PIECE_BYTES: Final = 1024 * 1024
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


class HubSink(BaseSink):
    """Publishes parcels. What the hub refuses row by row is in quarantine there, and counted here."""

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
        try:
            answer = self._connect().publish(
                self._options.resource,
                _Pieces(parcel.path),
                idempotency_key=parcel.key,
                mode=parcel.operation.value,
                content_type=ARROW,
                confirm=self._options.confirm,
            )
        except Refused as refused:
            if refused.code == IN_FLIGHT:
                msg = "the hub is still at work on this parcel, which was sent before"
                raise TransientError(msg) from refused
            raise
        return read_receipt(answer)

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
