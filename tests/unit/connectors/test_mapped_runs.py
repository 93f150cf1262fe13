"""What runs tell and keep of their mapping: its version, changes of it, how values fitted, unknown codes."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from connectors.cli.main import app
from connectors.config import load_config
from connectors.mapping.apply import ColumnCount
from connectors.runner import mapped, store
from connectors.runner.report import Bars
from connectors.runner.runner import Runner

STRANGER = "某某某"


def write_config(folder: Path, *, version: int = 1, codes: str = '"男" = "1"', run: str = "") -> Path:
    path = folder / "c.toml"
    path.write_text(
        f"""
name = "c"
[source]
kind = "sqlite"
file = "a.db"
table = "t"
key = ["id"]
watermark = "id"
[sink]
kind = "sqlite"
file = "b.db"
table = "t"
key = ["id"]
[run]
{run}
[mapping]
version = {version}
[[mapping.column]]
from = "id"
to = "id"
format = "n..4"
[[mapping.column]]
from = "sex"
to = "sex"
format = "n1"
codes = "sex"
[mapping.codes.sex]
{codes}
""",
        encoding="utf-8",
    )
    return path


def fill(folder: Path, *sexes: str | None) -> None:
    connection = sqlite3.connect(folder / "a.db")
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, sex TEXT)")
        connection.executemany("INSERT INTO t (sex) VALUES (?)", [(sex,) for sex in sexes])
    connection.close()


def run(config: Path) -> list[tuple[str, dict[str, Any]]]:
    told: list[tuple[str, dict[str, Any]]] = []
    Runner(load_config(config), report=lambda event, fields: told.append((event, dict(fields)))).run_once()
    return told


def find(told: list[tuple[str, dict[str, Any]]], event: str) -> list[dict[str, Any]]:
    return [fields for name, fields in told if name == event]


def test_run_tells_version_hits_and_unknown_codes_without_their_values(tmp_path: Path) -> None:
    fill(tmp_path, "男", None, STRANGER, STRANGER)
    told = run(write_config(tmp_path))
    assert find(told, "started")[0]["mapping"] == 1
    assert find(told, "spooled")[0]["mapping"] == 1
    assert not find(told, "mapping_changed")
    (fitted,) = find(told, "mapped")
    assert fitted["columns"]["sex"] == {
        "values": 4,
        "nulls": 1,
        "hit_rate": 0.3333,
        "unknown_codes": 1,
        "rows_of_unknown_codes": 2,
    }
    assert STRANGER not in json.dumps(told, ensure_ascii=False)


def test_state_keeps_each_version_with_its_hits_and_codes(tmp_path: Path) -> None:
    fill(tmp_path, "男", STRANGER)
    run(write_config(tmp_path))
    fill(tmp_path, STRANGER)
    run(write_config(tmp_path))
    fill(tmp_path, STRANGER)
    told = run(write_config(tmp_path, version=2, codes=f'"{STRANGER}" = "2"'))
    (change,) = find(told, "mapping_changed")
    assert (change["before"], change["mapping"], change["parcel"]) == (1, 2, 3)
    assert "raise" not in change["reason"]
    shown = CliRunner().invoke(app, ["hits", str(tmp_path / "c.toml")])
    newest, oldest = json.loads(shown.output)
    assert (newest["version"], newest["from_parcel"], oldest["version"]) == (2, 3, 1)
    assert oldest["columns"]["sex"] == {
        "values": 3,
        "nulls": 0,
        "fitting": 1,
        "unknown_codes": {STRANGER: 2},
    }
    assert newest["columns"]["sex"]["unknown_codes"] == {}
    state = store.open_state(tmp_path / "c.state")
    assert [parcel["mapping"] for parcel in store.load_parcels(state, limit=9)] == [2, 1, 1]
    state.close()
    status = CliRunner().invoke(app, ["status", str(tmp_path / "c.toml")])
    assert json.loads(status.output)["mapping"] == 2


def test_mapping_that_changed_under_its_old_version_is_told_with_what_to_do(tmp_path: Path) -> None:
    fill(tmp_path, "男")
    run(write_config(tmp_path))
    (change,) = find(run(write_config(tmp_path, codes='"男" = "2"')), "mapping_changed")
    assert (change["before"], change["mapping"]) == (1, 1)
    assert "raise mapping.version" in change["reason"]
    assert not find(run(write_config(tmp_path, codes='"男" = "2"')), "mapping_changed")


def test_unknown_codes_that_are_kept_are_bounded_and_known_ones_still_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mapped, "MAX_CODES", 2)
    state = store.open_state(tmp_path)
    mapped.enter_mapping(state, None, next_parcel=1)
    count = ColumnCount(values=3)
    count.unknown_codes.update({"a": 1, "b": 1, "c": 1})
    for _ in range(2):
        mapped.save_counts(state, {"x": count})
    (kept,) = mapped.load_mappings(state)
    state.close()
    assert kept["columns"]["x"]["unknown_codes"] == {"a": 2, "b": 2}


def test_person_at_a_terminal_is_told_of_codes_and_changes() -> None:
    said: list[str] = []
    bars = Bars(lambda _counter, _rows: None, said.append)
    column = {"unknown_codes": 2, "rows_of_unknown_codes": 9}
    bars("mapped", {"columns": {"sex": column, "id": {"unknown_codes": 0, "rows_of_unknown_codes": 0}}})
    bars("mapping_changed", {"reason": "rows are mapped anew"})
    assert said == [
        "sex: 2 codes that the mapping does not know, in 9 rows; see `connector hits`",
        "mapping_changed: rows are mapped anew",
    ]


@pytest.mark.parametrize("is_permitted", [False, True])
def test_snapshot_of_an_empty_source_deletes_only_where_that_is_permitted(
    tmp_path: Path, is_permitted: bool
) -> None:
    fill(tmp_path, "男", "男")
    text = write_config(tmp_path).read_text(encoding="utf-8").replace('watermark = "id"\n', "")
    options = 'full_reading = "snapshot"\nallow_empty_snapshot = ' + str(is_permitted).lower()
    config = tmp_path / "c.toml"
    config.write_text(text.replace("[run]", f"[run]\n{options}"), encoding="utf-8")
    run(config)
    connection = sqlite3.connect(tmp_path / "a.db")
    with connection:
        connection.execute("DELETE FROM t")
    connection.close()
    told = run(config)
    assert bool(find(told, "empty")) is not is_permitted
    there = sqlite3.connect(tmp_path / "b.db")
    assert there.execute("SELECT count(*) FROM t").fetchone()[0] == (0 if is_permitted else 2)
    there.close()
    assert not is_permitted or find(told, "written")[0]["rows"] == 0
