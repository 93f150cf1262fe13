"""What a resource's description must be like: every error at once, each with its pointer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from core.database.names import check_item_name, check_resource_code
from core.errors import BadInput, FieldError
from core.text import check_text
from exchange.catalogue.formats import parse_format
from exchange.catalogue.metadata import NATIONAL_SCHEME, Metadata, is_classification
from exchange.catalogue.model import Item, Resource, ShareType

MAX_ITEMS = 500
MAX_TITLE_CHARACTERS = 200
MAX_SUMMARY_CHARACTERS = 2000
MAX_LINE_CHARACTERS = 500
MAX_ENTRIES = 50
_LINES = (
    "title_en",
    "format_type",
    "open_condition",
    "office",
    "business",
    "data_range",
    "source_system",
    "legal_basis",
    "contact_name",
    "contact_phone",
)
_LISTS = ("aliases", "labels", "related_codes")


def check_resource(resource: Resource) -> list[FieldError]:
    """Check a description; return every error, each with a pointer into the request body.

    An item whose code list the hub does not know has no codes, which is an error.
    """
    errors = _check(check_resource_code, "/code", resource.code)
    errors += check_text("/title", resource.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += check_text("/summary", resource.summary, max_characters=MAX_SUMMARY_CHARACTERS, required=False)
    if not resource.items or len(resource.items) > MAX_ITEMS:
        errors.append(_error("/items", "COUNT", f"a resource has 1 to {MAX_ITEMS} items"))
    elif not resource.key_items:
        errors.append(_error("/items", "NO-KEY", "at least one item must be a key (is_key)"))
    counted = Counter(item.name.lower() for item in resource.items)
    for position, item in enumerate(resource.items):
        pointer = f"/items/{position}"
        errors += _check_item(pointer, item)
        if counted[item.name.lower()] > 1:
            errors.append(_error(f"{pointer}/name", "DUPLICATE", "two items have this name (but for case)"))
    return errors + _check_external_codes(resource) + _check_metadata(resource.metadata, resource.code)


def _check_external_codes(resource: Resource) -> list[FieldError]:
    errors = []
    if len(resource.external_codes) > MAX_ENTRIES:
        errors.append(_error("/external_codes", "COUNT", f"at most {MAX_ENTRIES} schemes"))
    for scheme, code in resource.external_codes.items():
        errors += check_text("/external_codes", scheme, max_characters=60)
        errors += check_text("/external_codes", code, max_characters=120)
        if "=" in scheme:
            errors.append(_error("/external_codes", "FORM", "the name of a scheme has no ="))
        if scheme == NATIONAL_SCHEME and not is_classification(code.partition("/")[0]):
            detail = "a national code is 类 (1 digit) 项 (2) 目 (3) 细目 (any), then / and a sequence number"
            errors.append(_error("/external_codes/national", "FORM", detail))
    return errors


def _check_metadata(metadata: Metadata, own_code: str) -> list[FieldError]:
    errors = []
    for name in _LINES:
        pointer = f"/metadata/{name}"
        errors += check_text(
            pointer, getattr(metadata, name), max_characters=MAX_LINE_CHARACTERS, required=False
        )
    for name in _LISTS:
        entries = getattr(metadata, name)
        if len(entries) > MAX_ENTRIES:
            errors.append(_error(f"/metadata/{name}", "COUNT", f"at most {MAX_ENTRIES} entries"))
        for position, entry in enumerate(entries):
            errors += check_text(f"/metadata/{name}/{position}", entry, max_characters=MAX_TITLE_CHARACTERS)
    if own_code in metadata.related_codes:
        errors.append(_error("/metadata/related_codes", "CYCLE", "a resource is not related to itself"))
    if len(metadata.classification_titles) > 4:
        detail = "a classification has four levels: 类, 项, 目, 细目"
        errors.append(_error("/metadata/classification_titles", "COUNT", detail))
    for position, title in enumerate(metadata.classification_titles):
        pointer = f"/metadata/classification_titles/{position}"
        errors += check_text(pointer, title, max_characters=MAX_TITLE_CHARACTERS)
    if metadata.classification_code and not is_classification(metadata.classification_code):
        detail = "a classification code has a digit for 类, two for 项, three for 目, then those of the 细目"
        errors.append(_error("/metadata/classification_code", "FORM", detail))
    return errors


def _check_item(pointer: str, item: Item) -> list[FieldError]:
    errors = _check(check_item_name, f"{pointer}/name", item.name)
    errors += check_text(f"{pointer}/title", item.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += _check(parse_format, f"{pointer}/format", item.format)
    if item.code_list is not None and not item.codes:
        detail = "not a code list of this hub; GET /v1/code-lists names them, POST registers one"
        errors.append(_error(f"{pointer}/code_list", "UNKNOWN", detail))
    if item.share_type is ShareType.NOT_SHARED and not item.share_basis.strip():
        errors.append(_error(f"{pointer}/share_basis", "BLANK", "an item not shared names its legal basis"))
    if item.share_type is not ShareType.UNCONDITIONAL and item.is_open:
        detail = "an item that is open to society is shared unconditionally"
        errors.append(_error(f"{pointer}/is_open", "SHARE-TYPE", detail))
    for name in ("share_basis", "title_en", "description", "source_system", "source_item"):
        text = getattr(item, name)
        errors += check_text(f"{pointer}/{name}", text, max_characters=MAX_LINE_CHARACTERS, required=False)
    if item.element is not None:
        errors += check_text(f"{pointer}/element", item.element, max_characters=60)
    return errors


def _check(rule: Callable[[str], object], pointer: str, value: str) -> list[FieldError]:
    try:
        rule(value)
    except BadInput as error:
        return [_error(pointer, "FORM", error.detail)]
    return []


def _error(pointer: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=pointer, code=code, detail=detail)
