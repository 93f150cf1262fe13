"""The hub as a sink over a line that is cut: long parcels go on in parts, and nothing is sent for nothing."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from connectors import ConnectionFailed, HubClient
from connectors.model import Operation, Parcel, Receipt
from connectors.sinks.hub import HubSink, HubSinkOptions
from core.settings import Settings
from tests.cutting_proxy import CuttingProxy, running_proxy
from tests.integration.connectors.hub_world import make_publisher
from tests.parcels import build_parcel
from tests.processes import hub_process

ROWS = 3000
ITEMS = [
    {"name": "id", "title": "编号", "format": "C..10", "is_key": True, "is_required": True},
    {"name": "name", "title": "名称", "format": "C..2000", "is_required": True},
]
THINGS = {"code": "things", "title": "物", "theme": "other", "update_cycle": "daily", "items": ITEMS}


def build_long(folder: Path) -> Parcel:
    """A parcel of some 3.6 MB, which is several parts."""
    rng = random.Random(7)
    names = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=1200)) for _ in range(ROWS)]
    table = pa.table({"id": [str(n) for n in range(ROWS)], "name": names})
    return build_parcel(folder, 1, table)


def find_offsets(proxy: CuttingProxy) -> list[int]:
    """Where the parts began that were sent, in their order."""
    heads = [opening for opening in proxy.openings if opening.startswith(b"PATCH ")]
    return [int(re.findall(rb"(?i)upload-offset: (\d+)", head)[0]) for head in heads]


async def in_world(
    settings: Settings, use: Callable[[CuttingProxy, HubClient, Callable[..., Receipt]], Any]
) -> None:
    """Run a hub behind a proxy, and `use` in a thread with what writes parcels by a sink of its own."""
    credentials = await make_publisher(settings)

    def run() -> None:
        with hub_process(settings) as hub, HubClient(hub, **credentials) as client:
            client.post("/v1/resources", THINGS)
            with running_proxy(int(urlsplit(hub).port or 0)) as proxy:
                given = {"url": f"http://127.0.0.1:{proxy.port}", "resource": "things"} | credentials

                def write(parcel: Parcel, **more: Any) -> Receipt:
                    sink = HubSink(HubSinkOptions.model_validate(given | {"parts_from_bytes": 0} | more))
                    try:
                        return sink.write(parcel)
                    finally:
                        sink.close()

                use(proxy, client, write)

    await asyncio.to_thread(run)


async def test_long_parcel_goes_on_where_its_connection_was_cut(
    hub_settings: Settings, tmp_path: Path
) -> None:
    parcel = build_long(tmp_path)
    size = parcel.size_bytes

    def use(proxy: CuttingProxy, client: HubClient, write: Callable[..., Receipt]) -> None:
        proxy.cut_after(size // 2, size * 7 // 10)  # once at first, once in the parts
        receipt = write(parcel)
        assert (receipt.accepted, receipt.rejected, proxy.cuts) == (ROWS, 0, 2)
        assert find_offsets(proxy)[0] == 0
        assert 0 < find_offsets(proxy)[-1] < size
        assert not list(tmp_path.glob("*.upload*"))
        (batch,) = client.get("/v1/resources/things/batches")
        assert (batch["inserted"], batch["version"]) == (ROWS, 1)

    await in_world(hub_settings, use)


async def test_next_run_goes_on_with_the_upload_and_one_that_is_gone_is_begun_anew(
    hub_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.uploads.FIRST_WAIT_S", 0.1)
    parcel = build_long(tmp_path)
    size = parcel.size_bytes
    note = parcel.path.with_suffix(".upload")

    def use(proxy: CuttingProxy, client: HubClient, write: Callable[..., Receipt]) -> None:
        proxy.cut_after(size // 2, size * 7 // 10, stay=True)
        with pytest.raises(ConnectionFailed):
            write(parcel)
        assert '"upload"' in note.read_text(encoding="utf-8")
        proxy.restore()
        proxy.openings.clear()
        assert write(parcel).accepted == ROWS
        assert 0 < find_offsets(proxy)[-1] < size
        note.write_text('{"upload": "00000000-0000-4000-8000-000000000000", "part_bytes": 1048576}')
        second = build_parcel(tmp_path, 2, [{"id": "0", "name": "新"}])
        second.path.with_suffix(".upload").write_text(note.read_text(encoding="utf-8"), encoding="utf-8")
        assert write(second).effect["updated"] == 1

    await in_world(hub_settings, use)


async def test_parcel_whose_answer_was_lost_is_asked_for_and_not_sent_again(
    hub_settings: Settings, tmp_path: Path
) -> None:
    parcel = build_long(tmp_path)
    note = parcel.path.with_suffix(".upload")

    def use(proxy: CuttingProxy, client: HubClient, write: Callable[..., Receipt]) -> None:
        first = write(parcel)
        note.write_text("{}", encoding="utf-8")
        before = proxy.sent_bytes
        assert write(parcel) == first
        assert proxy.sent_bytes - before < 10_000
        proxy.cut()
        with pytest.raises(ConnectionFailed):
            write(parcel, parts_from_bytes=parcel.size_bytes + 1)
        assert not note.exists()

    await in_world(hub_settings, use)


async def test_empty_snapshot_deletes_everything_where_it_is_confirmed(
    hub_settings: Settings, tmp_path: Path
) -> None:
    def use(_proxy: CuttingProxy, client: HubClient, write: Callable[..., Receipt]) -> None:
        write(build_parcel(tmp_path, 1, [{"id": "0", "name": "新"}]))
        empty = pa.table({"id": pa.array([], pa.string()), "name": pa.array([], pa.string())})
        receipt = write(build_parcel(tmp_path, 2, empty, Operation.SNAPSHOT), confirm=True)
        assert (receipt.accepted, receipt.effect["deleted"]) == (0, 1)

    await in_world(hub_settings, use)
