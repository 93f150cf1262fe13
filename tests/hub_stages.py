"""Stages for the conformance kit: a hub that is served over a line which can be cut."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pyarrow as pa
import uvicorn

from connectors import HubClient
from connectors.kit.model import Row
from connectors.sinks.hub import ARROW
from tests.built_in_stages import to_row
from tests.cutting_proxy import CuttingProxy
from tests.hubs import Member, RunningHub

CODE = "kit"
MAX_CHARACTERS = 10_000
ITEMS = [
    {"name": "id", "title": "编号", "format": "n..18", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": f"C..{MAX_CHARACTERS}"},
    {"name": "amount", "title": "金额", "format": "N..24,6"},
    {"name": "day", "title": "日期", "format": "YYYYMMDD"},
]
ENTRY = {"code": CODE, "title": "物", "theme": "other", "update_cycle": "daily", "items": ITEMS}


@asynccontextmanager
async def served(hub: RunningHub) -> AsyncIterator[int]:
    """Serve the hub of this process over HTTP on a free port of loopback; yield the port."""
    server = uvicorn.Server(uvicorn.Config(hub.app, lifespan="off", log_level="warning"))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


class HubStage:
    """The rows of a resource: published to it, emptied by a snapshot without a row, read from its table."""

    def __init__(
        self, port: int, publisher: Member, proxy: CuttingProxy, fetch: Callable[[], list[dict[str, Any]]]
    ) -> None:
        self._client = HubClient(
            f"http://127.0.0.1:{port}", client_id=publisher.client_id, client_secret=publisher.client_secret
        )
        self._fetch = fetch
        self._numbers = itertools.count(1)
        self.cut, self.restore = proxy.cut, proxy.restore

    def reset(self) -> None:
        self._publish("snapshot", [])

    def put(self, rows: Sequence[Row]) -> None:
        if any(len(row.name or "") > MAX_CHARACTERS for row in rows):
            raise NotImplementedError
        self._publish("upsert", rows)

    def remove(self, ids: Sequence[int]) -> None:
        self._publish("delete", [Row(id=number) for number in ids])

    def read(self) -> list[Row]:
        return [to_row(values) for values in self._fetch()]

    def close(self) -> None:
        self._client.close()

    def _publish(self, mode: str, rows: Sequence[Row]) -> None:
        held = {
            "id": [str(row.id) for row in rows],
            "name": [row.name for row in rows],
            "amount": [None if row.amount is None else f"{row.amount:f}" for row in rows],
            "day": [row.day and f"{row.day.year:04}{row.day:%m%d}" for row in rows],
        }
        names = ["id"] if mode == "delete" else list(held)
        table = pa.table({name: pa.array(held[name], pa.string()) for name in names})
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, table.schema) as writer:
            writer.write_table(table)
        told = self._client.publish(
            CODE,
            out.getvalue().to_pybytes(),
            idempotency_key=f"stage.{next(self._numbers)}",
            mode=mode,
            content_type=ARROW,
            confirm=True,
        )
        assert told["rejected"] == 0, told["rejected_by_reason"]
