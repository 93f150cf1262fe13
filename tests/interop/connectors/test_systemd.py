"""The unit for systemd, read by systemd's own checker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.interop

UNIT = Path(__file__).resolve().parents[3] / "docker" / "connector.service"
PROGRAM = "/opt/shuzheng/bin/shuzheng-connector"


def verify(unit: Path) -> tuple[int, str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False, timeout=120
    )
    return done.returncode, done.stderr


def test_unit_is_what_systemd_takes(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8")
    assert PROGRAM in text
    # The program must be there for the checker; it stands where this Python has its own.
    unit = tmp_path / "connector@licences.service"
    unit.write_text(text.replace(PROGRAM, str(Path(sys.executable).with_name("shuzheng-connector"))))
    code, said = verify(unit)
    assert (code, [line for line in said.splitlines() if "connector@" in line]) == (0, []), said


def test_checker_tells_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    unit = tmp_path / "wrong@licences.service"
    text = UNIT.read_text(encoding="utf-8").replace("Restart=on-failure", "Restart=sometimes")
    unit.write_text(text.replace(PROGRAM, "/bin/true"))
    assert "sometimes" in verify(unit)[1]
