"""`shuzheng check`: a department finds its bad rows before it sends anything."""

from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from exchange.standards.samples import SampleKind, write_sample
from hub.cli.main import app


def write(path: Path, dirt: float) -> int:
    with path.open("wb") as out:
        return write_sample(SampleKind.PENALTY, rows=500, seed=3, dirt=dirt, out=out).dirty_rows


def test_check_of_a_clean_file_ends_with_code_0(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", 0)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "rows.csv"), "--schema", "xy_xzcf"])
    assert (result.exit_code, "500 rows: 0 would be refused" in result.stdout) == (0, True)


def test_check_of_a_dirty_file_names_rows_and_reasons(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", 0.1)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "rows.csv"), "--schema", "xy_xzcf"])
    assert result.exit_code == 1
    assert "UNKNOWN-CODE" in result.stdout
    assert "CREDIT-CODE" in result.stdout


def test_check_against_an_unknown_schema_lists_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "rows.csv", 0)
    result = CliRunner().invoke(app, ["check", str(tmp_path / "rows.csv"), "--schema", "x"])
    assert "xy_xzxk" in str(result.exception)


def test_catalogue_file_of_another_kind_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a")
    result = CliRunner().invoke(
        app,
        ["catalogue", "import", str(tmp_path / "rows.csv")],
        env={"SHUZHENG_CLIENT_ID": "a", "SHUZHENG_CLIENT_SECRET": "b"},
    )
    assert ".jsonld" in str(result.exception)
