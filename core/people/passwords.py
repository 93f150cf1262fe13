"""What a password must be, and one drawn for a first sign-in.

GB/T 22239-2019 8.1.4.1 asks for identities whose proofs are complex and are changed; the figures are ours.
"""

from __future__ import annotations

import secrets
import unicodedata
from typing import Final

from core.errors import FieldError, SchemaViolation

MIN_CHARACTERS: Final = 12
MAX_CHARACTERS: Final = 128
MIN_KINDS: Final = 3
INITIAL_BYTES: Final = 12


def draw_password() -> str:
    """Draw an initial password; whoever gets it must change it before the first sign-in."""
    return secrets.token_urlsafe(INITIAL_BYTES)


def require_password(password: str, *, login: str, former: str) -> None:
    """Raise SchemaViolation, naming everything that a new password lacks."""
    wrong = []
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        wrong.append(("LENGTH", f"a password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters"))
    if len({_kind(character) for character in password}) < MIN_KINDS:
        detail = f"use {MIN_KINDS} of: small letters, capital letters, digits, other characters"
        wrong.append(("KINDS", detail))
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in password):
        wrong.append(("CONTROL-CHARACTER", "holds control characters; leave them out"))
    if login in password.lower():
        wrong.append(("LOGIN", "must not hold the login"))
    if password == former:
        wrong.append(("FORMER", "must not be the former one"))
    if wrong:
        msg = "the new password is not all right"
        errors = tuple(FieldError(pointer="/new_password", code=code, detail=text) for code, text in wrong)
        raise SchemaViolation(msg, errors=errors)


def _kind(character: str) -> str:
    if character.isdigit():
        return "digit"
    return "small" if character.islower() else "capital" if character.isupper() else "other"
