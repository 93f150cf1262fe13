"""PEM armour (RFC 7468) around DER."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from signing.errors import DecodeError

CERTIFICATE: Final = "CERTIFICATE"
CERTIFICATE_REQUEST: Final = "CERTIFICATE REQUEST"
CRL: Final = "X509 CRL"
PKCS7: Final = "PKCS7"

_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n([A-Za-z0-9+/=\s]*)-----END \1-----")


def build_pem(label: str, der: bytes) -> str:
    """Wrap `der` in PEM armour, 64 characters to a line."""
    text = base64.b64encode(der).decode("ascii")
    lines = "\n".join(text[i : i + 64] for i in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def parse_pem(data: bytes | str, *labels: str) -> tuple[bytes, ...]:
    """Return the DER of every block that bears one of `labels`, in order; none at all is an error.

    Text outside the blocks and blocks with other labels are passed over. Raises DecodeError.
    """
    octets = data.encode("utf-8", "replace") if isinstance(data, str) else data
    found = [
        _decode_base64(match[2]) for match in _BLOCK.finditer(octets) if match[1].decode("ascii") in labels
    ]
    if not found:
        message = f"no PEM block of the kind {' or '.join(labels)} was found"
        raise DecodeError(message)
    return tuple(found)


def _decode_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        message = "a PEM block is not valid base64"
        raise DecodeError(message) from error


def der_or_pem(data: bytes, *labels: str) -> bytes:
    """Return `data` itself when it is DER, the first PEM block with one of `labels` otherwise."""
    return data if data[:1] == b"\x30" else parse_pem(data, *labels)[0]
