"""Certificate types: formats of items, the types that ship, and who may hold what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.identifiers.identifier import is_type_code
from certs.types import CertificateType, HolderCategory, HolderCodeType
from certs.types.formats import explain_misfit, parse_format
from certs.types.model import ServiceItem
from certs.types.shipped import BUSINESS_LICENCE, SHIPPED_TYPES


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("C18", "91990000MA0TE5T088"),
        ("C..50", ""),
        ("C..5", "证照证照证"),
        ("n2", "07"),
        ("n..12", "1"),
        ("N..24,6", "-1200.500000"),
        ("YYYYMMDD", "20240229"),
        ("YYYYMMDDhhmmss", "20240229235959"),
    ],
)
def test_value_that_fits_its_format_is_accepted(form: str, value: str) -> None:
    assert explain_misfit(form, value) is None


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("C18", "x"),
        ("C..5", "证照证照证照"),
        ("n2", "7"),
        ("n2", "٠٧"),
        ("n..2", ""),
        ("N..6,2", "12345.00"),
        ("N..6,2", "1.005"),
        ("N..6,2", "1e3"),
        ("N..6,2", "NaN"),
        ("YYYYMMDD", "20230229"),
        ("YYYYMMDD", "2024-02-29"),
        ("YYYYMMDD", "00000101"),
        ("YYYYMMDDhhmmss", "20240229240000"),
    ],
)
def test_value_that_breaks_its_format_is_explained(form: str, value: str) -> None:
    assert explain_misfit(form, value)


@pytest.mark.parametrize("text", ["", "C", "C0", "C..", "X5", "N6", "C5,2", "N..2,2", "n99999", "YYYY"])
def test_format_unknown_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"format|digits"):
        parse_format(text)


@given(
    form=st.sampled_from(["C18", "C..50", "n2", "n..12", "N..24,6", "YYYYMMDD", "YYYYMMDDhhmmss"]),
    value=st.text(),
)
def test_value_of_any_text_is_judged_without_raising(form: str, value: str) -> None:
    explain_misfit(form, value)


def test_shipped_types_have_well_formed_distinct_codes() -> None:
    codes = [kind.code for kind in SHIPPED_TYPES]
    assert len(set(codes)) == len(codes)
    assert all(is_type_code(code) for code in codes)
    assert all(kind.name for kind in SHIPPED_TYPES)


def test_shipped_types_contain_none_that_is_unconfirmed() -> None:
    unconfirmed = {"食品经营许可证", "机动车驾驶证", "社会保障卡", "出生医学证明", "建筑工程施工许可证"}
    assert not unconfirmed & {kind.name for kind in SHIPPED_TYPES}


def test_business_licence_is_held_by_organisations_only() -> None:
    assert BUSINESS_LICENCE.may_be_held_by(HolderCodeType.CREDIT_CODE)
    assert not BUSINESS_LICENCE.may_be_held_by(HolderCodeType.CITIZEN_NUMBER)


def test_type_without_service_items_may_be_used_for_none() -> None:
    kind = CertificateType(
        code="11990000DM0000013N001", name="甲", defining_body="乙", holder_category=HolderCategory.MIXED
    )
    assert not kind.may_be_used_for("X1")
    assert not kind.may_be_used_for("*")


def test_type_with_wildcard_may_be_used_for_any_service_item() -> None:
    kind = CertificateType(
        code="11990000DM0000013N001",
        name="甲",
        defining_body="乙",
        holder_category=HolderCategory.MIXED,
        service_items=(ServiceItem(code="*"),),
    )
    assert kind.may_be_used_for("X1")


def test_holder_code_types_are_the_sixteen_of_the_standard() -> None:
    assert len(HolderCodeType) == 16
    assert all(kind.label for kind in HolderCodeType)
