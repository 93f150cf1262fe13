"""What the command line stands on: trust from a folder, moments, strictness."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.verify.command import combine_exit_codes, verify_file
from certs.verify.model import DocumentStatus
from certs.verify.policy import build_policy
from certs.verify.trust_folder import load_trust
from core.errors import BadInput
from signing.trust import NOTHING_TRUSTED, JudgeAt
from signing.x509.pem import build_pem
from tests.unit.certs import packages
from tests.unit.signing.seals import pki


@pytest.fixture
def trust_folder(tmp_path: Path) -> Path:
    world = pki.pki()
    folder = tmp_path / "trust"
    folder.mkdir()
    (folder / "root.cer").write_bytes(world.root.certificate.der)
    (folder / "ca.CRT").write_bytes(world.authority.certificate.der)
    (folder / "notes.txt").write_text("not a certificate")
    return folder


def run(tmp_path: Path, folder: Path | None, *, at: str = "signing", strict: bool = False) -> DocumentStatus:
    path = tmp_path / "a.ofd"
    path.write_bytes(packages.pack(packages.sealed()))
    trust = NOTHING_TRUSTED if folder is None else load_trust(folder)
    policy = build_policy(trust, at=at, strict=strict)
    report = verify_file(path, trust=policy, now=packages.EXAMINED, max_bytes=1_000_000)
    return report.status


def test_file_under_trusted_root_without_lists_is_valid_with_warnings(
    tmp_path: Path, trust_folder: Path
) -> None:
    assert run(tmp_path, trust_folder) is DocumentStatus.VALID_WITH_WARNINGS


def test_file_under_trusted_root_without_lists_is_refused_strictly(
    tmp_path: Path, trust_folder: Path
) -> None:
    assert run(tmp_path, trust_folder, strict=True) is DocumentStatus.INVALID


def test_file_without_trust_is_unknown(tmp_path: Path) -> None:
    assert run(tmp_path, None) is DocumentStatus.UNKNOWN


def test_file_judged_after_its_seal_ended_is_invalid(tmp_path: Path, trust_folder: Path) -> None:
    assert run(tmp_path, trust_folder, at="2034-01-01") is DocumentStatus.INVALID


def test_file_over_the_limit_is_reported_unread(tmp_path: Path) -> None:
    path = tmp_path / "a.ofd"
    path.write_bytes(b"x" * 10)
    report = verify_file(path, trust=NOTHING_TRUSTED, now=packages.EXAMINED, max_bytes=5)
    assert [str(finding.code) for finding in report.findings] == ["E101"]
    assert report.exit_code == 2


def test_file_that_is_missing_is_reported_unreadable(tmp_path: Path) -> None:
    report = verify_file(tmp_path / "no.ofd", trust=NOTHING_TRUSTED, now=packages.EXAMINED, max_bytes=5)
    assert report.exit_code == 2


@pytest.mark.parametrize(
    ("codes", "combined"), [([0, 0], 0), ([0, 3], 3), ([3, 2, 0], 2), ([2, 1, 3], 1), ([], 0)]
)
def test_exit_code_of_several_files_is_the_gravest(codes: list[int], combined: int) -> None:
    assert combine_exit_codes(codes) == combined


def test_moment_without_zone_is_taken_as_utc() -> None:
    policy = build_policy(NOTHING_TRUSTED, at="2026-01-01T00:00:00", strict=False)
    assert policy.judge_at is JudgeAt.TIME
    assert policy.judge_time == datetime(2026, 1, 1, tzinfo=UTC)


def test_moment_unknown_is_refused() -> None:
    with pytest.raises(BadInput, match="signing, now, or a time"):
        build_policy(NOTHING_TRUSTED, at="yesterday", strict=False)


def test_trust_folder_with_broken_certificate_names_the_file(trust_folder: Path) -> None:
    (trust_folder / "broken.cer").write_bytes(b"rubbish")
    with pytest.raises(BadInput, match=r"broken\.cer"):
        load_trust(trust_folder)


def test_trust_folder_reads_several_certificates_from_one_pem_file_and_lists(tmp_path: Path) -> None:
    world = pki.pki()
    blocks = [build_pem("CERTIFICATE", one.certificate.der) for one in (world.root, world.authority)]
    (tmp_path / "all.pem").write_text("".join(blocks))
    for number, each in enumerate(world.crls):
        (tmp_path / f"{number}.crl").write_bytes(each.der)
    trust = load_trust(tmp_path)
    assert (len(trust.roots), len(trust.intermediates), len(trust.crls)) == (1, 1, len(world.crls))
    assert run(tmp_path, tmp_path) is DocumentStatus.VALID


def test_trust_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not there"):
        load_trust(tmp_path / "nowhere")
