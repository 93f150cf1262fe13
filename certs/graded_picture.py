"""Write a picture of one colour that covers its points more or less, as a PNG (ISO/IEC 15948 11.3.2).

Sixteen grades of cover are a palette of four bits a point. In full colours with 256 grades, which nobody can
tell from these, a picture of thin lines would be four times as many octets.
"""

from __future__ import annotations

from io import BytesIO
from typing import Final

from PIL import Image

_GRADES: Final = 16
OPAQUE: Final = 255


def write_graded_png(
    cover: Image.Image,
    colour: tuple[int, int, int],
    *,
    dots_per_inch: int,
    opacity: int = OPAQUE,
    compress_level: int = 9,
) -> bytes:
    """Write the cover of each point (mode L, 0 to 255) by `colour`; 255 is covered by `opacity` of 255.

    The same cover makes the same octets. `compress_level` is zlib's: 9 takes five times as long as 6, for a
    few hundredths less.
    """
    steps = _GRADES - 1
    graded = cover.point(lambda value: round(value * steps / OPAQUE))
    picture = Image.frombytes("P", cover.size, graded.tobytes())
    picture.putpalette(colour * _GRADES)
    grades = bytes(round(opacity * grade / steps) for grade in range(_GRADES))
    target = BytesIO()
    picture.save(
        target,
        "PNG",
        dpi=(dots_per_inch, dots_per_inch),
        bits=4,
        transparency=grades,
        optimize=False,
        compress_level=compress_level,
    )
    return target.getvalue()
