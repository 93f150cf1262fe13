"""Identifiers after GB/T 36904: published vectors, synthetic vectors, every single slip."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.identifiers import CheckStatus, build_identifier, derive_serial, parse_identifier
from certs.identifiers.check import ALPHABET, compute_check_character
from certs.identifiers.identifier import IdentifierInvalid
from core.errors import SchemaViolation

ROOT = "1.2.156.3005.2."
PUBLISHED = [
    "11100000000013338W011.11430000006122244L.20230000403.001.U",
    "11100000000013338W011.11430000006122244L.20230000403.002.S",
    "11100000000013338W009.11330105002500287C.2025052201.002.0",
    "11100000000013338W032.11220000013544541J.2430599.001.F",
    "11100000000013338W087.11370800MB28559184.37080001202411010001.001.3",
]
SYNTHETIC = [
    "11100000MB0143028R001.11990000DM0000013N.2024000000000001.001.D",
    "11100000000019713D013.11990000DM0000013N.A1B2C3D4E5F60718293A4B5C6D7E8F90.002.8",
    "11100000MB03271699001.11990000DM0000013N.0.999.I",
]
SHANDONG = "11100000000013661B006.113700000045046442.209FA4E88F9E4C878F3E9BED2CE7EA49.001.M"
HEFEI = "11100000MB03271699022.340100.000000016.001.9"
serials = st.text(alphabet=ALPHABET, min_size=1, max_size=64)


@pytest.mark.parametrize("tail", [*PUBLISHED, *SYNTHETIC])
def test_identifier_published_is_parsed_and_built_alike(tail: str) -> None:
    parsed = parse_identifier(ROOT + tail)
    built = build_identifier(
        type_code=parsed.type_code,
        issuer_code=parsed.issuer_code,
        serial=parsed.serial,
        version=parsed.version_number,
    )
    assert built == parsed
    assert str(built) == ROOT + tail
    assert parsed.check_status is CheckStatus.OK


def test_identifier_with_deployed_defect_is_marked_and_refused_strictly() -> None:
    assert parse_identifier(ROOT + SHANDONG, lenient=True).check_status is CheckStatus.LEGACY_VARIANT
    assert compute_check_character(SHANDONG.replace(".", "")[:-1]) == "D"
    with pytest.raises(IdentifierInvalid, match="check character"):
        parse_identifier(ROOT + SHANDONG)


def test_identifier_with_division_code_as_issuer_is_read_leniently_only() -> None:
    assert parse_identifier(ROOT + HEFEI, lenient=True).check_status is CheckStatus.OK
    with pytest.raises(IdentifierInvalid):
        parse_identifier(ROOT + HEFEI)


def test_identifier_with_arbitrary_check_is_bad_when_read_leniently() -> None:
    body = PUBLISHED[0][:-1]
    statuses = {c: parse_identifier(ROOT + body + c, lenient=True).check_status for c in ALPHABET}
    assert statuses["U"] is CheckStatus.OK
    assert sum(status is CheckStatus.OK for status in statuses.values()) == 1
    assert sum(status is CheckStatus.LEGACY_VARIANT for status in statuses.values()) <= 1


def test_identifier_with_any_one_character_changed_is_refused() -> None:
    text = ROOT + PUBLISHED[0]
    for position in range(len(ROOT), len(text)):
        if text[position] == ".":
            continue
        for other in ALPHABET.replace(text[position], ""):
            with pytest.raises(IdentifierInvalid):
                parse_identifier(text[:position] + other + text[position + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        "",
        ROOT,
        "x" * 5000,
        ROOT + PUBLISHED[0].lower(),
        " " + ROOT + PUBLISHED[0],
        ROOT + PUBLISHED[0] + "\n",
        ROOT + PUBLISHED[0].replace(".001.", ".٠٠١."),
        ROOT + PUBLISHED[0] + "\x00",
        "1.2.156.3003.2." + PUBLISHED[0],
    ],
)
def test_identifier_malformed_is_refused(text: str) -> None:
    with pytest.raises(IdentifierInvalid):
        parse_identifier(text)


@given(serial=serials, version=st.integers(1, 999))
def test_identifier_built_round_trips(serial: str, version: int) -> None:
    built = build_identifier(
        type_code="11100000MB0143028R001", issuer_code="11990000DM0000013N", serial=serial, version=version
    )
    assert parse_identifier(str(built)) == built
    assert len(str(built)) <= 128


def test_identifier_from_bad_parts_names_every_part() -> None:
    with pytest.raises(SchemaViolation) as refusal:
        build_identifier(type_code="11100000MB0307166E001", issuer_code="340100", serial="a-1", version=0)
    assert [error.pointer for error in refusal.value.errors] == [
        "/type_code",
        "/issuer_code",
        "/serial",
        "/version",
    ]


def test_serial_of_plain_number_is_the_number() -> None:
    assert derive_serial("91990000MA0TE5T088") == "91990000MA0TE5T088"


def test_serials_of_numbers_alike_but_for_dropped_characters_differ() -> None:
    numbers = [
        "鲁〔2018〕000012号",
        "豫〔2018〕000012号",
        "2018-000012",
        "2018000012",
        "201-8000012",
        "a1",
        "A1",
    ]
    made = [derive_serial(number) for number in numbers]
    assert len(set(made)) == len(made)
    assert derive_serial(numbers[0]) == made[0]


@given(st.text(min_size=1, max_size=200).filter(lambda text: text.strip() != ""))
def test_serial_of_any_number_fits_an_identifier(number: str) -> None:
    serial = derive_serial(number)
    assert 1 <= len(serial) <= 32
    assert set(serial) <= set(ALPHABET)


def test_serial_of_blank_number_is_refused() -> None:
    with pytest.raises(ValueError, match="blank"):
        derive_serial("  ")
