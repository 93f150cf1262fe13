"""Second factors: codes of an authenticator (TOTP), and assertions signed with a person's SM2 key.

Source: RFC 6238 (TOTP; SHA-1, 6 digits, 30 seconds, which every authenticator has), RFC 4226 5.3.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES: Final = 20
STEP_S: Final = 30
ISSUER: Final = "Shuzheng"


def draw_totp_secret() -> bytes:
    """Draw a secret to share with an authenticator."""
    return secrets.token_bytes(SECRET_BYTES)


def build_totp_uri(secret: bytes, *, login: str) -> str:
    """Write what authenticators read as a QR code."""
    text = base64.b32encode(secret).decode()
    return f"otpauth://totp/{ISSUER}:{quote(login)}?secret={text}&issuer={ISSUER}&digits=6&period={STEP_S}"


def build_totp_code(secret: bytes, *, step: int) -> str:
    """Compute the code of one step, counted since 1970 in STEP_S seconds."""
    return TOTP(secret, 6, SHA1(), STEP_S).generate(step * STEP_S).decode()  # noqa: S303 - RFC 6238 1.2


def find_totp_step(secret: bytes, code: str, *, at: datetime) -> int | None:
    """Return the step whose code it is: the present one, or one on either side for clocks that are off."""
    present = int(at.timestamp()) // STEP_S
    given = code.encode("utf-8", "surrogateescape")
    steps = (present, present - 1, present + 1)
    right = [step for step in steps if bytes_eq(build_totp_code(secret, step=step).encode(), given)]
    return right[0] if right else None
