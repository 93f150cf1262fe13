"""Buckets of a real S3 server as source and sink."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import minio
import pyarrow.parquet as pa_parquet
import pytest

from connectors import TerminalError, TransientError
from connectors.kit import assess_sink, assess_source
from connectors.kit.model import Row
from connectors.model import Operation
from connectors.sinks.s3 import S3Sink, S3SinkOptions
from connectors.sources.s3 import S3Options, S3Source
from tests.built_in_stages import FilesSinkStage, FolderStage
from tests.cutting_proxy import running_proxy
from tests.integration.connectors.test_kit_built_in import require_passed
from tests.interop.s3_server import S3Server, running_s3_server
from tests.parcels import build_parcel

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3") / "data"
    folder.mkdir()
    with running_s3_server(folder) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: S3Server) -> minio.Minio:
    return minio.Minio(
        server.endpoint, access_key=server.access_key, secret_key=server.secret_key, secure=False
    )


@pytest.fixture
def bucket(client: minio.Minio, request: pytest.FixtureRequest) -> str:
    name = request.node.name.replace("_", "-")[:60].rstrip("-")
    client.make_bucket(name)
    return str(name)


def address(server: S3Server, bucket: str, **more: Any) -> dict[str, Any]:
    return {
        "endpoint": server.endpoint,
        "bucket": bucket,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
        "secure": False,
    } | more


def put(client: minio.Minio, bucket: str, name: str, text: str) -> None:
    client.put_object(bucket, name, io.BytesIO(text.encode()), len(text.encode()))


def ids(source: S3Source, cursor: Any = None) -> tuple[list[str], Any]:
    batches = list(source.read(cursor))
    found = [value for batch in batches for value in batch.rows.column("id").to_pylist()]
    return found, batches[-1].cursor if batches else cursor


def test_objects_are_read_once_and_put_away(server: S3Server, client: minio.Minio, bucket: str) -> None:
    put(client, bucket, "in/a.csv", "id,name\n1,张三\n2,李四\n")
    put(client, bucket, "in/sub/b.csv", "id,name\n3,x\n")
    put(client, bucket, "other.csv", "id,name\n9,x\n")
    options = S3Options.model_validate(address(server, bucket, prefix="in/", move_to="in/done/"))
    source = S3Source(options)
    assert source.fetch_schema().names == ["id", "name"]
    found, cursor = ids(source)
    assert found == ["1", "2", "3"]
    put(client, bucket, "in/a.csv", "id,name\n4,x\n")
    source.acknowledge(cursor)
    assert ids(source, cursor)[0] == ["4"]
    names = {item.object_name for item in client.list_objects(bucket, recursive=True)}
    assert names == {"in/a.csv", "in/done/sub/b.csv", "other.csv"}
    source.close()


def test_sink_puts_an_object_and_its_manifest_once(
    server: S3Server, client: minio.Minio, bucket: str, tmp_path: Path
) -> None:
    sink = S3Sink(S3SinkOptions.model_validate(address(server, bucket, prefix="out/")))
    parcel = build_parcel(tmp_path, 1, [{"id": 1}, {"id": 2}], Operation.DELETE)
    first = sink.write(parcel)
    before = {item.object_name: item.last_modified for item in client.list_objects(bucket, "out/")}
    assert sink.write(parcel) == first
    assert {item.object_name: item.last_modified for item in client.list_objects(bucket, "out/")} == before
    answer = client.get_object(bucket, f"out/{first.reference}.json")
    manifest = json.loads(answer.read())
    answer.close()
    client.fget_object(bucket, f"out/{manifest['file']}", str(tmp_path / "back"))
    assert pa_parquet.read_table(tmp_path / "back").to_pylist() == [{"id": 1}, {"id": 2}]
    sink.close()


def test_wrong_keys_are_terminal_and_an_absent_server_is_transient(server: S3Server, bucket: str) -> None:
    wrong = {"secret_key": "not-the-secret"}
    with pytest.raises(TerminalError, match="SignatureDoesNotMatch") as refused:
        list(S3Source(S3Options.model_validate(address(server, bucket) | wrong)).read(None))
    assert "not-the-secret" not in str(refused.value)
    with pytest.raises(TerminalError, match="NoSuchBucket"):
        list(S3Source(S3Options.model_validate(address(server, "no-such-bucket"))).read(None))
    away = address(server, bucket) | {"endpoint": "127.0.0.1:9"}
    with pytest.raises(TransientError, match="does not answer"):
        list(S3Source(S3Options.model_validate(away)).read(None))


class BucketStage(FolderStage):
    """A bucket into which every change comes as an object; the folder is only where files are made."""

    def __init__(self, client: minio.Minio, bucket: str, folder: Path) -> None:
        super().__init__(folder)
        self.client = client
        self.bucket = bucket

    def reset(self) -> None:
        super().reset()
        for item in self.client.list_objects(self.bucket, recursive=True):
            self.client.remove_object(self.bucket, str(item.object_name))

    def put(self, rows: Sequence[Row]) -> None:
        super().put(rows)
        newest = max(self.folder.iterdir())
        self.client.fput_object(self.bucket, newest.name, str(newest))


class BucketSinkStage(FilesSinkStage):
    """The objects that a sink has put, fetched to be read."""

    def __init__(self, client: minio.Minio, bucket: str, folder: Path) -> None:
        super().__init__(folder)
        self.client = client
        self.bucket = bucket

    def reset(self) -> None:
        super().reset()
        for item in self.client.list_objects(self.bucket, recursive=True):
            self.client.remove_object(self.bucket, str(item.object_name))

    def read(self) -> list[Row]:
        super().reset()
        for item in self.client.list_objects(self.bucket, recursive=True):
            name = str(item.object_name)
            self.client.fget_object(self.bucket, name, str(self.folder / name))
        return super().read()


def test_source_passes_the_conformance_kit(
    server: S3Server, client: minio.Minio, bucket: str, tmp_path: Path
) -> None:
    more = {"key": ["id"], "batch_rows": 100, "columns": ["id", "name", "amount", "day"]}
    stage = BucketStage(client, bucket, tmp_path / "in")
    with running_proxy(int(server.endpoint.rpartition(":")[2])) as proxy:
        stage.cut, stage.restore = proxy.cut, proxy.restore  # type: ignore[method-assign]
        line = {"endpoint": f"127.0.0.1:{proxy.port}"}
        options = S3Options.model_validate(address(server, bucket, **more) | line)
        findings = assess_source(lambda: S3Source(options), stage)
    require_passed(findings, skipped={"key-unique", "acknowledge-harmless", "reading-honest", "deleted-row"})


def test_sink_passes_the_conformance_kit(
    server: S3Server, client: minio.Minio, bucket: str, tmp_path: Path
) -> None:
    stage = BucketSinkStage(client, bucket, tmp_path / "out")
    with running_proxy(int(server.endpoint.rpartition(":")[2])) as proxy:
        stage.cut, stage.restore = proxy.cut, proxy.restore  # type: ignore[method-assign]
        line = {"endpoint": f"127.0.0.1:{proxy.port}"}
        options = S3SinkOptions.model_validate(address(server, bucket) | line)
        findings = assess_sink(lambda: S3Sink(options), stage)
    require_passed(findings, skipped=set())
