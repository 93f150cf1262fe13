"""What a code list must be like: every error at once, each with its pointer."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from core.errors import FieldError
from core.text import check_text
from exchange.codes.model import SHIPPED, CodeList

MAX_CODES: Final = 20_000
MAX_TITLE_CHARACTERS: Final = 200
MAX_CODE_CHARACTERS: Final = 60
_NAME: Final = re.compile(r"[a-z][a-z0-9_.]{1,59}")


def check_code_list(held: CodeList) -> list[FieldError]:
    """Check a list that a department sends; return every error."""
    errors = []
    if not _NAME.fullmatch(held.name):
        detail = "a name has 2 to 60 small letters, digits, _ and points, and begins with a letter"
        errors.append(FieldError(pointer="/name", code="FORM", detail=detail))
    elif held.name in SHIPPED:
        detail = "a list of this name comes with the hub; choose another name"
        errors.append(FieldError(pointer="/name", code="SHIPPED", detail=detail))
    errors += check_text("/title", held.title, max_characters=MAX_TITLE_CHARACTERS)
    errors += check_text("/source", held.source, max_characters=MAX_TITLE_CHARACTERS, required=False)
    if not held.codes or len(held.codes) > MAX_CODES:
        errors.append(FieldError(pointer="/codes", code="COUNT", detail=f"a list has 1 to {MAX_CODES} codes"))
        return errors
    counted = Counter(each.code for each in held.codes)
    for place, each in enumerate(held.codes):
        pointer = f"/codes/{place}"
        errors += check_text(f"{pointer}/code", each.code, max_characters=MAX_CODE_CHARACTERS)
        errors += check_text(f"{pointer}/title", each.title, max_characters=MAX_TITLE_CHARACTERS)
        if each.code != each.code.strip():
            detail = "has spaces around it, which no cell of a file keeps"
            errors.append(FieldError(pointer=f"{pointer}/code", code="FORM", detail=detail))
        if counted[each.code] > 1:
            errors.append(
                FieldError(pointer=f"{pointer}/code", code="DUPLICATE", detail="two codes are the same")
            )
    return errors
