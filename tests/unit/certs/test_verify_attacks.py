"""Attacks on sealed documents, one test each, named after the attack."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.verify.model import DocumentStatus
from signing import oids, sm3
from signing.findings import Verdict
from signing.seals import encode
from signing.seals.model import SealVersion
from signing.sm2 import PrivateKey
from signing.trust import NOTHING_TRUSTED, TrustPolicy
from signing.x509.authority import create_root
from signing.x509.certificate import Certificate
from signing.x509.names import Name
from tests.unit.certs import packages
from tests.unit.certs.packages import LIST, assess, codes, pack, plain_files, sealed, sign
from tests.unit.signing.seals import pki

CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "60"))
SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
PAGE = "Doc_0/Pages/Page_0/Content.xml"


def test_document_sealed_well_is_valid() -> None:
    report = assess(sealed())
    assert codes(report) == set()
    assert report.status is DocumentStatus.VALID
    assert report.exit_code == 0
    assert report.metadata == {"ZZMC": "营业执照"}
    [signature] = report.signatures
    assert signature.coverage is not None
    assert signature.coverage.is_complete
    assert signature.is_intact


def test_document_sealed_twice_is_valid_under_both() -> None:
    report = assess(sign(sealed(), number=1))
    assert [signature.status for signature in report.signatures] == [Verdict.VALID, Verdict.VALID]


def test_document_locked_is_valid() -> None:
    assert assess(sign(plain_files(), lock=True)).status is DocumentStatus.VALID


def test_document_signed_after_lock_is_invalid() -> None:
    report = assess(sign(sign(plain_files(), lock=True), number=1))
    assert {"E125", "E183"} <= codes(report)
    assert [signature.status for signature in report.signatures] == [Verdict.INVALID, Verdict.VALID]


def test_document_without_seal_is_not_signed() -> None:
    report = assess(plain_files(signed=False))
    assert report.status is DocumentStatus.NOT_SIGNED
    assert report.exit_code == 3


def test_document_under_untrusted_root_is_unknown() -> None:
    report = assess(sealed(), trust=NOTHING_TRUSTED)
    assert report.status is DocumentStatus.UNKNOWN
    assert report.exit_code == 3


def test_document_of_an_authority_unknown_here_is_unknown() -> None:
    report = assess(sealed(), trust=TrustPolicy(roots=(stranger(),)))
    assert report.status is DocumentStatus.UNKNOWN
    assert codes(report) == {"E151", "E162"}


def test_document_of_an_authority_that_only_borrows_a_known_name_is_invalid() -> None:
    name = pki.pki().authority.certificate.subject
    report = assess(sealed(), trust=TrustPolicy(roots=(stranger(name),)))
    assert report.status is DocumentStatus.INVALID
    assert codes(report) == {"E151", "E162"}


def stranger(name: Name | None = None) -> Certificate:
    """A root that has nothing to do with ours."""
    return create_root(
        name or Name.build(common_name="别处的根"),
        PrivateKey.from_scalar(999),
        not_before=pki.START,
        not_after=pki.END,
    )


def test_page_swapped_is_named() -> None:
    files = sealed() | {PAGE: plain_files()[PAGE].replace("甲".encode(), "乙".encode())}
    report = assess(files)
    assert report.status is DocumentStatus.INVALID
    [finding] = [found for found in report.signatures[0].findings if found.severity == "error"]
    assert (finding.code, finding.subject) == ("E125", f"/{PAGE}")


def test_every_file_removed_is_noticed() -> None:
    for name in sealed():
        files = sealed()
        del files[name]
        assert assess(files).status is DocumentStatus.INVALID, name


def test_file_smuggled_in_is_reported_and_refused_by_strict_policy() -> None:
    files = sealed() | {"Doc_0/Res/evil.exe": b"MZ"}
    report = assess(files)
    assert codes(report) == {"W126"}
    assert report.status is DocumentStatus.VALID_WITH_WARNINGS
    assert assess(files, refuse_partial_coverage=True).status is DocumentStatus.INVALID


def test_page_left_out_of_references_is_reported_and_refused_by_strict_policy() -> None:
    files = sign(plain_files(), leave_out=(PAGE,))
    report = assess(files)
    assert codes(report) == {"W126"}
    coverage = report.signatures[0].coverage
    assert coverage is not None
    assert coverage.uncovered == (f"/{PAGE}",)
    assert assess(files, refuse_partial_coverage=True).status is DocumentStatus.INVALID


def test_page_excused_as_part_of_a_later_signature_is_still_reported() -> None:
    files = sign(plain_files(), leave_out=(PAGE,))
    files[LIST] = packages.list_of("s001", "s002")
    fake = packages.describe(files, 1).replace(b"/Doc_0/Signs/Sign_1/SignedValue.dat", f"/{PAGE}".encode())
    files["Doc_0/Signs/Sign_1/Signature.xml"] = fake
    coverage = assess(files).signatures[0].coverage
    assert coverage is not None
    assert f"/{PAGE}" in coverage.uncovered


def test_signatures_list_emptied_is_not_valid() -> None:
    report = assess(sealed() | {LIST: packages.list_of()})
    assert report.status is DocumentStatus.NOT_SIGNED


def test_signatures_list_with_unknown_file_is_invalid() -> None:
    report = assess(sealed() | {LIST: packages.list_of("s001", "s002")})
    assert "E114" in codes(report)


def test_signatures_list_with_duplicate_id_is_invalid() -> None:
    report = assess(sealed() | {LIST: packages.list_of("s001", "s001")})
    assert "E113" in codes(report)
    assert report.status is DocumentStatus.INVALID


@pytest.mark.parametrize("method", ["", ' CheckMethod="MD5"', ' CheckMethod="SHA1"', ' CheckMethod="sm3 "'])
def test_digest_method_weak_or_absent_is_invalid(method: str) -> None:
    assert "E121" in codes(assess(sign(plain_files(), check_method=method)))


def test_digest_method_by_name_is_accepted() -> None:
    assert assess(sign(plain_files(), check_method=' CheckMethod="SM3"')).status is DocumentStatus.VALID


def test_signature_method_other_than_the_value_says_is_invalid() -> None:
    assert codes(assess(sign(plain_files(), algorithm="1.2.840.113549.1.1.11"))) == {"E122"}


def test_reference_twice_is_invalid() -> None:
    more = '<ofd:Reference FileRef="/OFD.xml"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    assert "E123" in codes(assess(sign(plain_files(), more=more)))


def test_reference_to_own_description_is_invalid() -> None:
    more = f'<ofd:Reference FileRef="/{SIGNATURE}"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    assert "E123" in codes(assess(sign(plain_files(), more=more)))


def test_reference_out_of_the_package_is_invalid() -> None:
    more = '<ofd:Reference FileRef="/../../etc/passwd"><ofd:CheckValue>AA==</ofd:CheckValue></ofd:Reference>'
    assert "E120" in codes(assess(sign(plain_files(), more=more)))


def test_description_moved_under_another_path_is_invalid() -> None:
    files = sealed()
    files["Doc_0/Signs/Other/Signature.xml"] = files.pop(SIGNATURE)
    files[LIST] = files[LIST].replace(b"Sign_0/Signature.xml", b"Other/Signature.xml")
    assert "E142" in codes(assess(files))


def test_signature_of_another_document_is_invalid() -> None:
    other = sign(plain_files({"ZZMC": "其他"}))
    assert "E141" in codes(assess(sealed() | {VALUE: other[VALUE]}))


def test_signer_outside_the_seals_list_is_invalid() -> None:
    world = pki.pki()
    files = sealed()
    tbs = encode.encode_tbs_v4(
        version=4,
        seal=pki.seal_of(SealVersion.V4),
        signed_at=pki.NOW,
        data_hash=sm3.digest(files[SIGNATURE]),
        property_info=f"/{SIGNATURE}",
        extensions=(),
    )
    forged = encode.encode_signature_v4(
        tbs, world.other.certificate.der, oids.SM2_WITH_SM3, world.other.key.sign(tbs), None
    )
    assert codes(assess(files | {VALUE: forged})) == {"E167"}


def test_seal_file_of_another_organisation_beside_the_signature_is_invalid() -> None:
    other = pki.make_seal(name="另一机关")
    files = sign(plain_files())
    files["Doc_0/Signs/Sign_0/Seal.esl"] = other
    assert {"E125", "E168"} <= codes(assess(files))


@pytest.mark.parametrize(("page", "code"), [("7", "E181"), ("", "E181")])
def test_stamp_on_page_that_is_not_there_is_invalid(page: str, code: str) -> None:
    assert codes(assess(sign(plain_files(), page=page))) == {code}


@pytest.mark.parametrize("boundary", ["0 0 200 200", "0 0 -40 40", "a b c d", "nan 0 40 40", "1 2 3"])
def test_stamp_of_wrong_size_is_a_warning(boundary: str) -> None:
    assert codes(assess(sign(plain_files(), boundary=boundary))) == {"W182"}


def test_list_without_any_description_elements_is_invalid() -> None:
    report = assess(sealed() | {SIGNATURE: packages.xml("<x/>")})
    assert codes(report) == {"E120"}


def test_external_entity_in_page_description_is_refused() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'
    for name in ("OFD.xml", LIST, PAGE):
        report = assess(sealed() | {name: bomb})
        assert codes(report) == {"E105"}, name
        assert report.findings[0].subject == f"/{name}"


def test_every_flipped_bit_in_any_protected_file_is_refused() -> None:
    for name, content in sealed().items():
        if name == LIST:
            continue
        for position in {0, len(content) // 2, len(content) - 1}:
            changed = bytearray(content)
            changed[position] ^= 1
            report = assess(sealed() | {name: bytes(changed)})
            assert report.status is DocumentStatus.INVALID, (name, position)


@settings(max_examples=CASES, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_the_signed_value_is_never_taken_for_valid_content(data: st.DataObject) -> None:
    content = bytearray(sealed()[VALUE])
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    assert assess(sealed() | {VALUE: bytes(content)}).status is DocumentStatus.INVALID


@settings(max_examples=CASES, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_the_list_leaves_what_is_sealed_as_it_was(data: st.DataObject) -> None:
    content = bytearray(sealed()[LIST])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    report = assess(sealed() | {LIST: bytes(content)})
    valid = [one for one in report.signatures if one.status in {"VALID", "VALID_WITH_WARNINGS"}]
    for signature in valid:
        assert signature.coverage is not None
        assert signature.coverage.is_complete


@settings(max_examples=CASES, deadline=None)
@given(data=st.data())
def test_any_flipped_bit_in_the_package_is_refused_or_changes_no_sealed_file(data: st.DataObject) -> None:
    good = pack(sealed())
    changed = bytearray(good)
    changed[data.draw(st.integers(0, len(changed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    report = assess(bytes(changed))
    if report.status in {DocumentStatus.VALID, DocumentStatus.VALID_WITH_WARNINGS}:
        assert report.metadata == {"ZZMC": "营业执照"}
        assert report.signatures[0].is_intact


@settings(max_examples=CASES, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_give_a_report(data: bytes) -> None:
    report = assess(data)
    assert report.status is DocumentStatus.INVALID
    assert report.exit_code == 2


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["a.xml", "A.XML"], "E102"),
        (["../a"], "E103"),
        (["a/../b"], "E103"),
        (["/a"], "E103"),
        (["C:/a"], "E103"),
        (["a\\b"], "E103"),
        (["a"], "E104"),
    ],
)
def test_package_with_hostile_names_is_unreadable(names: list[str], code: str) -> None:
    report = assess(pack(dict.fromkeys(names, b"x")))
    assert codes(report) == {code}
    assert report.exit_code == 2


def test_package_that_unpacks_too_large_is_refused() -> None:
    report = assess(pack({"OFD.xml": b"\0" * (65 * 1024 * 1024)}))
    assert codes(report) == {"E101"}
