"""What a runner tells from two threads at once: whole lines, and a whole file of health."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from connectors.runner.report import Health, report_json


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    former = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(former)


@pytest.mark.usefixtures("eager_threads")
def test_events_of_several_threads_are_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "events"
    with path.open("w", encoding="utf-8") as out, ThreadPoolExecutor(4) as pool:
        report = report_json("things", out)
        list(pool.map(lambda n: report("read", {"rows": n}), range(2000)))
    told = [json.loads(line)["rows"] for line in path.read_text(encoding="utf-8").splitlines()]
    assert sorted(told) == list(range(2000))


@pytest.mark.usefixtures("eager_threads")
def test_health_noted_by_several_threads_is_a_whole_file(tmp_path: Path) -> None:
    health = Health(tmp_path / "health.json")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: health("written", {"rows": n}), range(300)))
    assert json.loads((tmp_path / "health.json").read_text(encoding="utf-8"))["event"] == "written"
