"""ofdrw reads our seals and seal signatures; Bouncy Castle verifies what they signed.

The harness in tests/interop/java-ofdrw parses with ofdrw's own classes and lets Bouncy Castle verify over
ofdrw's re-encoding, so that a seal which this library would change is found out. ofdrw 2.3.6 is the newest
release that resolves from Maven Central; it knows V1 and V4. V5 has V4's shape as long as the seal bears no
time stamp; one that does is read with Bouncy Castle alone.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from signing import der, sm3
from signing.seals.model import CertListType, SealExtension, SealVersion
from signing.seals.parse import parse_seal
from tests.unit.signing.seals import pki, samples

pytestmark = pytest.mark.interop

HARNESS = Path(__file__).resolve().parents[1] / "java-ofdrw"
EXTENSION = SealExtension(oid="1.2.156.10260.4.1.4", critical=False, value=b"\x05\x00")


def run(*command: str, cwd: Path) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=900, check=False, encoding="utf-8"
    )
    if done.returncode and "Could not transfer" in done.stdout + done.stderr:
        pytest.skip("Maven Central cannot be reached")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Build the harness outside the tree and give the command that runs it."""
    maven, runtime = shutil.which("mvn"), shutil.which("java")
    if maven is None or runtime is None:
        pytest.skip("Maven and Java are not installed")
    build = tmp_path_factory.mktemp("java-ofdrw") / "harness"
    shutil.copytree(HARNESS, build, ignore=shutil.ignore_patterns("target"))
    goals = ("compile", "dependency:copy-dependencies")
    run(maven, "-q", "-B", *goals, "-DoutputDirectory=target/libraries", cwd=build)
    return [runtime, "-cp", f"{build}/target/classes:{build}/target/libraries/*", "harness.Seals"]


def judge(java: list[str], directory: Path, kind: str, value: bytes) -> dict[str, str]:
    """Let ofdrw and Bouncy Castle read one value."""
    file = directory / "value.der"
    file.write_bytes(value)
    line = run(*java, kind, str(file), cwd=directory).strip()
    return dict(field.split("=", 1) for field in line.split("\t"))


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_of_ours_is_read_by_ofdrw_and_verified_by_bouncy_castle(
    java: list[str], tmp_path: Path, version: SealVersion
) -> None:
    answer = judge(java, tmp_path, "seal", pki.seal_of(version))
    assert answer["verified"] == "true"
    assert answer["version"] == ("v1" if version is SealVersion.V1 else "v4")
    assert answer["header"] == str(int(version))
    assert answer["name"] == "临江市发展和改革委员会"
    assert answer["id"] == "33100000000001"
    assert (answer["picture"], answer["size"]) == ("PNG", "40x40")
    assert answer["octets"] == str(len(samples.png()))
    assert answer["until"] == str(int(samples.UNTIL.timestamp()))
    assert answer["signers"] == "1"


def test_seal_of_ours_by_digest_list_is_read_by_ofdrw(java: list[str], tmp_path: Path) -> None:
    answer = judge(java, tmp_path, "seal", pki.make_seal(list_type=CertListType.DIGESTS))
    assert (answer["verified"], answer["signers"]) == ("true", "1")


def test_seal_of_ours_keeps_its_extensions_through_ofdrw(java: list[str], tmp_path: Path) -> None:
    answer = judge(java, tmp_path, "seal", pki.make_seal(extensions=(EXTENSION,)))
    assert (answer["verified"], answer["extensions"]) == ("true", "1")


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_signature_of_ours_is_read_by_ofdrw_and_verified_by_bouncy_castle(
    java: list[str], tmp_path: Path, version: SealVersion
) -> None:
    answer = judge(java, tmp_path, "signature", pki.signature_of(version))
    assert answer["verified"] == answer["seal_verified"] == "true"
    assert answer["tbs"] == str(int(version))
    assert answer["hash"] == sm3.digest(pki.DATA).hex()
    assert answer["property"] == pki.PATH
    assert answer["at"] == str(int(pki.NOW.timestamp()))


def test_seal_signature_of_ours_keeps_its_extensions_through_ofdrw(java: list[str], tmp_path: Path) -> None:
    answer = judge(java, tmp_path, "signature", pki.sign(extensions=(EXTENSION,)))
    assert answer["verified"] == answer["seal_verified"] == "true"


def test_time_stamp_token_of_the_unit_tests_is_validated_by_bouncy_castle(
    java: list[str], tmp_path: Path
) -> None:
    imprint = sm3.digest(pki.DATA)
    answer = judge(java, tmp_path, "token", pki.stamp(imprint))
    assert answer["verified"] == "true"
    assert answer["at"] == str(int(pki.NOW.timestamp()))
    assert answer["imprint"] == imprint.hex()


def test_seal_v5_of_ours_with_a_time_stamp_is_read_and_verified_by_bouncy_castle(
    java: list[str], tmp_path: Path
) -> None:
    answer = judge(java, tmp_path, "seal5", pki.make_seal(SealVersion.V5, timestamp=pki.stamp))
    assert (answer["verified"], answer["stamped"], answer["header"]) == ("true", "true", "5")
    assert answer["until"] == str(int(samples.UNTIL.timestamp()))


def test_seal_signature_of_ours_with_a_time_stamp_is_read_by_ofdrw(java: list[str], tmp_path: Path) -> None:
    answer = judge(java, tmp_path, "signature", pki.sign(timestamp=pki.stamp))
    assert answer["verified"] == answer["seal_verified"] == answer["stamped"] == "true"


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_of_ours_with_an_octet_changed_is_refused_by_bouncy_castle(
    java: list[str], tmp_path: Path, version: SealVersion
) -> None:
    changed = pki.seal_of(version).replace(b"33100000000001", b"33100000000002")
    assert judge(java, tmp_path, "seal", changed)["verified"] == "false"


def test_seal_extension_without_critical_is_lost_by_ofdrw_and_read_by_us(
    java: list[str], tmp_path: Path
) -> None:
    """Why `critical` is always written: ofdrw drops the extension and then fails the signature."""
    info, *rest = (part.raw for part in der.parse_der(pki.seal_of(SealVersion.V4)).children())
    bare = der.sequence(der.sequence(der.oid("1.2.3"), der.octet_string(b"v")))
    info = der.sequence(der.parse_der(info).content, bare)
    value = pki.pki().maker.key.sign(info)
    seal = der.sequence(info, *rest[:-1], der.bit_string(value))
    answer = judge(java, tmp_path, "seal", seal)
    assert (answer["verified"], answer["extensions"]) == ("false", "0")
    assert len(parse_seal(seal).extensions) == 1


@pytest.mark.parametrize("name", ["UserV1.esl", "UserV4.esl"])
def test_seal_of_ofdrw_is_verified_by_the_harness(java: list[str], tmp_path: Path, name: str) -> None:
    assert judge(java, tmp_path, "seal", samples.sample(name))["verified"] == "true"
