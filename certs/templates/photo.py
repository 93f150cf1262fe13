"""Make a photograph ready for its place: decoded within bounds, cropped, scaled, stripped of all else."""

from __future__ import annotations

import base64
import binascii
import struct
from io import BytesIO
from typing import Final

from PIL import ExifTags, Image, ImageOps

from core.errors import FieldError, SchemaViolation

MAX_BYTES: Final = 400_000
MAX_PIXELS: Final = 12_000_000
MIN_SIDE_PX: Final = 60
DOTS_PER_MM: Final = 300 / 25.4
_QUALITY: Final = 88
_UNREADABLE: Final = (
    *(binascii.Error, OSError, ValueError, SyntaxError, Image.DecompressionBombError),
    *(struct.error, TypeError, AttributeError, OverflowError),  # of what a camera is said to have written
)
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What puts a picture upright, by the orientation that its camera wrote (Exif 2.32, 4.6.4)."""


def prepare_photo(encoded: str, *, width_mm: float, height_mm: float, pointer: str) -> bytes:
    """Decode base64 of a JPEG or PNG and return a JPEG of the place's proportions, at most 300 dots per inch.

    What a camera wrote beside the picture (place, time, device) is dropped. Raises SchemaViolation.
    """
    picture = open_photo(encoded, pointer=pointer)
    width, height = round(width_mm * DOTS_PER_MM), round(height_mm * DOTS_PER_MM)
    scale = min(1.0, picture.width / width, picture.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    fitted = ImageOps.fit(picture, size, Image.Resampling.LANCZOS, centering=(0.5, 0.35))
    target = BytesIO()
    fitted.save(target, "JPEG", quality=_QUALITY, subsampling=0)
    return target.getvalue()


def open_photo(encoded: str, *, pointer: str) -> Image.Image:
    """Decode base64 of a photograph, upright and in RGB. Raises SchemaViolation."""
    detail = f"must be base64 of a JPEG or PNG of at most {MAX_BYTES} bytes"
    if len(encoded) > MAX_BYTES * 4 // 3 + 4:
        raise _refuse(pointer, detail)
    try:
        data = base64.b64decode(encoded, validate=True)
        with Image.open(BytesIO(data), formats=("JPEG", "PNG")) as opened:
            if opened.width * opened.height > MAX_PIXELS or min(opened.size) < MIN_SIDE_PX:
                sizes = f"must have {MIN_SIDE_PX} pixels a side or more, {MAX_PIXELS} in all at most"
                raise _refuse(pointer, sizes)
            turn = _TURNS.get(opened.getexif().get(ExifTags.Base.Orientation, 1))
            upright = opened if turn is None else opened.transpose(turn)
            clear = Image.new("RGB", upright.size, (255, 255, 255))
            rgba = upright.convert("RGBA")
            clear.paste(rgba, mask=rgba.getchannel("A"))
            return clear
    except _UNREADABLE as error:
        raise _refuse(pointer, detail) from error


def _refuse(pointer: str, detail: str) -> SchemaViolation:
    msg = "a photograph cannot be used"
    return SchemaViolation(msg, errors=(FieldError(pointer=pointer, code="PHOTO", detail=detail),))
