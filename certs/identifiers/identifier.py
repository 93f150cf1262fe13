"""The identifier as a value: built strictly, parsed strictly or leniently."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from certs.identifiers.check import CheckStatus, assess_check, compute_check_character
from core.codes import credit
from core.errors import BadInput, FieldError, SchemaViolation

ROOT: Final = "1.2.156.3005.2"
MAX_CHARACTERS: Final = 128
MAX_SERIAL_CHARACTERS: Final = 64
MAX_VERSION: Final = 999

_STRICT: Final = re.compile(
    r"(?P<root>1\.2\.156\.3005\.2)\.(?P<type>[0-9A-Z]{21})\.(?P<issuer>[0-9A-Z]{18})"
    r"\.(?P<serial>[0-9A-Z]{1,64})\.(?P<version>[0-9]{3})\.(?P<check>[0-9A-Z])"
)
_LENIENT: Final = re.compile(
    r"(?P<root>1\.2\.156\.300[35]\.2)\.(?P<type>[0-9A-Z]{21})\.(?P<issuer>[0-9A-Z]{6,21})"
    r"\.(?P<serial>[0-9A-Z]{1,64})\.(?P<version>[0-9]{2,3})\.(?P<check>[0-9A-Z])"
)


class IdentifierInvalid(BadInput):
    """Text that is not an identifier after GB/T 36904, or whose check character is wrong."""

    code = "CERT-IDENTIFIER-INVALID"
    title = "Certificate identifier invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One identifier, part by part, as it was written.

    `type_code` is the code of the certificate type (defining body's credit code and three digits),
    `issuer_code` the issuing body's; `version` has its leading zeros (`001`).
    """

    type_code: str
    issuer_code: str
    serial: str
    version: str
    check: str
    root: str = ROOT

    def __str__(self) -> str:
        return f"{self.root}.{self.type_code}.{self.issuer_code}.{self.serial}.{self.version}.{self.check}"

    @property
    def body(self) -> str:
        """What the check character is computed over."""
        return self.type_code + self.issuer_code + self.serial + self.version

    @property
    def check_status(self) -> CheckStatus:
        """What the check character is worth."""
        return assess_check(self.body, self.check)

    @property
    def version_number(self) -> int:
        """The version as a number, 1 for a first issue."""
        return int(self.version)


def build_identifier(*, type_code: str, issuer_code: str, serial: str, version: int) -> Identifier:
    """Build the identifier of a new certificate, with the right check character.

    Raises SchemaViolation naming every part that GB/T 36904 does not allow: the type code is a credit
    code and three digits, the issuer a credit code (GB 32100), the serial 1 to 64 characters of
    `0-9A-Z`, the version 1 to 999.
    """
    errors = [
        *_check_type_code(type_code),
        *_check_part("/issuer_code", credit.is_check_valid(issuer_code), "not a unified social credit code"),
        *_check_part(
            "/serial",
            re.fullmatch(r"[0-9A-Z]{1,64}", serial) is not None,
            "a serial has 1 to 64 characters of 0-9 A-Z",
        ),
        *_check_part("/version", 1 <= version <= MAX_VERSION, "a version is a number from 1 to 999"),
    ]
    if errors:
        msg = "no identifier can be built from these parts"
        raise SchemaViolation(msg, errors=tuple(errors))
    number = f"{version:03d}"
    check = compute_check_character(type_code + issuer_code + serial + number)
    return Identifier(
        type_code=type_code, issuer_code=issuer_code, serial=serial, version=number, check=check
    )


def parse_identifier(text: str, *, lenient: bool = False) -> Identifier:
    """Parse an identifier. Raises IdentifierInvalid.

    Strict: the form of GB/T 36904 and the right check character. Lenient, for what partners hand in: also
    the root `…3003.2`, issuers that are division codes and two-digit versions, small letters, blanks around,
    and any check character; look at `check_status`, and keep it as a mark of data quality.
    """
    if len(text) > MAX_CHARACTERS:
        msg = f"a certificate identifier has at most {MAX_CHARACTERS} characters"
        raise IdentifierInvalid(msg)
    match = _LENIENT.fullmatch(text.strip().upper()) if lenient else _STRICT.fullmatch(text)
    if match is None:
        msg = (
            "not a certificate identifier (GB/T 36904): "
            "1.2.156.3005.2.<type, 21>.<issuer, 18>.<serial>.<version, 3 digits>.<check>"
        )
        raise IdentifierInvalid(msg)
    identifier = Identifier(
        type_code=match["type"],
        issuer_code=match["issuer"],
        serial=match["serial"],
        version=match["version"],
        check=match["check"],
        root=match["root"],
    )
    if not lenient and identifier.check_status is not CheckStatus.OK:
        msg = "the check character of the certificate identifier is wrong; look for a slip of the pen"
        raise IdentifierInvalid(msg)
    return identifier


def is_type_code(code: str) -> bool:
    """Tell whether `code` is a credit code with a right check character and three digits."""
    tail = code[18:]
    return len(tail) == 3 and tail.isascii() and tail.isdigit() and credit.is_check_valid(code[:18])


def _check_type_code(code: str) -> list[FieldError]:
    return _check_part(
        "/type_code", is_type_code(code), "a type code is the defining body's credit code and three digits"
    )


def _check_part(pointer: str, right: bool, detail: str) -> list[FieldError]:
    return [] if right else [FieldError(pointer=pointer, code="IDENTIFIER-PART", detail=detail)]
