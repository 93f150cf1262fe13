"""Checks on free text from outside, for every field that becomes a name or a title."""

from __future__ import annotations

import unicodedata

from core.errors import FieldError


def check_text(pointer: str, text: str, *, max_characters: int, required: bool = True) -> list[FieldError]:
    """Check one line of text: not blank, at most `max_characters`, no control characters, no lone surrogates.

    Emoji, rare Han characters and quotes are text like any other. Returns the errors, each at `pointer`.
    """
    errors = []
    if required and not text.strip():
        errors.append(FieldError(pointer=pointer, code="BLANK", detail="must not be blank"))
    if len(text) > max_characters:
        detail = f"has {len(text)} characters; at most {max_characters} are kept"
        errors.append(FieldError(pointer=pointer, code="TOO-LONG", detail=detail))
    if not text.isprintable() and any(unicodedata.category(each) in {"Cc", "Cs"} for each in text):
        detail = "holds control characters (such as NUL or a line end); leave them out"
        errors.append(FieldError(pointer=pointer, code="CONTROL-CHARACTER", detail=detail))
    return errors
