"""Pictures inside pages: decoded within bounds and encoded again, so that nothing foreign reaches the SVG."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import Final

from PIL import Image

MAX_PIXELS: Final = 16_000_000
MAX_SIDE: Final = 2400
"""Pictures are drawn down to this many pixels; a preview never shows more."""
_FORMATS: Final = ("PNG", "JPEG", "BMP", "GIF", "TIFF")


def encode_picture(data: bytes) -> str | None:
    """Decode a raster picture and return it as a `data:` location; None where it cannot be drawn."""
    try:
        with Image.open(BytesIO(data), formats=_FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            picture = opened.convert("RGBA" if _may_be_clear(opened) else "RGB")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, MemoryError):
        return None
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    target = BytesIO()
    picture.save(target, "PNG", compress_level=3)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()


def _may_be_clear(picture: Image.Image) -> bool:
    return picture.mode in {"RGBA", "LA", "PA", "P"} or "transparency" in picture.info
