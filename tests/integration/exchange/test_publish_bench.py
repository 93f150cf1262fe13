"""The bench of publishing runs to its verdict, whatever the figures of so few rows are."""

from __future__ import annotations

import json
import os
import subprocess
import sys


def test_bench_with_few_rows_measures_every_ratio_and_says_why_dlt_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench.publish", "2000"],
        env=os.environ | {"BENCH_DLT_PYTHON": "/nonexistent/python"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("}\n"), done.stderr[-2000:]
    verdict = json.loads(done.stdout.strip().splitlines()[-1])
    wanted = {name for name in verdict["expect"] if not name.endswith("_to_dlt")}
    assert set(verdict["ratios"]) == wanted
    assert all(ratio > 0 for ratio in verdict["ratios"].values())
    assert verdict["dlt"] is None
    assert "dlt" in verdict["dlt_reason"]
