"""What a certificate type must be like to be registered: everything that is wrong, at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from certs.identifiers.identifier import is_type_code
from certs.types.formats import parse_format
from certs.types.model import ANY_SERVICE_ITEM, CertificateItem, CertificateType, ServiceItem
from core.errors import FieldError
from core.text import check_text

MAX_ITEMS: Final = 100
MAX_NAME_CHARACTERS: Final = 200
MAX_SERVICE_ITEMS: Final = 1000
MAX_ALLOWED_YEARS: Final = 100
MAX_RANGE_CHARACTERS: Final = 64
MAX_ALLOWED_VALUES: Final = 1000
_ITEM_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,39}")


def check_type(kind: CertificateType, *, templates: Collection[str]) -> list[FieldError]:
    """Return every reason why a type must not be registered; empty where there is none."""
    errors = [
        *check_text("/name", kind.name, max_characters=MAX_NAME_CHARACTERS),
        *check_text("/defining_body", kind.defining_body, max_characters=MAX_NAME_CHARACTERS),
        *check_text(
            "/validity_range", kind.validity_range, max_characters=MAX_RANGE_CHARACTERS, required=False
        ),
        *_check_items(kind.items),
        *check_service_items(kind.related_items, at="/related_items", may_be_any=False),
        *check_service_items(kind.service_items),
    ]
    if not is_type_code(kind.code):
        detail = "a type code is the defining body's credit code (GB 32100) and three digits"
        errors.append(FieldError(pointer="/code", code="TYPE-CODE", detail=detail))
    if kind.template is not None and kind.template not in templates:
        detail = "no template of that name is installed"
        errors.append(FieldError(pointer="/template", code="TEMPLATE", detail=detail))
    if kind.max_years is not None and not 1 <= kind.max_years <= MAX_ALLOWED_YEARS:
        detail = f"must be 1 to {MAX_ALLOWED_YEARS} years"
        errors.append(FieldError(pointer="/max_years", code="RANGE", detail=detail))
    return errors


def _check_items(items: Sequence[CertificateItem]) -> list[FieldError]:
    errors = []
    if len(items) > MAX_ITEMS:
        errors.append(FieldError(pointer="/items", code="TOO-MANY", detail=f"at most {MAX_ITEMS} items"))
    seen: set[str] = set()
    for position, item in enumerate(items[:MAX_ITEMS]):
        place = f"/items/{position}"
        errors += check_text(f"{place}/title", item.title, max_characters=MAX_NAME_CHARACTERS)
        if not _ITEM_NAME.fullmatch(item.name):
            detail = "an item name has 1 to 40 characters of A-Z, 0-9 and _, beginning with a letter"
            errors.append(FieldError(pointer=f"{place}/name", code="ITEM-NAME", detail=detail))
        elif item.name in seen:
            errors.append(
                FieldError(pointer=f"{place}/name", code="DUPLICATE", detail="the name occurs twice")
            )
        seen.add(item.name)
        if len(item.allowed) > MAX_ALLOWED_VALUES:
            detail = f"at most {MAX_ALLOWED_VALUES} values"
            errors.append(FieldError(pointer=f"{place}/allowed", code="TOO-MANY", detail=detail))
        try:
            parse_format(item.format)
        except ValueError as trouble:
            errors.append(FieldError(pointer=f"{place}/format", code="FORMAT", detail=str(trouble)))
    return errors


def check_service_items(
    items: Sequence[ServiceItem], *, at: str = "/service_items", may_be_any: bool = True
) -> list[FieldError]:
    """Return every reason why service items must not be kept; `*` means all of them, where that may be."""
    if len(items) > MAX_SERVICE_ITEMS:
        detail = f"at most {MAX_SERVICE_ITEMS} service items"
        return [FieldError(pointer=at, code="TOO-MANY", detail=detail)]
    errors = []
    seen: set[str] = set()
    for position, item in enumerate(items):
        place = f"{at}/{position}"
        errors += check_text(f"{place}/name", item.name, max_characters=MAX_NAME_CHARACTERS, required=False)
        if item.code != ANY_SERVICE_ITEM or not may_be_any:
            errors += check_text(f"{place}/code", item.code, max_characters=128)
        if item.code in seen:
            errors.append(
                FieldError(pointer=f"{place}/code", code="DUPLICATE", detail="the code occurs twice")
            )
        seen.add(item.code)
    return errors
