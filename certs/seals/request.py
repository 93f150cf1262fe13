"""A seal that is asked for, and everything that may be wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from core.caller import OrganisationCode
from core.errors import FieldError
from core.text import check_text
from signing.errors import ShuzhengError
from signing.pictures import MAX_SIDE_MM, assess_picture
from signing.seals.model import PictureType, SealVersion
from signing.x509.certificate import Certificate

MAX_NAME_CHARACTERS: Final = 100
MAX_YEARS: Final = 5
DEFAULT_YEARS: Final = 3
DEFAULT_SIDE_MM: Final = 42
MAX_SIGNERS: Final = 20
VERSIONS: Final = frozenset({SealVersion.V4, SealVersion.V5})


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    """A seal to register. `picture` None has a round seal drawn from the name; sides are millimetres.

    `signers` are further certificates (DER) that may sign with the seal, beside the one that the hub keeps
    for it; `version` is 4 (GB/T 38540-2020) or 5 (GM/T 0031-2025).
    """

    organisation_code: OrganisationCode
    name: str
    kind: int = 1
    picture: bytes | None = field(default=None, repr=False)
    width_mm: int = DEFAULT_SIDE_MM
    height_mm: int = DEFAULT_SIDE_MM
    years: int = DEFAULT_YEARS
    signers: tuple[bytes, ...] = field(default=(), repr=False)
    version: int = SealVersion.V4


def check_request(request: SealRequest) -> list[FieldError]:
    """Return every reason why the seal cannot be made; decodes the picture, so call it off the event loop."""
    errors = check_text("/name", request.name, max_characters=MAX_NAME_CHARACTERS)
    if not errors and not (request.name.isprintable() and request.name == request.name.strip()):
        detail = "must be printable and have no outer blanks"
        errors.append(FieldError(pointer="/name", code="TEXT", detail=detail))
    if not re.fullmatch(r"[1-9][0-9]?", str(request.kind)):
        errors.append(FieldError(pointer="/kind", code="RANGE", detail="must be 1 to 99"))
    if not 1 <= request.years <= MAX_YEARS:
        errors.append(FieldError(pointer="/years", code="RANGE", detail=f"must be 1 to {MAX_YEARS}"))
    if request.version not in VERSIONS:
        errors.append(FieldError(pointer="/version", code="RANGE", detail="must be 4 or 5"))
    return errors + _check_picture(request) + _check_signers(request)


def _check_picture(request: SealRequest) -> list[FieldError]:
    if request.picture is None:
        if request.width_mm == request.height_mm and 20 <= request.width_mm <= 60:
            return []
        detail = "a drawn seal is round, 20 to 60 mm across; give a picture for other sizes"
        return [FieldError(pointer="/width_mm", code="RANGE", detail=detail)]
    if not (1 <= request.width_mm <= MAX_SIDE_MM and 1 <= request.height_mm <= MAX_SIDE_MM):
        detail = f"sides are 1 to {MAX_SIDE_MM} mm"
        return [FieldError(pointer="/width_mm", code="RANGE", detail=detail)]
    report = assess_picture(
        kind=PictureType.PNG,
        data=request.picture,
        width_mm=request.width_mm,
        height_mm=request.height_mm,
    )
    return [FieldError(pointer="/picture", code="PICTURE", detail=problem.en) for problem in report.problems]


def _check_signers(request: SealRequest) -> list[FieldError]:
    if len(request.signers) > MAX_SIGNERS:
        detail = f"a seal lists at most {MAX_SIGNERS} further signers"
        return [FieldError(pointer="/signers", code="RANGE", detail=detail)]
    errors = []
    for number, der in enumerate(request.signers):
        try:
            Certificate.parse(der).require_key()
        except ShuzhengError as trouble:
            errors.append(FieldError(pointer=f"/signers/{number}", code="CERTIFICATE", detail=trouble.detail))
    return errors
