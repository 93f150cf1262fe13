"""A folder of a real SFTP server as source and sink."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("paramiko")

import paramiko
from pydantic import ValidationError

from connectors import TerminalError, TransientError
from connectors.kit import assess_sink, assess_source
from connectors.sinks.sftp import SftpSink, SftpSinkOptions
from connectors.sources.sftp import SftpOptions, SftpSource
from tests.built_in_stages import FilesSinkStage, FolderStage
from tests.cutting_proxy import running_proxy
from tests.integration.connectors.test_kit_built_in import require_passed
from tests.parcels import build_parcel
from tests.sftp_server import PASSWORD, USER, SftpPlace, running_sftp

COLUMNS = ["id", "name", "amount", "day"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SftpPlace]:
    with running_sftp(tmp_path_factory.mktemp("sftp")) as running:
        yield running


def address(server: SftpPlace, beside: Path, **more: Any) -> dict[str, Any]:
    known = server.write_known_hosts(beside / "known_hosts", more.get("port"))
    given = {"host": "127.0.0.1", "port": server.port, "user": USER, "password": PASSWORD}
    return given | {"known_hosts": known} | more


def source(server: SftpPlace, beside: Path, **more: Any) -> SftpSource:
    given = address(server, beside) | {"settle_s": 0, "key": ["id"]} | more
    return SftpSource(SftpOptions.model_validate(given))


def ids(reader: SftpSource, cursor: Any = None) -> tuple[list[str], Any]:
    found: list[str] = []
    for batch in reader.read(cursor):
        found += batch.rows.column("id").to_pylist()
        cursor = batch.cursor or cursor
    return found, cursor


def test_files_are_read_once_and_moved_away_when_they_have_arrived(server: SftpPlace, tmp_path: Path) -> None:
    drop = server.root / "drop"
    drop.mkdir()
    (drop / "a.csv").write_text("id\n1\n2\n")
    (drop / "b.csv.part").write_text("id\n9\n")
    (drop / "inner").mkdir()
    reader = source(server, tmp_path, folder="drop", move_to="done")
    found, cursor = ids(reader)
    assert found == ["1", "2"]
    (drop / "b.csv").write_text("id\n3\n")
    found, cursor = ids(reader, cursor)
    assert found == ["3"]
    reader.acknowledge(cursor)
    assert sorted(path.name for path in (server.root / "done").iterdir()) == ["a.csv", "b.csv"]
    (drop / "a.csv").write_text("id\n4\n")
    found, cursor = ids(reader, cursor)
    reader.acknowledge(cursor)
    reader.close()
    assert found == ["4"]
    assert len(list((server.root / "done").iterdir())) == 3  # the first a.csv keeps its name


def test_file_that_is_written_just_now_waits(server: SftpPlace, tmp_path: Path) -> None:
    young = server.root / "young"
    young.mkdir()
    (young / "a.csv").write_text("id\n1\n")
    reader = source(server, tmp_path, folder="young", settle_s=3600)
    assert ids(reader)[0] == []
    os.utime(young / "a.csv", (0, 0))
    assert ids(reader)[0] == ["1"]
    reader.close()


def test_key_serves_in_place_of_a_password(server: SftpPlace, tmp_path: Path) -> None:
    (server.root / "keyed").mkdir()
    more = {"password": None, "identity_file": server.key_file, "folder": "keyed"}
    sink = SftpSink(SftpSinkOptions.model_validate(address(server, tmp_path) | more))
    receipt = sink.write(build_parcel(tmp_path, 1, [{"id": 1}]))
    sink.close()
    assert (server.root / "keyed" / f"{receipt.reference}.json").exists()
    assert not list((server.root / "keyed").glob(".*"))


def test_server_whose_key_is_not_known_is_refused(server: SftpPlace, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(TerminalError, match="known_hosts does not know"):
        ids(source(server, tmp_path, known_hosts=empty))
    other = paramiko.RSAKey.generate(2048)
    wrong = tmp_path / "wrong"
    wrong.write_text(f"[127.0.0.1]:{server.port} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(TerminalError, match="is not the one in known_hosts"):
        ids(source(server, tmp_path, known_hosts=wrong))


@pytest.mark.parametrize(
    ("more", "kind", "said"),
    [
        ({"password": "wrong-secret"}, TerminalError, "does not let exchange in"),
        ({"folder": "none"}, TerminalError, "none"),
        ({"port": 9}, TransientError, "does not answer"),
    ],
)
def test_wrong_options_end_in_a_sentence(
    server: SftpPlace, tmp_path: Path, more: dict[str, Any], kind: type[Exception], said: str
) -> None:
    reader = source(server, tmp_path, **more)
    with pytest.raises(kind, match=said) as refused:
        ids(reader)
    reader.close()
    assert "wrong-secret" not in str(refused.value)


@pytest.mark.parametrize("more", [{"password": None}, {"identity_file": "id"}])
def test_one_proof_is_wanted(server: SftpPlace, tmp_path: Path, more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give a password, or a identity_file"):
        source(server, tmp_path, **more)


def test_source_passes_the_conformance_kit(server: SftpPlace, tmp_path: Path) -> None:
    stage = FolderStage(server.root / "in")
    with running_proxy(server.port) as proxy:
        stage.cut, stage.restore = proxy.cut, proxy.restore  # type: ignore[method-assign]
        more = {"port": proxy.port, "folder": "in", "settle_s": 0, "key": ["id"]}
        given = address(server, tmp_path, **more) | {"batch_rows": 100, "columns": COLUMNS}
        options = SftpOptions.model_validate(given)
        findings = assess_source(lambda: SftpSource(options), stage)
    require_passed(findings, skipped={"key-unique", "acknowledge-harmless", "reading-honest", "deleted-row"})


def test_sink_passes_the_conformance_kit(server: SftpPlace, tmp_path: Path) -> None:
    stage = FilesSinkStage(server.root / "out")
    with running_proxy(server.port) as proxy:
        stage.cut, stage.restore = proxy.cut, proxy.restore  # type: ignore[method-assign]
        given = address(server, tmp_path, port=proxy.port) | {"folder": "out"}
        options = SftpSinkOptions.model_validate(given)
        findings = assess_sink(lambda: SftpSink(options), stage)
    require_passed(findings, skipped=set())
