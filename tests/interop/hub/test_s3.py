"""The object store, and the whole story, on a real S3 server."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.errors import Unavailable
from core.objects import ObjectStore, open_object_store
from core.settings import Settings
from tests.interop.s3_server import S3Server, running_s3_server
from tests.object_store_behaviour import ObjectStoreBehaviour

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    folder = tmp_path_factory.mktemp("s3") / "data"
    folder.mkdir()
    with running_s3_server(folder) as running:
        yield running


def settings_for(server: S3Server, place: str, **changes: object) -> Settings:
    fields: dict[str, object] = {
        "object_store": place,
        "s3_endpoint": server.endpoint,
        "s3_access_key": SecretStr(server.access_key),
        "s3_secret_key": SecretStr(server.secret_key),
        "s3_secure": False,
    }
    return Settings(**(fields | changes))  # type: ignore[arg-type]


class TestS3Store(ObjectStoreBehaviour):
    """The directory store's behaviour, on S3."""

    @pytest.fixture
    def store(self, server: S3Server, request: pytest.FixtureRequest) -> ObjectStore:
        prefix = request.node.name.replace("_", "-").lower()
        return open_object_store(settings_for(server, f"s3://behaviour/{prefix}"))

    def test_prefixes_of_one_bucket_do_not_see_each_other(self, server: S3Server) -> None:
        one, other = (open_object_store(settings_for(server, f"s3://apart/{name}")) for name in ("a", "ab"))
        one.put("key", b"1")
        assert not other.exists("key")
        assert list(other.keys()) == []


def test_store_with_a_wrong_key_says_that_it_is_refused_and_not_the_key(server: S3Server) -> None:
    settings = settings_for(server, "s3://behaviour", s3_secret_key=SecretStr("wr0ng-secret"))
    with pytest.raises(Unavailable) as caught:
        open_object_store(settings)
    assert "wr0ng-secret" not in str(caught.value)


def test_server_that_went_away_is_unavailable(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with running_s3_server(folder) as running:
        store = open_object_store(settings_for(running, "s3://bucket"))
        store.put("key", b"1")
    for act in (lambda: store.get("key"), lambda: store.put("other", b"2"), lambda: list(store.keys())):
        with pytest.raises(Unavailable):
            act()


def test_demo_plays_to_its_end_with_its_objects_on_s3(server: S3Server, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    place = {"SHUZHENG_HOME": str(tmp_path), "SHUZHENG_PORT": str(port), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, "-m", "hub.cli", "demo", "--exit", "--rows", "500"],
        env=os.environ | place | server.environment | {"SHUZHENG_OBJECT_STORE": "s3://story/hub"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(open_object_store(settings_for(server, "s3://story/hub")).keys("certificates/"))
