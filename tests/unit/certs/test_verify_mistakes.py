"""The fifteen mistakes that a careful implementer would otherwise make, one test each.

Each document here would be judged wrongly by a verifier that makes the mistake of its number.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from certs.verify.model import DocumentStatus
from signing import der, oids, sm3
from signing.findings import Verdict
from signing.seals import encode
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal, parse_seal_signature
from signing.sm2 import der_to_raw
from signing.trust import NOTHING_TRUSTED
from signing.x509.algorithms import AlgorithmIdentifier
from tests.fuzz.hostile import containers
from tests.unit.certs import packages
from tests.unit.certs.packages import LIST, Files, assess, codes, pack, plain_files, sealed, sign
from tests.unit.certs.test_verify_digital import VALUE as DIGITAL_VALUE
from tests.unit.certs.test_verify_digital import build, described
from tests.unit.signing.seals import pki

SIGNATURE = "Doc_0/Signs/Sign_0/Signature.xml"
VALUE = "Doc_0/Signs/Sign_0/SignedValue.dat"
SEAL = "Doc_0/Signs/Sign_0/Seal.esl"
PATH = f"/{SIGNATURE}"


def resigned(
    files: Files, *, seal: bytes | None = None, data_hash: bytes | None = None, **sign_id: bytes
) -> bytes:
    """A V4 value over the description in `files`, with one thing done differently."""
    world = pki.pki()
    tbs = encode.encode_tbs_v4(
        version=4,
        seal=pki.seal_of(SealVersion.V4) if seal is None else seal,
        signed_at=pki.NOW,
        data_hash=sm3.digest(files[SIGNATURE]) if data_hash is None else data_hash,
        property_info=PATH,
        extensions=(),
    )
    value = world.signer.key.sign(tbs, **sign_id)
    return encode.encode_signature_v4(tbs, world.signer.certificate.der, oids.SM2_WITH_SM3, value, None)


def over_seal(seal: bytes) -> Files:
    """A document whose one signature is set with a seal that our maker would not have made."""
    files = plain_files() | {LIST: packages.list_of("s001"), SEAL: seal}
    files[SIGNATURE] = packages.describe(files, 0, leave_out=(LIST,))
    return files | {VALUE: resigned(files, seal=seal)}


def test_mistake_01_signature_under_the_empty_identity_does_not_verify() -> None:
    files = sealed()
    assert codes(assess(files | {VALUE: resigned(files)})) == set()
    assert codes(assess(files | {VALUE: resigned(files, id=b"")})) == {"E140"}


def test_mistake_02_seal_signed_over_the_octets_of_another_version_does_not_verify() -> None:
    world = pki.pki()
    good = der.parse_der(pki.seal_of(SealVersion.V4))
    info, certificate, algorithm = (part.raw for part in good.children()[:3])
    as_v1 = world.maker.key.sign(der.sequence(info, certificate, algorithm))
    assert codes(assess(over_seal(der.sequence(info, certificate, algorithm, der.bit_string(as_v1))))) == {
        "E161"
    }


def test_mistake_03_explicit_defaults_and_missing_ones_are_verified_as_they_stand() -> None:
    for critical in (b"", b"\x01\x01\x00"):
        info, certificate, algorithm = (
            part.raw for part in der.parse_der(pki.seal_of(SealVersion.V4)).children()[:3]
        )
        extension = der.sequence(der.oid("1.2.3"), critical, der.octet_string(b"v"))
        info = der.sequence(der.parse_der(info).content, der.sequence(extension))
        value = pki.pki().maker.key.sign(info)
        report = assess(over_seal(der.sequence(info, certificate, algorithm, der.bit_string(value))))
        assert codes(report) == set(), critical


def test_mistake_04_description_hashed_twice_is_not_its_digest() -> None:
    files = sealed()
    twice = sm3.digest(sm3.digest(files[SIGNATURE]))
    assert codes(assess(files | {VALUE: resigned(files, data_hash=twice)})) == {"E141"}


def test_mistake_05_root_rewritten_by_a_second_signature_breaks_the_first() -> None:
    files = sealed()
    files["OFD.xml"] = files["OFD.xml"].replace(b"?>\n", b"?>")
    report = assess(sign(files, number=1))
    assert [one.status for one in report.signatures] == [Verdict.INVALID, Verdict.VALID]
    assert [str(each.code) for each in report.signatures[0].findings if each.subject == "/OFD.xml"] == [
        "E125"
    ]


def test_mistake_06_list_referred_to_in_append_mode_breaks_with_the_next_signature() -> None:
    assert assess(sign(sealed(), number=1)).status is DocumentStatus.VALID
    assert {"E125", "E183"} <= codes(assess(sign(sign(plain_files(), lock=True), number=1)))


def test_mistake_07_seal_file_is_never_taken_for_the_seal_that_signed() -> None:
    files = sign(plain_files(), leave_out=(SEAL,))
    report = assess(files | {SEAL: pki.make_seal(name="另一机关")})
    assert "E168" in codes(report)
    seal = report.signatures[0].seal
    assert seal is not None
    assert seal.name == "临江市发展和改革委员会"


def test_mistake_08_what_verifies_mathematically_is_still_refused() -> None:
    world = pki.pki()
    assert codes(assess(sealed(), trust=NOTHING_TRUSTED)) == {"E151", "E162"}
    stranger = pki.make_seal(signers=(world.other.certificate,))
    assert "E167" in codes(assess(over_seal(stranger)))
    ended = pki.make_seal(valid_until=pki.NOW - timedelta(days=1))
    assert "E166" in codes(assess(over_seal(ended)))
    assert "W126" in codes(assess(sealed() | {"Doc_0/Res/evil.exe": b"MZ"}))


@pytest.mark.parametrize("method", [oids.SM2_SIGNATURE, oids.SM2_WITH_SM3])
def test_mistake_09_absent_and_null_parameters_are_both_read(method: str) -> None:
    for parameters in (None, der.null()):
        algorithm = AlgorithmIdentifier(method, parameters)
        report = assess(described() | {DIGITAL_VALUE: build(signature_algorithm=algorithm)})
        assert report.status is DocumentStatus.VALID, parameters


def test_mistake_10_names_and_numbers_are_read_never_assumed() -> None:
    def rename(text: bytes) -> bytes:
        for old, new in (
            (b"Doc_0/Signs/Sign_0/Signature.xml", b"Doc_1/S/d.xml"),
            (b"Doc_0/Signs/Sign_0/SignedValue.dat", b"Doc_1/S/SignValue.dat"),
            (b"Doc_0/Signs/Signatures.xml", b"Doc_1/list.xml"),
            (b"Doc_0", b"Doc_1"),
            (b"http://www.ofdspec.org/2016", b"http://www.ofdspec.org"),
        ):
            text = text.replace(old, new)
        return text

    files = {rename(name.encode()).decode(): rename(text) for name, text in plain_files().items()}
    listed = packages.list_of("s001").replace(b' Type="Seal"', b"").replace(b's001"', b'1"')
    twice = listed.replace(b"<ofd:MaxSignId>", b"<ofd:MaxSignId>7</ofd:MaxSignId><ofd:MaxSignId>")
    description = rename(packages.describe(files, 0))
    start, end = description.index(b"<ofd:Seal>"), description.index(b"</ofd:SignedInfo>")
    description = description[:start] + description[end:]
    value = pki.sign(data_hash=sm3.digest(description), property_info="/Doc_1/S/d.xml")
    files |= {"Doc_1/list.xml": rename(twice), "Doc_1/S/d.xml": description, "Doc_1/S/SignValue.dat": value}
    report = assess(files)
    assert codes(report) == set()
    assert report.status is DocumentStatus.VALID


@pytest.mark.parametrize("method", ["", ' CheckMethod="1.2.156.10197.1.401.2"', ' CheckMethod="MD5"'])
def test_mistake_11_digest_method_absent_or_keyed_is_never_sm3(method: str) -> None:
    assert codes(assess(sign(plain_files(), check_method=method))) == {"E121"}


def test_mistake_12_der_signatures_of_every_length_and_raw_ones_are_read() -> None:
    files = sealed()
    lengths = set()
    for _ in range(40):
        value = resigned(files)
        lengths.add(len(parse_seal_signature(value).signature))
        assert assess(files | {VALUE: value}).status is DocumentStatus.VALID
    assert len(lengths) > 1
    *parts, last = der.parse_der(resigned(files)).children()
    raw = der.bit_string(der_to_raw(der.read_bit_string(last)))
    report = assess(files | {VALUE: der.sequence(*(part.raw for part in parts), raw)})
    assert codes(report) == {"W143"}


@pytest.mark.parametrize("number", [1, 4, 11])
def test_mistake_13_version_is_told_by_shape_not_by_the_number_in_the_header(number: int) -> None:
    world = pki.pki()
    good = parse_seal(pki.seal_of(SealVersion.V1))
    info = encode.encode_info(
        version=SealVersion.V1,
        header=type(good.header)(mark="ES", version=number, vendor_id="x"),
        seal_id=good.seal_id,
        prop=good.property,
        picture=good.picture,
        extensions=(),
    )
    maker = world.maker.certificate.der
    signed = encode.encode_seal_signed_v1(info, maker, oids.SM2_WITH_SM3)
    seal = encode.encode_seal_v1(info, maker, oids.SM2_WITH_SM3, world.maker.key.sign(signed))
    assert parse_seal(seal).version is SealVersion.V1
    report = assess(sign(plain_files(), seal=seal))
    assert report.status is DocumentStatus.VALID
    assert report.signatures[0].seal is not None
    assert report.signatures[0].seal.version == "V1"


def test_mistake_14_time_stamp_is_over_the_signature_octets_alone() -> None:
    good = assess(sign(plain_files(), signature_changes={"timestamp": pki.stamp}))
    assert codes(good) == set()
    assert good.signatures[0].time_source == "timestamp"
    with_first_octet = assess(_stamped(lambda value: sm3.digest(b"\0" + value)))
    assert "E171" in codes(with_first_octet)
    twice = assess(_stamped(lambda value: sm3.digest(sm3.digest(value))))
    assert "E171" in codes(twice)


def _stamped(imprint: object) -> Files:
    files = sealed()
    parts = [part.raw for part in der.parse_der(resigned(files)).children()]
    signature = der.read_bit_string(der.parse_der(parts[3]))
    token = pki.stamp(imprint(signature))  # type: ignore[operator]
    return files | {VALUE: der.sequence(*parts, der.explicit(0, der.bit_string(token)))}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (containers.duplicate_names(), "E102"),
        (containers.names("../x")(), "E103"),
        (containers.local_header_of_another_name(), "E103"),
        (containers.entry_between_the_listed_ones(), "E103"),
        (pack(sealed() | {"OFD.xml": b"<!DOCTYPE a []>" + sealed()["OFD.xml"]}), "E105"),
    ],
    ids=["duplicate", "climbing", "local header", "hidden entry", "DTD"],
)
def test_mistake_15_container_that_readers_see_differently_is_refused(data: bytes, code: str) -> None:
    assert codes(assess(data)) == {code}
