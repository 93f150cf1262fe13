"""Any flipped bit, in any file of a signed package or in its container, is refused or changes nothing signed.

A bit may go unnoticed only where it is provably outside: every protected file, the description and the
signed facts are then what they were. `SHUZHENG_FUZZ_CASES` multiplies the positions that are tried.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from certs.ofd.errors import PackageRefused
from certs.ofd.sign import Stamp, sign_package
from certs.verify.document import assess_document
from certs.verify.model import DocumentReport, DocumentStatus
from certs.verify.package import open_document
from signing.findings import Severity
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal
from signing.seals.sign import prepare_seal_signer
from signing.trust import NOTHING_TRUSTED, TrustPolicy
from tests.unit.certs import packages, test_verify_digital
from tests.unit.certs.packages import EXAMINED, pack, plain_files, sign
from tests.unit.certs.test_templates import lay_out
from tests.unit.signing.seals import pki

SAMPLES = Path(__file__).resolve().parents[3] / "../shared/samples"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
SCALE = max(1, int(os.environ.get("SHUZHENG_FUZZ_CASES", "60")) // 60)
OURS = ("V1", "V4", "V5", "twice", "locked", "digital", "licence")
FOREIGN = ("V4RideRight.ofd", "allprotected.ofd", "SESV4SignDoc.ofd", "h.ofd")
"""The third was sealed outside the life of its certificate, and the fourth altered by its maker."""


@cache
def package(name: str) -> bytes:
    if name in FOREIGN:
        path = SAMPLES / name
        if not path.is_file():
            pytest.skip(f"sample {name} is not there: the shared folder is absent")
        return path.read_bytes()
    if name == "licence":
        return seal_licence()
    if name == "twice":
        return pack(sign(packages.sealed(), number=1))
    if name == "locked":
        return pack(sign(plain_files(), lock=True))
    if name == "digital":
        files = test_verify_digital.described()
        return pack(files | {test_verify_digital.VALUE: test_verify_digital.build()})
    return pack(sign(plain_files({"ZZMC": "营业执照"}), seal=pki.seal_of(SealVersion[name])))


def seal_licence() -> bytes:
    """A business licence as the hub lays it out and seals it, with a time stamp."""
    world, seal = pki.pki(), parse_seal(pki.seal_of(SealVersion.V4))
    signer = prepare_seal_signer(
        seal=seal,
        signer=world.signer.key,
        certificate=world.signer.certificate,
        at=pki.NOW,
        trust=world.trust(),
    )

    def sign_value(data_hash: bytes, property_info: str) -> bytes:
        return signer.sign(
            data_hash=data_hash, property_info=property_info, signed_at=pki.NOW, timestamp=pki.stamp
        )

    stamp = Stamp(page=0, x=200, y=150, width=40, height=40)
    unsigned = lay_out("business-licence")
    return sign_package(unsigned, seal_der=seal.der, stamps=[stamp], sign=sign_value, signed_at=pki.NOW).data


def assess(name: str, data: bytes) -> DocumentReport:
    foreign = name in FOREIGN
    trust: TrustPolicy = NOTHING_TRUSTED if foreign else pki.pki().trust()
    return assess_document(data, trust=trust, at=NOW if foreign else EXAMINED)


def errors_of(report: DocumentReport) -> set[tuple[int, str, str]]:
    """Every error, by the signature that it stands at."""
    lists = [report.findings, *(one.findings for one in report.signatures)]
    return {
        (number, str(each.code), each.subject)
        for number, found in enumerate(lists)
        for each in found
        if each.severity is Severity.ERROR
    }


@cache
def known_errors(name: str) -> frozenset[tuple[int, str, str]]:
    """What is wrong with a sample as its maker left it."""
    return frozenset(errors_of(assess(name, package(name))))


def is_refused(name: str, report: DocumentReport) -> bool:
    """Whether anything is an error that was none before, or nothing is signed any more."""
    unsigned = report.status is DocumentStatus.NOT_SIGNED
    return unsigned or bool(errors_of(report) - known_errors(name))


def signed_facts(report: DocumentReport) -> list[object]:
    """What the signatures say, whatever their IDs in the list, which nothing protects in append mode."""
    return [
        (one.path, one.data_hash, one.seal, one.signer, one.signed_at, one.coverage and one.coverage.covered)
        for one in report.signatures
    ]


def damaged(name: str) -> set[str]:
    """The files that do not match their digest to begin with."""
    return {subject for _, code, subject in known_errors(name) if code == "E125"}


def require_harmless(name: str, changed: bytes, where: str) -> None:
    """Require that a change is refused, or that nothing protected has changed."""
    report = assess(name, changed)
    if is_refused(name, report):
        return
    good = assess(name, package(name))
    before, after = open_document(package(name)).digests, open_document(changed).digests
    for one in report.signatures:
        assert one.coverage is not None
        for path in {one.path, *one.coverage.covered} - damaged(name):
            assert after[path] == before[path], (name, where, path)
    assert set(map(str, signed_facts(report))) <= set(map(str, signed_facts(good))), (name, where)
    assert report.metadata == good.metadata, (name, where)


def positions(size: int, wanted: int) -> Iterator[tuple[int, int]]:
    """Octets spread over a file, with a bit each; the first and the last among them."""
    step = max(1, size // wanted)
    for number, at in enumerate({*range(0, size, step), *([size - 1] if size else [])}):
        yield at, (number * 5 + at) % 8


@pytest.mark.parametrize("name", [*OURS, *FOREIGN])
def test_flipped_bit_in_any_file_is_refused_or_outside_what_is_signed(name: str) -> None:
    with zipfile.ZipFile(io.BytesIO(package(name))) as archive:
        files = {each: archive.read(each) for each in archive.namelist() if not each.endswith("/")}
    good = assess(name, pack(files))
    protected = {one.path for one in good.signatures}
    protected |= {path for one in good.signatures if one.coverage for path in one.coverage.covered}
    protected -= damaged(name)
    assert len(protected) > 4
    for path, content in files.items():
        for at, bit in positions(len(content), 6 * SCALE):
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            repacked = pack(files | {path: bytes(changed)})
            if f"/{path}" in protected:
                assert is_refused(name, assess(name, repacked)), f"{path} {at}.{bit}"
            else:
                require_harmless(name, repacked, f"{path} {at}.{bit}")


@pytest.mark.parametrize("name", [*OURS, *FOREIGN])
def test_flipped_bit_in_the_container_is_refused_or_outside_what_is_signed(name: str) -> None:
    data = package(name)
    for at, bit in positions(len(data), 120 * SCALE):
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        require_harmless(name, bytes(changed), f"octet {at}.{bit}")


@pytest.mark.parametrize("name", ["V4", *FOREIGN])
def test_flipped_bit_in_any_header_of_the_container_is_refused_or_outside_what_is_signed(name: str) -> None:
    """Every octet of local headers, central directory and end record, with a bit each."""
    data = package(name)
    for at in header_octets(data):
        changed = bytearray(data)
        changed[at] ^= 1 << (at % 8)
        require_harmless(name, bytes(changed), f"header octet {at}")


def header_octets(data: bytes) -> list[int]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos, directory = archive.infolist(), archive.start_dir
    local = [
        at
        for info in infos[:: max(1, 6 // SCALE)]
        for at in range(info.header_offset, info.header_offset + 30 + len(info.filename.encode()))
    ]
    return local + list(range(directory, len(data), max(1, 7 // SCALE)))


@pytest.mark.parametrize("name", ["V4", "locked"])
def test_extra_field_or_comment_in_the_container_leaves_what_is_signed_as_it_was(name: str) -> None:
    source = io.BytesIO(package(name))
    target = io.BytesIO()
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as out:
        for info in archive.infolist():
            info.extra = b"\xfe\xca\x04\x00evil"
            info.comment = b"a comment"
            out.writestr(info, archive.read(info.filename))
        out.comment = b"another comment"
    require_harmless(name, target.getvalue(), "extra fields and comments")
    assert not is_refused(name, assess(name, target.getvalue()))


@pytest.mark.parametrize("name", ["V4", "locked"])
@pytest.mark.parametrize("tail", [b"\0", b"PK\x05\x06", b"<evil/>"])
def test_octets_before_or_behind_the_container_are_refused(name: str, tail: bytes) -> None:
    for changed in (package(name) + tail, tail + package(name)):
        with pytest.raises(PackageRefused):
            open_document(changed)
