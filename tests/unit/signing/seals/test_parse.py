"""Reading seals and seal signatures: the forms of every version, what is tolerated, what is refused."""

from __future__ import annotations

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der
from signing.errors import DecodeError, ShuzhengError
from signing.seals import encode
from signing.seals.model import CertificateDigest, SealExtension, SealVersion
from signing.seals.parse import MAX_SEAL_BYTES, parse_seal, parse_seal_signature
from tests.unit.signing.seals import samples
from tests.unit.signing.seals.drafts import (
    ALGORITHM,
    AT,
    EXTENSION_FALSE,
    FUZZ_CASES,
    info,
    property_with,
    seal,
    signature,
    with_extensions,
)

# ----------------------------------------------------------------------------------- known answers


@pytest.mark.parametrize(
    ("name", "version", "size", "digest"),
    [
        (
            "UserV4.esl",
            SealVersion.V4,
            16393,
            "6aefcd84f3d768777d0031628defada2f9626b3ea46c06dacc669fb0b2737449",
        ),
        (
            "UserV1.esl",
            SealVersion.V1,
            16925,
            "ded50a45fbb77d6122bc6390b85c094544e5feef167dcf408d0e40f90d52d2af",
        ),
    ],
)
def test_seal_made_by_ofdrw_is_signed_over_the_measured_octets(
    name: str, version: SealVersion, size: int, digest: str
) -> None:
    parsed = parse_seal(samples.sample(name))
    assert parsed.version is version
    assert len(parsed.signed_der) == size
    assert hashlib.new("sm3", parsed.signed_der).hexdigest() == digest
    assert parsed.picture.type == "PNG"
    assert (parsed.picture.width_mm, parsed.picture.height_mm) == (40, 40)


@pytest.mark.parametrize("name", ["V4RideRight.ofd", "allprotected.ofd", "SESV4SignDoc.ofd", "h.ofd"])
def test_seal_signature_inside_a_sample_package_is_read_whole(name: str) -> None:
    raw = samples.sample_part(name, "Doc_0/Signs/Sign_0/SignedValue.dat")
    parsed = parse_seal_signature(raw)
    assert parsed.version is SealVersion.V4
    assert parsed.tbs_version == parsed.seal.header.version == 4
    assert parsed.property_info == "/Doc_0/Signs/Sign_0/Signature.xml"
    xml = samples.sample_part(name, "Doc_0/Signs/Sign_0/Signature.xml")
    assert parsed.data_hash == hashlib.new("sm3", xml).digest()
    assert parsed.seal.der == samples.sample_part(name, "Doc_0/Signs/Sign_0/Seal.esl")
    assert parsed.der == raw


# ------------------------------------------------------------------------------------- round trips


@given(
    version=st.sampled_from(SealVersion),
    name=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    kind=st.integers(-(2**31), 2**31),
    by_digest=st.booleans(),
    extensions=st.lists(
        st.builds(
            SealExtension,
            oid=st.sampled_from(["1.2.3", "1.2.156.10260.4.1.1", "2.5.29.999"]),
            critical=st.booleans(),
            value=st.binary(max_size=20),
        ),
        max_size=4,
    ).map(tuple),
)
@settings(max_examples=60, deadline=None)
def test_seal_written_and_read_comes_back_equal(
    version: SealVersion, name: str, kind: int, by_digest: bool, extensions: tuple[SealExtension, ...]
) -> None:
    digests = (CertificateDigest(type="SM3", value=bytes(32)),)
    prop = samples.properties(digests=digests if by_digest and version is not SealVersion.V1 else ())
    prop = type(prop)(
        type=kind,
        name=name,
        list_type=prop.list_type,
        certificates=prop.certificates,
        digests=prop.digests,
        created_at=prop.created_at,
        valid_from=prop.valid_from,
        valid_until=prop.valid_until,
    )
    whole = seal(version, prop=prop, extensions=extensions)
    parsed = parse_seal(whole)
    assert parsed.version is version
    assert parsed.property == prop
    assert parsed.extensions == extensions
    assert parsed.picture == samples.picture()
    assert parsed.der == whole
    assert (parsed.maker_certificate, parsed.signature) == (b"maker", b"value")


@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_signature_written_and_read_comes_back_equal(version: SealVersion) -> None:
    parsed = parse_seal_signature(signature(version))
    assert parsed.version is version
    assert parsed.claimed_at == AT
    assert parsed.data_hash == bytes(32)
    assert parsed.property_info == "/Signature.xml"
    assert (parsed.signer_certificate, parsed.signature) == (b"signer", b"value")
    assert parsed.seal == parse_seal(seal(version))


# ---------------------------------------------------------------------------------------- versions


def test_seal_of_four_elements_is_told_apart_by_its_header() -> None:
    assert parse_seal(seal(SealVersion.V4)).version is SealVersion.V4
    assert parse_seal(seal(SealVersion.V5)).version is SealVersion.V5


def test_seal_of_two_elements_is_v1_whatever_number_it_bears() -> None:
    assert parse_seal(seal(SealVersion.V1, number=5)).version is SealVersion.V1
    assert parse_seal(seal(SealVersion.V1, number=11)).header.version == 11


def test_seal_of_five_elements_is_v5_and_carries_its_time_stamp() -> None:
    whole = encode.encode_seal_v4(info(SealVersion.V5), b"maker", ALGORITHM, b"value", b"token")
    parsed = parse_seal(whole)
    assert parsed.version is SealVersion.V5
    assert parsed.timestamp == b"token"


def test_seal_signature_takes_its_version_from_the_seal_inside() -> None:
    mixed = signature(SealVersion.V4, inner=seal(SealVersion.V5))
    assert parse_seal_signature(mixed).version is SealVersion.V5


@pytest.mark.parametrize("count", [0, 1, 3, 6, 9])
def test_seal_of_any_other_number_of_elements_is_refused(count: int) -> None:
    whole = der.sequence(*[der.null()] * count)
    with pytest.raises(DecodeError):
        parse_seal(whole)
    with pytest.raises(DecodeError):
        parse_seal_signature(whole)


# -------------------------------------------------------------------------------------- bad octets


def test_seal_followed_by_an_octet_is_refused() -> None:
    with pytest.raises(DecodeError):
        parse_seal(seal() + b"\x00")
    with pytest.raises(DecodeError):
        parse_seal_signature(signature(SealVersion.V4) + b"\x00")


def test_seal_of_enormous_size_is_refused_unread() -> None:
    with pytest.raises(DecodeError, match="at most"):
        parse_seal(bytes(MAX_SEAL_BYTES + 1))


def test_seal_with_a_field_too_many_is_refused_at_every_level() -> None:
    root = der.parse_der(seal())

    def grow(node: der.Node) -> list[bytes]:
        """Every encoding of this element with one NULL added at the end of one structure inside it."""
        if node.tag != der.Tag.SEQUENCE:
            return []
        parts = [child.raw for child in node.children()]
        grown = [der.sequence(*parts, der.null())]
        for i, child in enumerate(node.children()):
            grown += [der.sequence(*parts[:i], each, *parts[i + 1 :]) for each in grow(child)]
        return grown

    variants = grow(root)
    assert len(variants) >= 6
    for variant in variants:
        with pytest.raises(DecodeError):
            parse_seal(variant)


def test_seal_cut_short_anywhere_is_refused() -> None:
    whole = seal()
    for end in range(0, len(whole), 7):
        with pytest.raises(DecodeError):
            parse_seal(whole[:end])


def bombs() -> list[bytes]:
    deep = b""
    for _ in range(3000):
        deep = der.encode(der.Tag.SEQUENCE, deep)
    many = der.sequence(*[der.null()] * 60_000)
    head = der.sequence(der.ia5("ES"), der.integer(4), der.ia5("v"))
    crowded = der.sequence(*[der.octet_string(b"")] * 60_000)
    return [
        deep,
        many,
        b"\x30\x80" + bytes(100),
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x88" + b"\xff" * 8,
        der.sequence(head, der.ia5("id"), crowded, crowded),
        property_with(SealVersion.V4, entries=crowded, times=der.utc_time(AT)),
        with_extensions(der.sequence(*[EXTENSION_FALSE] * 60_000)),
        with_extensions(der.explicit(0, deep)),
    ]


@pytest.mark.parametrize("bomb", bombs(), ids=range(len(bombs())))
def test_seal_bomb_is_refused(bomb: bytes) -> None:
    for parse in (parse_seal, parse_seal_signature):
        with pytest.raises(DecodeError):
            parse(bomb)


def mutate(chance: random.Random, whole: bytes) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data))
        match chance.randrange(4):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                del data[at : at + chance.randint(1, 12)]
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 12))
        if not data:
            return b""
    return bytes(data)


def test_seal_parsers_over_mutated_and_random_octets_raise_only_our_errors() -> None:
    chance = random.Random(20)
    small = encode.encode_info(
        version=SealVersion.V4,
        header=samples.header(),
        seal_id="1",
        prop=samples.properties(),
        picture=type(samples.picture())(type="PNG", data=b"p", width_mm=1, height_mm=1),
        extensions=(SealExtension(oid="1.2.3", critical=True, value=b"v"),),
    )
    seeds = [
        encode.encode_seal_v4(small, b"maker", ALGORITHM, b"value", b"token"),
        encode.encode_seal_v1(small, b"maker", ALGORITHM, b"value"),
    ]
    seeds += [signature(version, inner=seeds[version is SealVersion.V1]) for version in SealVersion]
    for _ in range(FUZZ_CASES):
        data = chance.randbytes(200) if chance.random() < 0.1 else mutate(chance, chance.choice(seeds))
        for parse in (parse_seal, parse_seal_signature):
            try:
                parse(data)
            except ShuzhengError:
                continue
