"""ofdrw reads and validates the documents that we seal, and we judge those that it signs.

The harness in tests/interop/java-ofdrw-full drives org.ofdrw:ofdrw-full. 2.3.1 is the newest release whose
modules all resolve from Maven Central; it knows V1 and V4. A V5 signature whose seal has no time stamp of
its own has V4's shape. "ofdrw: valid" is necessary, never sufficient: it accepts much that is refused here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pytest

from certs.ofd.objects import Path as Line
from certs.ofd.package import OfdPackage
from certs.ofd.sign import Stamp, sign_package, straddle_stamps
from certs.ofd.writer import DocumentBuilder, DocumentFacts
from certs.verify.document import assess_document
from certs.verify.model import DocumentReport
from signing.findings import Severity, Verdict
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal
from signing.seals.sign import TimestampHook, prepare_seal_signer
from signing.x509.pem import build_pem
from tests.interop.harness import java_command, run
from tests.unit.certs.test_templates import lay_out
from tests.unit.signing.seals import pki

pytestmark = pytest.mark.interop

HARNESS = Path(__file__).resolve().parents[1] / "java-ofdrw-full"
FRAME = Line(
    commands=(("M", 10, 10), ("L", 200, 10), ("L", 200, 287), ("L", 10, 287), ("C",)), stroke=(0, 0, 0)
)
STAMP = Stamp(page=0, x=100, y=100, width=40, height=40)


@dataclass(frozen=True)
class Ofdrw:
    """The harness, and a folder to exchange files in."""

    command: Sequence[str]
    folder: Path

    def validate(self, data: bytes) -> str:
        """Let ofdrw validate a document: `valid`, or what it threw."""
        path = self.folder / "document.ofd"
        path.write_bytes(data)
        return run([*self.command, "validate", path]).strip()

    def read(self, data: bytes) -> list[str]:
        """Let ofdrw tell pages and texts."""
        path = self.folder / "document.ofd"
        path.write_bytes(data)
        return run([*self.command, "read", path]).splitlines()

    def sign(self, data: bytes, kind: str, mode: str, seal: bytes | None = None) -> bytes:
        """Let ofdrw sign a document with our signer's key."""
        signer = pki.pki().signer
        key, certificate = self.folder / "key.der", self.folder / "signer.pem"
        key.write_bytes(signer.key.to_pkcs8())
        certificate.write_text(build_pem("CERTIFICATE", signer.certificate.der))
        source, target, seal_file = (self.folder / name for name in ("in.ofd", "out.ofd", "seal.esl"))
        source.write_bytes(data)
        seal_file.write_bytes(seal or b"")
        target.unlink(missing_ok=True)
        arguments = [*self.command, "sign", kind, mode, source, target, key, certificate]
        run([*arguments, seal_file] if seal is not None else arguments)
        return target.read_bytes()


@pytest.fixture
def ofdrw(tmp_path: Path) -> Ofdrw:
    return Ofdrw(java_command(HARNESS, "harness.Documents"), tmp_path)


def pages(count: int) -> bytes:
    """A document of several A4 pages with a frame on each."""
    facts = DocumentFacts(document_id="0" * 32, title="多页文件", created_on=date(2026, 11, 24))
    builder = DocumentBuilder(facts, page_size=(210, 297))
    for _ in range(count):
        builder.add_page().add(FRAME)
    return builder.build()


def seal_on(
    data: bytes,
    version: SealVersion = SealVersion.V4,
    *,
    stamps: Sequence[Stamp] = (STAMP,),
    lock: bool = False,
    timestamp: TimestampHook | None = None,
) -> bytes:
    """Set our seal on a document."""
    world = pki.pki()
    seal = parse_seal(pki.seal_of(version))
    signer = prepare_seal_signer(
        seal=seal,
        signer=world.signer.key,
        certificate=world.signer.certificate,
        at=pki.NOW,
        trust=world.trust(),
    )

    def sign(data_hash: bytes, property_info: str) -> bytes:
        return signer.sign(
            data_hash=data_hash, property_info=property_info, signed_at=pki.NOW, timestamp=timestamp
        )

    return sign_package(data, seal_der=seal.der, stamps=stamps, sign=sign, signed_at=pki.NOW, lock=lock).data


def assess(data: bytes) -> DocumentReport:
    return assess_document(data, trust=pki.pki().trust(), at=pki.NOW + timedelta(days=1000))


def errors(report: DocumentReport) -> set[str]:
    found = [*report.findings, *(each for one in report.signatures for each in one.findings)]
    return {f"{each.code} {each.subject}" for each in found if each.severity is Severity.ERROR}


@pytest.mark.parametrize("version", list(SealVersion))
def test_document_of_ours_in_each_version_is_validated_by_ofdrw(ofdrw: Ofdrw, version: SealVersion) -> None:
    assert ofdrw.validate(seal_on(lay_out("business-licence"), version)) == "valid"


def test_document_of_ours_with_two_signatures_is_validated_by_ofdrw(ofdrw: Ofdrw) -> None:
    second = Stamp(page=0, x=20, y=20, width=40, height=40)
    twice = seal_on(seal_on(lay_out("business-licence")), stamps=(second,))
    assert len(assess(twice).signatures) == 2
    assert ofdrw.validate(twice) == "valid"


def test_document_of_ours_that_is_locked_is_validated_and_not_signed_on_by_ofdrw(ofdrw: Ofdrw) -> None:
    locked = seal_on(lay_out("business-licence"), lock=True)
    assert ofdrw.validate(locked) == "valid"
    with pytest.raises(pytest.fail.Exception, match="SignatureTerminateException"):
        ofdrw.sign(locked, "v4", "continue", pki.seal_of(SealVersion.V4))


def test_document_of_ours_with_a_straddle_seal_is_validated_by_ofdrw(ofdrw: Ofdrw) -> None:
    data = pages(4)
    package = OfdPackage.parse(data)
    stamps = straddle_stamps(package.pages(package.bodies[0]), width=40, height=40, y=100)
    sealed = seal_on(data, stamps=stamps)
    assert errors(assess(sealed)) == set()
    assert ofdrw.validate(sealed) == "valid"
    assert "pages=4" in ofdrw.read(sealed)


def test_document_of_ours_with_a_time_stamp_is_validated_by_ofdrw(ofdrw: Ofdrw) -> None:
    stamped = seal_on(lay_out("business-licence"), timestamp=pki.stamp)
    assert assess(stamped).signatures[0].time_source == "timestamp"
    assert ofdrw.validate(stamped) == "valid"


def test_document_of_ours_is_read_by_ofdrw_with_its_text(ofdrw: Ofdrw) -> None:
    told = ofdrw.read(seal_on(lay_out("business-licence")))
    assert "pages=1" in told
    assert any("营业执照" in line.replace("|", "") for line in told)


def test_document_of_ours_with_a_page_changed_is_refused_by_ofdrw(ofdrw: Ofdrw) -> None:
    package = OfdPackage.parse(seal_on(lay_out("business-licence")))
    page = "/Doc_0/Pages/Page_0/Content.xml"
    changed = package.with_files({page: package.read(page) + b" "})
    assert "FileIntegrityException" in ofdrw.validate(changed)
    assert errors(assess(changed)) == {f"E125 {page}"}


@pytest.mark.parametrize("mode", ["continue", "lock", "ride"])
@pytest.mark.parametrize(("kind", "version"), [("v1", SealVersion.V1), ("v4", SealVersion.V4)])
def test_document_sealed_by_ofdrw_is_sound(ofdrw: Ofdrw, kind: str, version: SealVersion, mode: str) -> None:
    data = pages(3) if mode == "ride" else lay_out("business-licence")
    signed = ofdrw.sign(data, kind, mode, pki.seal_of(version))
    assert ofdrw.validate(signed) == "valid"
    report = assess(signed)
    [signature] = report.signatures
    assert {each for each in errors(report) if each.split()[0] not in LATER} == set()
    assert signature.is_intact
    assert signature.seal is not None
    assert signature.seal.version == version.name
    assert signature.coverage is not None
    assert signature.coverage.is_complete


LATER = {"E153", "E166", "E162", "E151"}
"""ofdrw signs with the clock of today, which may lie outside the lives of the tests' certificates."""


@pytest.mark.parametrize("kind", ["cms", "cms9"])
def test_document_signed_by_ofdrw_without_a_seal_is_sound(ofdrw: Ofdrw, kind: str) -> None:
    signed = ofdrw.sign(lay_out("business-licence"), kind, "continue")
    assert ofdrw.validate(signed) == "valid"
    report = assess(signed)
    [signature] = report.signatures
    assert signature.type == "Sign"
    assert {each for each in errors(report) if each.split()[0] not in LATER} == set()
    assert signature.is_intact
    assert signature.signer is not None


def test_document_signed_by_both_is_sound_to_both(ofdrw: Ofdrw) -> None:
    both = ofdrw.sign(seal_on(lay_out("business-licence")), "v4", "continue", pki.seal_of(SealVersion.V4))
    assert ofdrw.validate(both) == "valid"
    report = assess(both)
    assert [signature.is_intact for signature in report.signatures] == [True, True]
    assert report.signatures[0].status in {Verdict.VALID, Verdict.VALID_WITH_WARNINGS}
    third = seal_on(both, stamps=(Stamp(page=0, x=20, y=20, width=40, height=40),))
    assert ofdrw.validate(third) == "valid"
    assert [signature.is_intact for signature in assess(third).signatures] == [True, True, True]
