"""One-way transfer: packages laid down here, carried, taken in there; and what a carrier may do to them."""

from __future__ import annotations

import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import pytest

from connectors import GmsslKey, TerminalError, TransientError
from connectors.config import Config, load_config
from connectors.runner.runner import Runner
from tests.integration.connectors.hub_world import write_rows

SCALAR = "c0ffee".rjust(64, "0")
PUBLIC = GmsslKey("k", SCALAR).public_point.hex()


class Gap:
    """Both sides of a gap, and the carrier between."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out, self.into = folder, folder / "out", folder / "in"
        self.shape = 'full_reading = "diff"'
        for made in (self.out, self.into):
            made.mkdir()

    def config(self, side: str, *, public: str = PUBLIC) -> Config:
        text = {
            "here": f"""
name = "things"
[source]
kind = "sqlite"
file = "a.db"
table = "t"
key = ["id"]
[sink]
kind = "packages"
folder = "out"
private_key = "{SCALAR}"
[run]
{self.shape}
parcel_rows = 400
""",
            "there": f"""
name = "inside"
[source]
kind = "packages"
folder = "in"
connector = "things"
public_key = "{public}"
key = ["id"]
[sink]
kind = "sqlite"
file = "b.db"
table = "t"
key = ["id"]
[run]
patience_s = 0
""",
        }[side]
        path = self.folder / f"{side}.toml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    def run(self, side: str, **options: str) -> None:
        Runner(self.config(side, **options), report=lambda _event, _fields: None).run_once()

    def packages(self) -> list[Path]:
        return sorted(self.out.iterdir(), key=lambda path: int(path.name.split(".")[-2]))

    def carry(self) -> None:
        for path in self.packages():
            shutil.move(path, self.into / path.name)

    def rows(self, file: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / file)
        found = connection.execute("SELECT id, name, changed, seq FROM t ORDER BY id").fetchall()
        connection.close()
        return found


@pytest.fixture
def gap(tmp_path: Path) -> Gap:
    made = Gap(tmp_path)
    write_rows(tmp_path / "a.db", 1000)
    made.run("here")
    return made


def test_rows_changes_and_deletes_cross_the_gap_once(gap: Gap) -> None:
    assert len(gap.packages()) == 3
    kept = gap.folder / "kept"
    shutil.copytree(gap.out, kept)
    gap.carry()
    gap.run("there")
    assert gap.rows("b.db") == gap.rows("a.db")
    assert not list(gap.into.iterdir())
    write_rows(gap.folder / "a.db", 5, name="改{}")
    connection = sqlite3.connect(gap.folder / "a.db")
    with connection:
        connection.execute("DELETE FROM t WHERE id > 990")
    connection.close()
    gap.run("here")
    for path in kept.iterdir():  # the carrier brings old ones again
        shutil.copy(path, gap.into / path.name)
    gap.carry()
    gap.run("there")
    assert gap.rows("b.db") == gap.rows("a.db")


def test_package_that_has_not_come_is_waited_for(gap: Gap) -> None:
    first, second, third = gap.packages()
    shutil.move(first, gap.into / first.name)
    shutil.move(third, gap.into / third.name)
    with pytest.raises(TransientError, match="package 2 has not come, but 3 has"):
        gap.run("there")
    assert len(gap.rows("b.db")) == 400
    shutil.move(second, gap.into / second.name)
    gap.run("there")
    assert gap.rows("b.db") == gap.rows("a.db")


def test_package_signed_by_another_is_refused(gap: Gap) -> None:
    gap.carry()
    with pytest.raises(TerminalError, match="not of the sender's key"):
        gap.run("there", public=GmsslKey("k", "1f" * 32).public_point.hex())
    assert not (gap.folder / "b.db").exists()


def test_package_under_the_name_of_another_is_refused(gap: Gap) -> None:
    first, second, _ = gap.packages()
    shutil.copy(second, gap.into / first.name)
    with pytest.raises(TerminalError, match="has the name of another"):
        gap.run("there")


@pytest.mark.parametrize("part", ["manifest.json", "rows.arrow", "manifest.sig"])
def test_package_with_any_part_changed_is_refused(gap: Gap, part: str) -> None:
    first = gap.packages()[0]
    with zipfile.ZipFile(first) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    changed = bytearray(held[part])
    changed[len(changed) // 2] ^= 1
    with zipfile.ZipFile(gap.into / first.name, "w", zipfile.ZIP_STORED) as archive:
        for name, content in (held | {part: bytes(changed)}).items():
            archive.writestr(name, content)
    with pytest.raises(TerminalError):
        gap.run("there")
    assert not (gap.folder / "b.db").exists()


def test_file_that_is_no_package_is_refused_with_a_sentence(gap: Gap) -> None:
    name = gap.packages()[0].name
    (gap.into / name).write_bytes(b"nothing")
    with pytest.raises(TerminalError, match="damaged or no package"):
        gap.run("there")


@pytest.fixture
def whole(tmp_path: Path) -> Gap:
    """A gap that whole snapshots cross."""
    made = Gap(tmp_path)
    made.shape = 'full_reading = "snapshot"\nallow_empty_snapshot = true'
    return made


def put_rows(file: Path, rows: list[tuple[Any, ...]]) -> None:
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (id TEXT, name TEXT, changed TEXT, seq INTEGER)")
        connection.execute("DELETE FROM t")
        connection.executemany("INSERT INTO t VALUES (?, ?, '', 0)", rows)
    connection.close()


def test_snapshot_with_a_key_twice_crosses_the_gap_as_one(whole: Gap) -> None:
    rows = [(f"K{n:06}", "x") for n in range(70_000)]
    put_rows(whole.folder / "a.db", [*rows, ("K000003", "y")])
    whole.run("here")
    whole.carry()
    whole.run("there")
    found = whole.rows("b.db")
    assert len(found) == 70_000
    assert found[3][:2] == ("K000003", "y")


def test_snapshot_of_nothing_crosses_the_gap(whole: Gap) -> None:
    put_rows(whole.folder / "a.db", [("K1", "x"), ("K2", "x")])
    whole.run("here")
    whole.carry()
    whole.run("there")
    assert len(whole.rows("b.db")) == 2
    put_rows(whole.folder / "a.db", [])
    whole.run("here")
    whole.carry()
    whole.run("there")
    assert whole.rows("b.db") == []
    assert not list(whole.into.iterdir())
