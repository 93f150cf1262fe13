"""Seals that others made, where the shared folder is at hand; and small pieces for seals of our own."""

from __future__ import annotations

import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from signing.seals.model import (
    CertificateDigest,
    CertListType,
    SealHeader,
    SealPicture,
    SealProperty,
)

SAMPLES = Path(__file__).resolve().parents[4].parent / "shared" / "samples"
CREATED = datetime(2026, 3, 1, 8, 0, 0, tzinfo=UTC)
UNTIL = datetime(2031, 3, 1, 8, 0, 0, tzinfo=UTC)


def sample(name: str) -> bytes:
    """Read a shared sample; skip the test by name where it is absent."""
    path = SAMPLES / name
    if not path.is_file():
        pytest.skip(f"shared sample {name} is not at hand")
    return path.read_bytes()


def sample_part(name: str, part: str) -> bytes:
    """Read one file out of a sample package."""
    with zipfile.ZipFile(BytesIO(sample(name))) as package:
        return package.read(part)


def png(side: int = 80) -> bytes:
    """Draw a plain square picture."""
    target = BytesIO()
    Image.new("RGB", (side, side), (220, 20, 20)).save(target, "PNG")
    return target.getvalue()


def header(version: int = 4) -> SealHeader:
    """Give a header as our makers write it."""
    return SealHeader(mark="ES", version=version, vendor_id="ShuZheng")


def picture() -> SealPicture:
    """Give a picture that fits its size."""
    return SealPicture(type="PNG", data=png(), width_mm=40, height_mm=40)


def properties(
    *, certificates: tuple[bytes, ...] = (b"certificate",), digests: tuple[CertificateDigest, ...] = ()
) -> SealProperty:
    """Give properties with a list of either kind."""
    return SealProperty(
        type=1,
        name="临江市发展和改革局电子印章",
        list_type=CertListType.DIGESTS if digests else CertListType.CERTIFICATES,
        certificates=() if digests else certificates,
        digests=digests,
        created_at=CREATED,
        valid_from=CREATED,
        valid_until=UNTIL,
    )
