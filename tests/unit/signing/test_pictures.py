"""Seal pictures: kinds, magic, limits and proportions."""

from __future__ import annotations

import os
import random
import warnings
import zlib
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from signing.pictures import PictureProblem, assess_picture, kind_of

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))


def picture(kind: str = "PNG", size: tuple[int, int] = (80, 80), mode: str = "RGB") -> bytes:
    target = BytesIO()
    Image.new(mode, size, 1).save(target, kind)
    return target.getvalue()


@pytest.mark.parametrize(
    ("kind", "pillow"),
    [("PNG", "PNG"), ("png", "PNG"), ("GIF", "GIF"), ("BMP", "BMP"), ("JPG", "JPEG"), ("jpeg", "JPEG")],
)
def test_picture_of_each_raster_kind_is_in_order(kind: str, pillow: str) -> None:
    report = assess_picture(kind=kind, data=picture(pillow), width_mm=40, height_mm=40)
    assert report.is_in_order
    assert report.pixels == (80, 80)


@pytest.mark.parametrize(
    ("kind", "data"), [("SVG", b'<?xml version="1.0"?><svg/>'), ("ofd", b"PK\x03\x04 and so on")]
)
def test_picture_that_is_not_a_raster_is_recognised_by_how_it_begins(kind: str, data: bytes) -> None:
    report = assess_picture(kind=kind, data=data, width_mm=40, height_mm=30)
    assert report.is_in_order
    assert report.pixels is None


@pytest.mark.parametrize(
    ("kind", "data", "problem"),
    [
        ("PNG", b"", PictureProblem.EMPTY),
        ("PNG", picture("GIF"), PictureProblem.KIND_MISMATCH),
        ("TIFF", b"II*\x00", PictureProblem.KIND_UNKNOWN),
        ("PNG", picture()[:-40], PictureProblem.UNREADABLE),
        ("PNG", picture(size=(2100, 2100), mode="1"), PictureProblem.TOO_LARGE),
        ("PNG", b"\x89PNG\r\n\x1a\n" + bytes(5_000_000), PictureProblem.TOO_LARGE),
    ],
)
def test_picture_that_is_not_in_order_is_named_so(kind: str, data: bytes, problem: PictureProblem) -> None:
    report = assess_picture(kind=kind, data=data, width_mm=40, height_mm=40)
    assert report.problems == (problem,)
    assert problem.zh
    assert problem.en


@pytest.mark.parametrize(("width", "height"), [(0, 40), (40, -1), (301, 301)])
def test_picture_with_an_impossible_size_on_paper_is_named_so(width: int, height: int) -> None:
    report = assess_picture(kind="PNG", data=picture(), width_mm=width, height_mm=height)
    assert report.problems == (PictureProblem.SIZE_INVALID,)


@pytest.mark.parametrize(
    ("pixels", "millimetres", "fits"),
    [((400, 267), (45, 30), True), ((400, 400), (45, 30), False), ((10, 10), (1, 1), True)],
)
def test_picture_proportions_allow_rounding_to_a_millimetre(
    pixels: tuple[int, int], millimetres: tuple[int, int], fits: bool
) -> None:
    report = assess_picture(
        kind="PNG", data=picture(size=pixels), width_mm=millimetres[0], height_mm=millimetres[1]
    )
    assert (PictureProblem.PROPORTIONS not in report.problems) is fits


@pytest.mark.parametrize("side", [2_000, 10_000, 60_000])
@pytest.mark.parametrize("action", ["ignore", "error"])
def test_picture_with_an_enormous_claimed_size_is_too_large_and_not_decoded(side: int, action: Any) -> None:
    """Pillow passes the first, warns of the second and refuses the third: all are the same to a reader."""
    header = bytearray(picture())
    header[16:24] = side.to_bytes(4, "big") * 2
    header[29:33] = zlib.crc32(header[12:29]).to_bytes(4, "big")
    with warnings.catch_warnings():
        warnings.simplefilter(action)
        report = assess_picture(kind="PNG", data=bytes(header), width_mm=40, height_mm=40)
    assert report.problems == (PictureProblem.TOO_LARGE,)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "JPEG"])
def test_picture_with_flipped_octets_never_raises(kind: str) -> None:
    chance = random.Random(7)
    whole = picture(kind, (24, 24))
    for _ in range(FUZZ_CASES // 4):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        assess_picture(kind=kind, data=bytes(data), width_mm=24, height_mm=24)


def test_kind_of_octets_that_are_no_picture_is_none() -> None:
    assert kind_of(b"plain text") is None
