"""Certificate types and file verification, through the whole hub and the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hubs import RunningHub

SAMPLES = Path(__file__).resolve().parents[3].parent / "shared" / "samples"
needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="../shared/samples is not beside this checkout"
)


async def test_shipped_certificate_types_are_listed(hub: RunningHub) -> None:
    answer = await hub.client.get("/v1/certificate-types", headers=hub.members["approval"].headers)
    assert answer.status_code == 200
    assert "11100000MB0143028R001" in json.dumps(answer.json())


@needs_samples
async def test_foreign_file_is_unknown_for_its_chains_and_wrong_in_nothing(hub: RunningHub) -> None:
    answer = await hub.client.post(
        "/v1/certificates/verify",
        content=(SAMPLES / "V4RideRight.ofd").read_bytes(),
        headers=hub.members["approval"].purposeful | {"Content-Type": "application/ofd"},
    )
    report = answer.json()
    assert answer.status_code == 200
    findings = report["findings"] + [f for s in report["signatures"] for f in s["findings"]]
    assert report["status"] == "UNKNOWN"
    assert not [finding for finding in findings if finding["severity"] == "error"]
    assert len(report["signatures"]) == 1


async def test_rubbish_is_reported_and_not_an_error(hub: RunningHub) -> None:
    answer = await hub.client.post(
        "/v1/certificates/verify",
        content=b"PK\x03\x04 and no more",
        headers=hub.members["approval"].purposeful | {"Content-Type": "application/ofd"},
    )
    assert answer.status_code == 200
    assert answer.json()["status"] == "INVALID"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hub.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@needs_samples
@pytest.mark.parametrize(
    ("name", "code"), [("V4RideRight.ofd", 3), ("h.ofd", 1), ("SESV4SignDoc.ofd", 1), ("UserV4.esl", 2)]
)
def test_cert_verify_ends_with_the_code_of_its_verdict(name: str, code: int) -> None:
    done = run("cert", "verify", SAMPLES / name, "--json")
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["status"]


@needs_samples
def test_seal_inspect_shows_the_seal_and_its_findings() -> None:
    done = run("seal", "inspect", SAMPLES / "UserV4.esl", "--json")
    told = json.loads(done.stdout)
    assert told["seal"]["version"] == "V4"
    assert told["findings"]


def test_seal_inspect_of_another_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.esl").write_bytes(b"not a seal")
    done = run("seal", "inspect", tmp_path / "x.esl")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_sample_and_doctor_run() -> None:
    assert run("sample", "population", "--rows", "5").stdout.count("\n") == 6
    assert "SM2 engine" in run("doctor").stdout
