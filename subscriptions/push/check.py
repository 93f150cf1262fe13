"""Checks on the addresses of targets, before anything is connected to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from core.errors import FieldError, SchemaViolation
from core.text import check_text
from subscriptions.push.model import TargetKind

MAX_TEXT: Final = 2000
_HOST: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|[0-9A-Fa-f:]{2,45}", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}", re.ASCII)
_FOLDER: Final = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(?:/[A-Za-z0-9][A-Za-z0-9._-]{0,63}){0,7}", re.ASCII
)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_SSL: Final = ("disable", "require", "verify")
_FORMATS: Final = ("parquet", "csv")

# The fields of each kind: name → the value that it has where it is left out; None must be given.
FIELDS: Final[Mapping[TargetKind, Mapping[str, object]]] = {
    TargetKind.WEBHOOK: {"url": None},
    TargetKind.POSTGRESQL: {
        "host": None, "port": 5432, "database": None, "user": None, "schema": "public", "table": None,
        "ssl": "verify",
    },
    TargetKind.MYSQL: {
        "host": None, "port": 3306, "database": None, "user": None, "table": None, "ssl": "verify",
    },
    TargetKind.DIRECTORY: {"folder": None, "format": "parquet"},
    TargetKind.S3: {
        "endpoint": None, "bucket": None, "prefix": "", "secure": True, "access_key": None,
        "format": "parquet",
    },
}  # fmt: skip
NEEDS_SECRET: Final = frozenset({TargetKind.POSTGRESQL, TargetKind.MYSQL, TargetKind.S3})


def check_address(kind: TargetKind, given: Mapping[str, object], *, secret: str | None) -> dict[str, object]:
    """Return a target's address with everything in it. Raises SchemaViolation with every error."""
    fields = FIELDS[kind]
    errors = [
        FieldError(pointer=f"/address/{name[:60]}", code="UNKNOWN", detail=f"a {kind} has no such field")
        for name in given
        if name not in fields
    ]
    address = {name: given.get(name, default) for name, default in fields.items()}
    for name, value in address.items():
        detail = _assess(name, value)
        if detail is not None:
            errors.append(FieldError(pointer=f"/address/{name}", code="VALUE", detail=detail))
    if kind in NEEDS_SECRET and not secret:
        errors.append(FieldError(pointer="/secret", code="MISSING", detail=f"a {kind} needs a secret"))
    if secret is not None:
        errors += check_text("/secret", secret, max_characters=MAX_TEXT)
        if kind is TargetKind.WEBHOOK and not secret.isascii():
            errors.append(FieldError(pointer="/secret", code="VALUE", detail="a bearer token is ASCII"))
    if errors:
        msg = "the target is not described well"
        raise SchemaViolation(msg, errors=tuple(errors))
    return address


def _assess(name: str, value: object) -> str | None:
    """Return what is wrong with a field of an address, or None."""
    if name == "port":
        fits = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 65_535
        return None if fits else "a port is a number from 1 to 65535"
    if name == "secure":
        return None if isinstance(value, bool) else "true or false"
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        return f"text of at most {MAX_TEXT} characters"
    if name == "url":
        return _assess_url(value)
    if name == "endpoint":
        host, _, port = value.rpartition(":")
        fits = bool(_HOST.fullmatch(host or port)) and (not host or port.isdecimal())
        return None if fits else "host or host:port, without a scheme"
    return _assess_text(name, value)


def _assess_text(name: str, value: str) -> str | None:
    if name == "ssl":
        return None if value in _SSL else f"one of {', '.join(_SSL)}"
    if name == "format":
        return None if value in _FORMATS else f"one of {', '.join(_FORMATS)}"
    patterns = {"host": _HOST, "schema": _NAME, "table": _NAME, "folder": _FOLDER, "bucket": _BUCKET}
    if name == "prefix":
        return None if not value or _FOLDER.fullmatch(value) else "folders of letters, digits, . _ -"
    if name in patterns:
        return None if patterns[name].fullmatch(value) else f"this is no {name} that is taken here"
    return None if value and value.isprintable() and len(value) <= 200 else "1 to 200 printable characters"


def _assess_url(value: str) -> str | None:
    try:
        parts = urlsplit(value)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "this is no URL"
    if parts.scheme not in {"https", "http"} or not host or not _HOST.fullmatch(host) or port == 0:
        return "an absolute URL with https and a host name in ASCII"
    if parts.username is not None or parts.password is not None or parts.fragment:
        return "no user name, password or fragment in the URL; a bearer token goes into `secret`"
    return None if value.isascii() and value.isprintable() and " " not in value else "ASCII, percent-encoded"
