"""The round seal that is drawn from an organisation's name: its customary parts, its limits."""

from __future__ import annotations

import io
from math import cos, radians, sin

import pytest
from PIL import Image

from certs.ofd.errors import GlyphMissing, TextOverflow
from certs.ofd.font_search import load_fonts
from certs.seal_picture import MAX_CHARACTERS, RED, draw_seal_picture
from core.errors import BadInput
from signing.pictures import assess_picture

NAME = "示例市市场监督管理局"
SIDE_MM = 40


def draw(name: str = NAME, side_mm: int = SIDE_MM, *, line: str = "") -> Image.Image:
    data = draw_seal_picture(name, side_mm, fonts=load_fonts(), line=line)
    return Image.open(io.BytesIO(data)).convert("RGBA")


def ink(picture: Image.Image, box: tuple[float, float, float, float]) -> float:
    """The share of a box that is covered; the box is given in shares of the side."""
    side = picture.width
    part = picture.getchannel("A").crop(tuple(round(each * side) for each in box))  # type: ignore[arg-type]
    histogram = part.histogram()
    return sum(histogram[128:]) / (part.width * part.height)


def arc_ink(picture: Image.Image, degrees: float) -> float:
    """The ink where a character of the name would stand, so many degrees from the top."""
    x, y = 0.5 + 0.37 * sin(radians(degrees)), 0.5 - 0.37 * cos(radians(degrees))
    return ink(picture, (x - 0.05, y - 0.05, x + 0.05, y + 0.05))


def test_seal_has_a_ring_a_star_and_the_name_above_on_nothing() -> None:
    picture = draw()
    assert picture.width == picture.height == 472  # 40 mm at 300 dots per inch
    assert picture.getpixel((picture.width // 2, picture.height // 2)) == (*RED, 255)
    assert ink(picture, (0.49, 0.01, 0.51, 0.035)) > 0.9, "the ring"
    assert all(ink(picture, corner) == 0 for corner in ((0, 0, 0.1, 0.1), (0.9, 0.9, 1, 1))), "the corners"
    assert all(arc_ink(picture, degrees) > 0.1 for degrees in (-108, -12, 12, 108)), "ten characters"
    assert ink(picture, (0.4, 0.78, 0.6, 0.9)) == 0, "the foot stays open"


def test_seal_shows_a_line_below_the_star_where_one_is_wanted() -> None:
    below = (0.3, 0.69, 0.7, 0.78)
    assert ink(draw(), below) == 0
    assert ink(draw(line="审批专用章"), below) > 0.1


def test_seal_is_the_same_octets_every_time_and_fit_for_a_seal() -> None:
    data = draw_seal_picture(NAME, SIDE_MM, fonts=load_fonts())
    assert data == draw_seal_picture(NAME, SIDE_MM, fonts=load_fonts())
    report = assess_picture(kind="PNG", data=data, width_mm=SIDE_MM, height_mm=SIDE_MM)
    assert report.is_in_order, report.problems


def test_seal_is_one_red_in_grades_and_takes_little_room_in_every_file() -> None:
    picture = draw()
    red, green, blue, cover = (band.getextrema() for band in picture.split())
    assert (red, green, blue) == tuple((each, each) for each in RED), "what is transparent is red as well"
    assert cover == (0, 255)
    assert len(set(picture.getchannel("A").tobytes())) == 16, "edges are smooth"
    assert len(draw_seal_picture(NAME, SIDE_MM, fonts=load_fonts())) < 16_000


@pytest.mark.parametrize("length", [1, 2, 12, MAX_CHARACTERS])
def test_seal_of_a_name_of_any_length_keeps_its_foot_open_and_its_star_free(length: int) -> None:
    picture = draw((NAME * 5)[:length])
    assert ink(picture, (0.42, 0.8, 0.58, 0.9)) == 0
    assert ink(picture, (0.3, 0.62, 0.36, 0.68)) == 0


@pytest.mark.parametrize(
    ("name", "side_mm", "line", "error"),
    [
        ("", 40, "", BadInput),
        (" \t", 40, "", BadInput),
        (NAME, 19, "", BadInput),
        (NAME, 81, "", BadInput),
        ("市" * (MAX_CHARACTERS + 1), 40, "", TextOverflow),
        (NAME, 40, "章" * 30, TextOverflow),
        ("\U0001f600", 40, "", GlyphMissing),
    ],
)
def test_seal_that_cannot_be_drawn_is_refused(
    name: str, side_mm: int, line: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        draw_seal_picture(name, side_mm, fonts=load_fonts(), line=line)
