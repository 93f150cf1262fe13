"""`connector new`, `connector test`, `connector preview`, as commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.integration.connectors.hub_world import write_config, write_rows

NOBODY = {"client_id": "nobody", "client_secret": "open-sesame"}


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "connectors", *arguments],
        cwd=folder,
        env=os.environ
        | {"A_SECRET": "open-sesame", "COLUMNS": "200", "SHUZHENG_CLIENT_ID": "a"}
        | {"SHUZHENG_CLIENT_SECRET": "b"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_new_package_passes_its_own_tests_and_is_refused_twice(tmp_path: Path) -> None:
    assert command("new", "market-licences", folder=tmp_path).returncode == 0
    home = tmp_path / "market-licences"
    assert len((home / "market_licences" / "source.py").read_text(encoding="utf-8").splitlines()) < 60
    tests = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert tests.returncode == 0, tests.stdout
    (home / "records.ndjson").write_text('{"id": 1, "name": "a"}\n{"id": 2, "name": "b"}\n', encoding="utf-8")
    kit = command("test", "connector.toml", folder=home)
    assert kit.returncode == 0, kit.stdout + kit.stderr
    assert "0 failed" in kit.stdout
    again = command("new", "market-licences", folder=tmp_path)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)
    assert command("new", "../x", folder=tmp_path).returncode == 1


def test_kit_command_prints_what_fails_and_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from connectors.sources.sqlite import SqliteSource\n"
        "class Mine(SqliteSource):\n"
        "    def read(self, cursor):\n"
        "        print('reading')\n"
        "        return super().read(None)\n",
        encoding="utf-8",
    )
    write_rows(tmp_path / "a.db", 1200)
    config = write_config(tmp_path, "http://127.0.0.1:9", NOBODY)
    config.write_text(config.read_text().replace('kind = "sqlite"', 'kind = "mine.py:Mine"'))
    found = command("test", str(config), folder=tmp_path)
    assert found.returncode == 1
    assert "✗ cursor-restart: after the cursor of batch 0 500 rows come twice" in found.stdout
    assert "mend: order rows by what the cursor holds, and read strictly after it" in found.stdout
    assert "✗ quiet:" in found.stdout
    assert "- rows-all: skipped, needs a stage" in found.stdout


def test_preview_shows_hit_rates_and_unknown_codes(tmp_path: Path) -> None:
    write_rows(tmp_path / "a.db", 30)
    write_rows(tmp_path / "a.db", 3, start=10, name="很长很长的名称{}")
    config = write_config(tmp_path, "http://127.0.0.1:9", NOBODY)
    text = config.read_text().replace('to = "name"', 'to = "name"\nformat = "C..6"\ncodes = "names"')
    config.write_text(text + '[mapping.codes.names]\n"第1行" = "一"\n"第2行" = "二"\n')
    shown = command("preview", str(config), folder=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "30 rows" in shown.stdout
    assert "90.0%" in shown.stdout
    assert "很长很长的名称10" in shown.stdout
    assert "第3行 (1)" in shown.stdout
    assert not (tmp_path / "things.state").exists()
