"""A service that takes records over HTTP, some hundred at a time."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Literal, Self

import httpx
from pydantic import Field, model_validator

from connectors.auth import Proof, build_auth
from connectors.errors import TerminalError
from connectors.http import open_http, send
from connectors.model import Operation, Parcel, Receipt, SinkCapabilities
from connectors.options import Options
from connectors.paths import find_value
from connectors.protocols import BaseSink
from connectors.sources.rows import to_text


class HttpSinkOptions(Options):
    """The options of `kind = "http"`.

    Each request carries an `Idempotency-Key` that is the same when it is sent again, so that a receiver can
    know it. Exact numbers go as text, days and times as ISO 8601, bytes as Base64.
    """

    url: str = Field(pattern=r"^https?://")
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    delete_url: str | None = Field(default=None, pattern=r"^https?://")
    delete_method: Literal["POST", "DELETE"] = "POST"
    headers: dict[str, str] = Field(default_factory=dict)
    auth: Proof | None = None
    body: Literal["json", "ndjson"] = "json"
    wrap: str | None = Field(default=None, description="name of the list in a JSON object; else a list alone")
    rows_per_request: int = Field(default=500, ge=1, le=100_000)
    success: dict[str, str] = Field(default_factory=dict, description="paths of the answer and their values")
    keeps_keys: bool = Field(default=False, description="a repeated Idempotency-Key changes nothing there")
    timeout_s: float = Field(default=60, gt=0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.wrap is not None and self.body == "ndjson":
            msg = "wrap is for JSON"
            raise ValueError(msg)
        return self


class HttpSink(BaseSink):
    """Sends the rows of a parcel in requests. A parcel that broke off is sent again from its start.

    It arrives whole or not at all where it is one request: give `rows_per_request` the size of parcels.
    """

    options_model = HttpSinkOptions

    def __init__(self, options: HttpSinkOptions) -> None:
        self._options = options
        self._auth = build_auth(options.auth)
        self._open: httpx.Client | None = None

    @property
    def capabilities(self) -> SinkCapabilities:
        """Deletes where there is an address for them; once only where the receiver keeps keys."""
        operations = {Operation.UPSERT} | ({Operation.DELETE} if self._options.delete_url else set())
        return SinkCapabilities(operations=frozenset(operations), idempotent=self._options.keeps_keys)

    def write(self, parcel: Parcel) -> Receipt:
        """Send a parcel. Raises TransientError, TerminalError."""
        options = self._options
        if parcel.operation not in self.capabilities.operations:
            msg = f"this sink cannot {parcel.operation}; give delete_url for deletes"
            raise TerminalError(msg)
        is_delete = parcel.operation is Operation.DELETE
        url = str(options.delete_url) if is_delete else options.url
        method = options.delete_method if is_delete else options.method
        content_type = "application/json" if options.body == "json" else "application/x-ndjson"
        for number, rows in enumerate(_read_parts(parcel, options.rows_per_request), start=1):
            headers = {"Content-Type": content_type, "Idempotency-Key": f"{parcel.key}-{number}"}
            request = httpx.Request(
                method, url, headers=headers | options.headers, content=self._build_body(rows)
            )
            answer = send(self._connect(), request, self._auth, max_bytes=1024 * 1024)
            self._require_success(answer)
        return Receipt(accepted=parcel.rows, reference=parcel.key)

    def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _build_body(self, rows: list[dict[str, Any]]) -> bytes:
        if self._options.body == "ndjson":
            return "".join(f"{_dump(row)}\n" for row in rows).encode()
        return _dump({self._options.wrap: rows} if self._options.wrap else rows).encode()

    def _require_success(self, answer: httpx.Response) -> None:
        if not self._options.success:
            return
        try:
            document = answer.json()
        except ValueError:
            document = None
        for path, wanted in self._options.success.items():
            found = find_value(document, path)
            text = str(found).lower() if isinstance(found, bool) else str(found)
            if text != wanted:
                msg = f"the service says no: {path} is not {wanted}"
                raise TerminalError(msg)

    def _connect(self) -> httpx.Client:
        if self._open is None:
            self._open = open_http(timeout_s=self._options.timeout_s)
        return self._open


def _read_parts(parcel: Parcel, size: int) -> Iterator[list[dict[str, Any]]]:
    """Read a parcel's rows so many at a time; the cuts are the same each time."""
    part: list[dict[str, Any]] = []
    for batch in parcel.read():
        for row in batch.to_pylist():
            part.append(row)
            if len(part) == size:
                yield part
                part = []
    if part:
        yield part


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_write)


def _write(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, (date, datetime)) else to_text(value)
