"""Reading seals and seal signatures: the forms of every version, what is tolerated, what is refused."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der
from signing.errors import DecodeError, ShuzhengError
from signing.seals import encode
from signing.seals.model import CertificateDigest, CertListType, SealExtension, SealVersion
from signing.seals.parse import MAX_SEAL_BYTES, parse_seal, parse_seal_signature
from tests.unit.signing.seals import samples

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "400"))
ALGORITHM = "1.2.156.10197.1.501"
AT = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


def info(version: SealVersion = SealVersion.V4, *, number: int | None = None, **changes: object) -> bytes:
    fields: dict[str, object] = {
        "version": version,
        "header": samples.header(int(version) if number is None else number),
        "seal_id": "33100000000001",
        "prop": samples.properties(),
        "picture": samples.picture(),
        "extensions": (),
    }
    return encode.encode_info(**{**fields, **changes})  # type: ignore[arg-type]


def seal(version: SealVersion = SealVersion.V4, **changes: object) -> bytes:
    if version is SealVersion.V1:
        return encode.encode_seal_v1(info(version, **changes), b"maker", ALGORITHM, b"value")
    return encode.encode_seal_v4(info(version, **changes), b"maker", ALGORITHM, b"value")


def signature(version: SealVersion, *, inner: bytes | None = None, timestamp: bytes | None = None) -> bytes:
    whole = seal(version) if inner is None else inner
    if version is SealVersion.V1:
        tbs = encode.encode_tbs_v1(
            version=1,
            seal=whole,
            signed_at=AT,
            data_hash=bytes(32),
            property_info="/Signature.xml",
            signer_certificate=b"signer",
            algorithm=ALGORITHM,
        )
        return der.sequence(tbs, der.bit_string(b"value"))
    tbs = encode.encode_tbs_v4(
        version=int(version),
        seal=whole,
        signed_at=AT,
        data_hash=bytes(32),
        property_info="/Signature.xml",
        extensions=(SealExtension(oid="1.2.3.4", critical=False, value=b"\x05\x00"),),
    )
    return encode.encode_signature_v4(tbs, b"signer", ALGORITHM, b"value", timestamp)


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


# --------------------------------------------------------------------------------------- tolerance


def with_extensions(encoded: bytes) -> bytes:
    bare = der.parse_der(info()).content
    return encode.encode_seal_v4(der.sequence(bare, encoded), b"maker", ALGORITHM, b"value")


EXTENSION_FALSE = der.sequence(der.oid("1.2.3"), der.boolean(False), der.octet_string(b"v"))
EXTENSION_ABSENT = der.sequence(der.oid("1.2.3"), der.octet_string(b"v"))


@pytest.mark.parametrize("extension", [EXTENSION_FALSE, EXTENSION_ABSENT], ids=["explicit", "absent"])
@pytest.mark.parametrize("shape", ["bare", "explicit", "implicit"])
def test_seal_extensions_are_read_bare_or_tagged_with_and_without_critical(
    extension: bytes, shape: str
) -> None:
    bare = der.sequence(extension)
    tagged = {"bare": bare, "explicit": der.explicit(0, bare), "implicit": der.implicit(0, bare)}[shape]
    parsed = parse_seal(with_extensions(tagged))
    assert parsed.extensions == (SealExtension(oid="1.2.3", critical=False, value=b"v"),)
    assert tagged in parsed.signed_der


@pytest.mark.parametrize("tagged", [der.sequence(), der.explicit(0, der.sequence())])
def test_seal_with_an_empty_list_of_extensions_is_read(tagged: bytes) -> None:
    assert parse_seal(with_extensions(tagged)).extensions == ()


def property_with(version: SealVersion, *, entries: bytes, times: bytes, list_type: bytes = b"") -> bytes:
    number = b"" if version is SealVersion.V1 else list_type or der.integer(1)
    prop = der.sequence(der.integer(1), der.utf8("印章"), number, entries, times * 3)
    picture = der.sequence(der.ia5("PNG"), der.octet_string(b"p"), der.integer(40), der.integer(40))
    head = der.sequence(der.ia5("ES"), der.integer(int(version)), der.ia5("v"))
    body = der.sequence(head, der.ia5("id"), prop, picture)
    if version is SealVersion.V1:
        return encode.encode_seal_v1(body, b"maker", ALGORITHM, b"value")
    return encode.encode_seal_v4(body, b"maker", ALGORITHM, b"value")


ENTRIES = der.sequence(der.octet_string(b"signer"))
TIME_FORMS = {
    "UTCTime": der.utc_time(AT),
    "GeneralizedTime": der.generalized_time(AT),
    "GeneralizedTime with fraction": der.encode(der.Tag.GENERALIZED_TIME, b"20260506070809.25Z"),
    "UTCTime in a BIT STRING": der.bit_string(der.utc_time(AT)),
    "GeneralizedTime in an OCTET STRING": der.octet_string(der.generalized_time(AT)),
    "local text": der.bit_string(b"2026-05-06 15:08:09"),
    "text with zone": der.bit_string(b"2026-05-06T07:08:09.377Z"),
    "text with offset": der.octet_string(b"2026-05-06T15:08:09+08:00"),
    "digits": der.bit_string(b"20260506070809Z"),
}


@pytest.mark.parametrize("form", TIME_FORMS)
@pytest.mark.parametrize("version", list(SealVersion))
def test_seal_time_is_read_in_every_form_seen_in_the_field(version: SealVersion, form: str) -> None:
    parsed = parse_seal(property_with(version, entries=ENTRIES, times=TIME_FORMS[form]))
    assert parsed.property.valid_until.replace(microsecond=0) == AT


@pytest.mark.parametrize(
    "time",
    [
        der.bit_string(b"2026-13-40 00:00:00"),
        der.bit_string(b"sometime in May"),
        der.bit_string(b"2026-05-06T15:08:09+25:61"),
        der.bit_string(b"0001-01-01 00:00:00"),
        der.bit_string(b"2026-05-06 15:08:09", 0)[:-1] + b"\xff",
        der.bit_string(der.sequence(der.integer(1))),
        der.integer(1),
        der.encode(der.Tag.UTC_TIME, b"2605060708Z"),
        der.encode(der.Tag.GENERALIZED_TIME, b"20260506070809+0800"),
    ],
)
def test_seal_time_in_any_other_form_is_refused(time: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=ENTRIES, times=time))


def test_seal_v1_signer_list_written_as_ia5_strings_is_read() -> None:
    entries = der.sequence(der.encode(der.Tag.IA5_STRING, b"\x30\x03abc"))
    parsed = parse_seal(property_with(SealVersion.V1, entries=entries, times=der.utc_time(AT)))
    assert parsed.property.certificates == (b"\x30\x03abc",)
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=entries, times=der.utc_time(AT)))


@pytest.mark.parametrize("number", [0, 3, -1, 2**40])
def test_seal_with_an_unknown_kind_of_signer_list_is_refused(number: int) -> None:
    with pytest.raises(DecodeError, match="certListType"):
        parse_seal(
            property_with(
                SealVersion.V4, entries=ENTRIES, times=der.utc_time(AT), list_type=der.integer(number)
            )
        )


def test_seal_whose_list_is_of_the_other_kind_than_it_says_is_refused() -> None:
    digests = der.sequence(der.sequence(der.printable("SM3"), der.octet_string(bytes(32))))
    time = der.generalized_time(AT)
    good = property_with(SealVersion.V4, entries=digests, times=time, list_type=der.integer(2))
    assert parse_seal(good).property.list_type is CertListType.DIGESTS
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=digests, times=time))
    with pytest.raises(DecodeError):
        parse_seal(property_with(SealVersion.V4, entries=ENTRIES, times=time, list_type=der.integer(2)))


def test_seal_values_written_as_octet_strings_are_read() -> None:
    whole = der.sequence(info(), der.octet_string(b"maker"), der.oid(ALGORITHM), der.octet_string(b"value"))
    assert parse_seal(whole).signature == b"value"


@pytest.mark.parametrize(
    "tagged",
    [
        der.explicit(0, der.bit_string(b"token")),
        der.explicit(0, der.octet_string(b"token")),
        der.implicit(0, der.bit_string(b"token")),
    ],
)
def test_seal_signature_time_stamp_is_read_tagged_either_way(tagged: bytes) -> None:
    parts = [part.raw for part in der.parse_der(signature(SealVersion.V4)).children()]
    assert parse_seal_signature(der.sequence(*parts, tagged)).timestamp == b"token"


def test_seal_signature_v1_may_hold_a_token_in_place_of_its_time() -> None:
    token = der.sequence(der.oid("1.2.3"), der.null())
    whole = signature(SealVersion.V1).replace(
        der.bit_string(der.utc_time(AT)), der.bit_string(token.ljust(15, b"\x00")[:15])
    )
    with pytest.raises(DecodeError):
        parse_seal_signature(whole)
    token = der.sequence(der.octet_string(bytes(11)))
    whole = signature(SealVersion.V1).replace(der.bit_string(der.utc_time(AT)), der.bit_string(token))
    parsed = parse_seal_signature(whole)
    assert (parsed.claimed_at, parsed.time_token) == (None, token)


def test_seal_signature_v4_with_a_token_in_place_of_its_time_is_refused() -> None:
    token = der.bit_string(der.sequence(der.octet_string(bytes(10))))
    whole = signature(SealVersion.V4)
    assert len(token) == len(der.generalized_time(AT))
    with pytest.raises(DecodeError, match="timeInfo"):
        parse_seal_signature(whole.replace(der.generalized_time(AT), token))


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
