"""Check an order to issue against its certificate type: everything that is wrong, at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final

from certs.issue.model import Holder, IssueOrder
from certs.types.formats import DAY, MAX_PHOTO_CHARACTERS, explain_misfit
from certs.types.model import CertificateItem, CertificateType, HolderCodeType
from core.codes import citizen, credit
from core.errors import FieldError
from core.text import check_text

MAX_NUMBER_CHARACTERS: Final = 128
MAX_NAME_CHARACTERS: Final = 200
MAX_CODE_CHARACTERS: Final = 64
MAX_REFERENCE_CHARACTERS: Final = 128
MAX_VALUE_CHARACTERS: Final = 10_000
FIRST_YEAR: Final = 1900


def check_order(order: IssueOrder, kind: CertificateType, *, today: date) -> list[FieldError]:
    """Return every reason why `order` must not be carried out; empty where there is none."""
    errors = [
        *check_text("/number", order.number, max_characters=MAX_NUMBER_CHARACTERS),
        *_check_holder(order.holder, kind),
        *_check_days(order, kind, today=today),
        *_check_data(order.data, kind.items),
    ]
    for pointer, text in (("/service_item", order.service_item), ("/case_number", order.case_number)):
        if text is not None:
            errors += check_text(pointer, text, max_characters=MAX_REFERENCE_CHARACTERS)
    if kind.template is None:
        detail = "this hub has no template for the type; register a version of the type that names one"
        errors.append(FieldError(pointer="/type_code", code="NO-TEMPLATE", detail=detail))
    return errors


def _check_holder(holder: Holder, kind: CertificateType) -> list[FieldError]:
    errors = [
        *check_text("/holder/name", holder.name, max_characters=MAX_NAME_CHARACTERS),
        *check_text("/holder/code", holder.code, max_characters=MAX_CODE_CHARACTERS),
    ]
    if not kind.may_be_held_by(holder.code_type):
        detail = f"certificates of this type are not held by who is named by {holder.code_type.label}"
        errors.append(FieldError(pointer="/holder/code_type", code="HOLDER-CATEGORY", detail=detail))
    if holder.code_type is HolderCodeType.CREDIT_CODE and not credit.is_check_valid(holder.code):
        detail = "not a unified social credit code with a right check character (GB 32100)"
        errors.append(FieldError(pointer="/holder/code", code="CREDIT-CODE", detail=detail))
    if holder.code_type is HolderCodeType.CITIZEN_NUMBER and not _is_citizen_number(holder.code):
        detail = "not a citizen number with a real birth date and a right check character (GB 11643)"
        errors.append(FieldError(pointer="/holder/code", code="CITIZEN-NUMBER", detail=detail))
    return errors


def _is_citizen_number(number: str) -> bool:
    return citizen.is_check_valid(number) and citizen.read_birth_on(number) is not None


def _check_days(order: IssueOrder, kind: CertificateType, *, today: date) -> list[FieldError]:
    errors = []
    for pointer, day in (
        ("/issued_on", order.issued_on),
        ("/valid_from", order.valid_from),
        ("/valid_until", order.valid_until),
    ):
        if day is not None and day.year < FIRST_YEAR:
            errors.append(FieldError(pointer=pointer, code="RANGE", detail=f"lies before {FIRST_YEAR}"))
    if order.issued_on > today:
        errors.append(FieldError(pointer="/issued_on", code="FUTURE", detail="lies in the future"))
    end = order.valid_until
    if end is None:
        if kind.end_required:
            detail = "certificates of this type have a last day of validity"
            errors.append(FieldError(pointer="/valid_until", code="REQUIRED", detail=detail))
        return errors
    if end < order.valid_from:
        detail = "lies before the first day of validity"
        errors.append(FieldError(pointer="/valid_until", code="PERIOD", detail=detail))
    if kind.max_years is not None and _is_over(order.valid_from, end, kind.max_years):
        detail = f"certificates of this type are valid for at most {kind.max_years} years"
        errors.append(FieldError(pointer="/valid_until", code="PERIOD", detail=detail))
    return errors


def _is_over(start: date, end: date, years: int) -> bool:
    """Whether `end` lies after the same day `years` later (the 29th of February counts as the 28th)."""
    return (end.year - start.year, (end.month, end.day)) > (years, (start.month, start.day))


def _check_data(data: Mapping[str, str], items: tuple[CertificateItem, ...]) -> list[FieldError]:
    known = {item.name: item for item in items}
    errors = [
        FieldError(pointer=_pointer(name), code="UNKNOWN-ITEM", detail="the type has no item of that name")
        for name in data
        if name not in known
    ]
    for item in items:
        value = data.get(item.name, "")
        if not value.strip():
            if item.is_required:
                detail = f"{item.title} is required"
                errors.append(FieldError(pointer=_pointer(item.name), code="REQUIRED", detail=detail))
            continue
        errors += _check_value(item, value)
    return errors


def _check_value(item: CertificateItem, value: str) -> list[FieldError]:
    pointer = _pointer(item.name)
    longest = MAX_PHOTO_CHARACTERS if item.is_photo else MAX_VALUE_CHARACTERS
    problems = [
        FieldError(pointer=pointer, code=error.code, detail=f"{item.title} {error.detail}")
        for error in check_text(pointer, value, max_characters=longest)
    ]
    if misfit := explain_misfit(item.format, value):
        problems.append(FieldError(pointer=pointer, code="FORMAT", detail=f"{item.title} {misfit}"))
    elif item.allowed and value not in item.allowed:
        detail = f"{item.title} is not one of the values allowed"
        problems.append(FieldError(pointer=pointer, code="CODE-LIST", detail=detail))
    return problems


def _pointer(name: str) -> str:
    return "/data/" + name[:60].replace("~", "~0").replace("/", "~1")


def standardise_data(data: Mapping[str, str], items: tuple[CertificateItem, ...]) -> dict[str, str]:
    """Bring values to the form that is kept: no outer blanks, `2024-02-29` as `20240229`, no empty ones.

    Items that the type does not know are kept as they are, for `check_order` to name.
    """
    formats = {item.name: item.format for item in items}
    kept = {}
    for name, value in data.items():
        text = value.strip()
        if formats.get(name) == DAY and len(text) == 10 and text[4] == text[7] == "-":
            text = text.replace("-", "")
        if text:
            kept[name] = text
    return kept
