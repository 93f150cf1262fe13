"""Into a folder: files that are whole where their manifest is, whatever was repeated."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from signing import sm3
from signing.merkle.receipts import TrustedKeys, verify_receipt
from subscriptions.delivery.manifest import digest_rows
from subscriptions.model import Start
from subscriptions.push.files import DirectoryCarrier
from subscriptions.push.model import TargetKind, TargetState
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed
from tests.integration.subscriptions.push_world import add, look, work
from tests.integration.subscriptions.test_push_database import build_worker


@pytest.mark.parametrize("kind", ["parquet", "csv"])
async def test_folder_gets_files_in_order_each_with_a_manifest_that_holds(
    world: World, feed: Feed, tmp_path: Path, kind: str
) -> None:
    await world.give()
    await world.publish([build_row(n) for n in range(5)])
    address = {"folder": "a/b", "format": kind}
    target = await add(feed, "", kind=TargetKind.DIRECTORY, address=address, start=Start.START, name="files")
    await world.publish([build_row(9, XM='引"号,\n换行')])
    await work(build_worker(feed, TargetKind.DIRECTORY, DirectoryCarrier(tmp_path)))
    folder = tmp_path / str(target.subscription_id) / "a/b"
    files = sorted(path for path in folder.iterdir() if path.suffix == f".{kind}")
    assert len(files) == 2
    found: list[str] = []
    for path in files:
        body = path.read_bytes()
        receipt = Path(f"{path}.manifest.json").read_bytes()
        verify_receipt(receipt, trust=TrustedKeys(keys=(HUB_KEY.public_key,)))
        manifest = json.loads(receipt)["payload"]
        assert manifest["body_sm3"] == sm3.digest(body).hex()
        if kind == "parquet":
            table = pq.read_table(io.BytesIO(body))
            assert manifest["rows_digest"] == digest_rows(table)
        else:
            options = pa_csv.ParseOptions(newlines_in_values=True)
            table = pa_csv.read_csv(
                pa.BufferReader(body),
                parse_options=options,
                convert_options=pa_csv.ConvertOptions(column_types={"XM": pa.string()}),
            )
        assert table.num_rows == manifest["rows"]
        found += table.column("XM").to_pylist()
    assert found == ["人0", "人1", "人2", "人3", "人4", '引"号,\n换行']


async def test_folder_that_is_not_configured_stops_the_target(world: World, feed: Feed) -> None:
    await world.give()
    target = await add(feed, "", kind=TargetKind.DIRECTORY, address={"folder": "x"}, name="files")
    await world.publish([build_row(1)])
    await work(build_worker(feed, TargetKind.DIRECTORY, DirectoryCarrier(None)))
    stopped = await look(feed, target)
    assert stopped.state is TargetState.STOPPED
    assert "SHUZHENG_PUSH_DIRECTORY" in str(stopped.state_reason)


@pytest.mark.parametrize("folder", ["../x", "/etc", "a/../../b", ".hidden", "", "a//b", "a/"])
async def test_folder_that_would_leave_its_root_is_refused(world: World, feed: Feed, folder: str) -> None:
    await world.give()
    with pytest.raises(Exception, match="not described well"):
        await add(feed, "", kind=TargetKind.DIRECTORY, address={"folder": folder}, name="files")
