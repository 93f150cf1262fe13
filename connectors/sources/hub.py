"""Another hub: the changes of a resource that is subscribed to there, for a cascade of hubs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

import pyarrow as pa
import pyarrow.ipc as pa_ipc
from pydantic import Field, SecretStr

from connectors.client import HubClient, Purpose
from connectors.cursors import FOREIGN_CURSOR
from connectors.errors import ConnectionFailed, Refused, TerminalError
from connectors.model import Batch, Cursor, Operation, Reading, SourceCapabilities
from connectors.options import Options
from connectors.protocols import BaseSource
from connectors.sinks.hub import ARROW, connect

PLACE: Final = ("_version", "_sequence", "_operation")
NEXT_CURSOR: Final = "Shuzheng-Next-Cursor"
DELIVERY: Final = "Shuzheng-Delivery"
DELETE: Final = "delete"
WRONG_INPUT: Final = "INPUT-INVALID"


class HubSourceOptions(Options):
    """The options of `kind = "hub"`: who reads what, and why. Give a secret or an SM2 key.

    The subscription is made beforehand under a grant of the other hub; the purpose is written into its log
    with every reading.
    """

    url: str
    subscription: str
    key: tuple[str, ...] = Field(min_length=1, description="the resource's key items")
    client_id: str
    client_secret: SecretStr | None = None
    credential_id: str | None = Field(default=None, description="of the SM2 key, as the hub gave it")
    private_key: SecretStr | None = Field(default=None, description="64 hexadecimal digits")
    sign_requests: bool = False
    service_item: str = Field(description="purpose: the service item")
    case_number: str = Field(description="purpose: the case or task")
    operator: str = Field(description="purpose: who is responsible")
    consumer: str = "default"
    page_rows: int = Field(default=50_000, ge=1, le=250_000)


class HubSource(BaseSource):
    """Follows the feed in its order; acknowledges what has arrived, countersigned by a key."""

    options_model = HubSourceOptions

    def __init__(self, options: HubSourceOptions) -> None:
        self._options = options
        self._client: HubClient | None = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """Every change, deletes too; a row comes as often as it changed."""
        return SourceCapabilities(
            reading=Reading.INCREMENTAL,
            deletes=True,
            repeats=True,
            acknowledges=True,
            key=self._options.key,
        )

    def fetch_schema(self) -> pa.Schema:
        """Ask for a page of one change at most, for its columns."""
        table, _ = self._fetch_page(None, limit=1)
        return table.schema

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read pages after the cursor until there are no more."""
        after = _read_cursor(cursor)
        while True:
            table, (operations, after) = self._fetch_page(after, limit=self._options.page_rows)
            if table.num_rows == 0:
                return
            yield from self._cut(table, operations, {"after": after})

    def acknowledge(self, cursor: Cursor) -> None:
        """Tell the other hub that everything up to the cursor is safe."""
        if (after := _read_cursor(cursor)) is not None:
            self._connect().acknowledge(self._options.subscription, after, consumer=self._options.consumer)

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _fetch_page(self, after: str | None, *, limit: int) -> tuple[pa.Table, tuple[list[str], str]]:
        options = self._options
        params: dict[str, Any] = {"limit": limit, "consumer": options.consumer}
        if after is not None:
            params["after"] = after
        purpose = Purpose(
            service_item=options.service_item, case_number=options.case_number, operator=options.operator
        )
        path = f"/v1/subscriptions/{options.subscription}/changes"
        client = self._connect()
        try:
            answer = client.send("GET", path, purpose=purpose, params=params, headers={"Accept": ARROW})
        except Refused as refused:
            if after is not None and refused.code == WRONG_INPUT:
                raise TerminalError(FOREIGN_CURSOR) from refused
            raise
        try:
            table = pa_ipc.open_stream(answer.content).read_all()
            operations = table.column("_operation").to_pylist()
            following = answer.headers[NEXT_CURSOR]
        except (pa.ArrowException, KeyError) as trouble:
            msg = "the answer is no page of a feed; does something between change answers?"
            raise ConnectionFailed(msg) from trouble
        if delivery := answer.headers.get(DELIVERY):
            client.deliveries.append(delivery)
        rows = table.drop_columns([name for name in PLACE if name in table.column_names])
        if missing := [name for name in options.key if name not in rows.column_names]:
            msg = f"the feed has no column {', '.join(missing)}, which `key` names"
            raise TerminalError(msg)
        return rows.replace_schema_metadata(None), (operations, following)

    def _cut(self, table: pa.Table, operations: list[str], cursor: Cursor) -> Iterator[Batch]:
        """Cut a page where deleting begins or ends; its last batch has the cursor."""
        kinds = [operation == DELETE for operation in operations]
        edges = [0, *(n for n in range(1, len(kinds)) if kinds[n] != kinds[n - 1]), len(kinds)]
        for start, end in pairwise(edges):
            part = table.slice(start, end - start)
            if kinds[start]:
                part = part.select(list(self._options.key))
            whole = part.combine_chunks().to_batches()[0]
            yield Batch(
                rows=whole,
                operation=Operation.DELETE if kinds[start] else Operation.UPSERT,
                cursor=cursor if end == len(kinds) else None,
            )

    def _connect(self) -> HubClient:
        if self._client is None:
            self._client = connect(self._options)
        return self._client


def _read_cursor(cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    after = cursor.get("after")
    if not isinstance(after, str):
        raise TerminalError(FOREIGN_CURSOR)
    return after
