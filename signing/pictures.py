"""Check the picture of a seal: known kind, octets of that kind, bounded size, fitting proportions.

Raster pictures are decoded in full, because a verifier will have to draw them. SVG and OFD pictures are
recognised, not rendered. What would make decoding dear is refused before it: too many pixels, the endless
scans of a JPEG bomb, the packed texts of a PNG bomb. Sizes on paper are whole millimetres
(GB/T 38540-2020 6.2, SES_ESPictureInfo).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Final

from PIL import Image

MAX_PICTURE_BYTES: Final = 4 * 1024 * 1024
MAX_PICTURE_PIXELS: Final = 2_250_000
MAX_JPEG_SCANS: Final = 16
MAX_PACKED_CHUNKS: Final = 8
MAX_SIDE_MM: Final = 300

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"\xff\xd8\xff", "JPG"),
    (b"PK\x03\x04", "OFD"),
)
_JPEG_SCAN: Final = b"\xff\xda"
_PACKED_CHUNKS: Final = (b"zTXt", b"iTXt", b"iCCP")
_PILLOW_NAMES: Final = {"PNG": "PNG", "GIF": "GIF", "BMP": "BMP", "JPG": "JPEG", "JPEG": "JPEG"}


class PictureProblem(StrEnum):
    """What can be wrong with the picture of a seal."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    KIND_UNKNOWN = "kind_unknown"
    KIND_MISMATCH = "kind_mismatch"
    UNREADABLE = "unreadable"
    SIZE_INVALID = "size_invalid"
    PROPORTIONS = "proportions"

    @property
    def zh(self) -> str:
        """The problem in Chinese."""
        return _SENTENCES[self][0]

    @property
    def en(self) -> str:
        """The problem in English."""
        return _SENTENCES[self][1]


_SENTENCES: Final = {
    PictureProblem.EMPTY: ("图像为空", "there is no picture"),
    PictureProblem.TOO_LARGE: (
        "图像过大（文件 4 MiB、225 万像素以内）",
        "the picture is too large (at most 4 MiB and 2.25 million pixels)",
    ),
    PictureProblem.KIND_UNKNOWN: (
        "图像类型不是 PNG、GIF、BMP、JPG、SVG、OFD 之一",
        "the kind of picture is none of PNG, GIF, BMP, JPG, SVG, OFD",
    ),
    PictureProblem.KIND_MISMATCH: (
        "图像内容与所标类型不符",
        "the picture is not of the kind that it is said to be",
    ),
    PictureProblem.UNREADABLE: ("图像无法解码", "the picture cannot be decoded"),
    PictureProblem.SIZE_INVALID: (
        "显示宽高应为 1 至 300 毫米",
        "width and height must be 1 to 300 millimetres",
    ),
    PictureProblem.PROPORTIONS: (
        "显示宽高与图像比例不符",
        "width and height in millimetres do not fit the proportions of the picture",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureReport:
    """Facts about one picture: its kind in capitals, its pixels where it is a raster, what is wrong."""

    kind: str
    pixels: tuple[int, int] | None
    problems: tuple[PictureProblem, ...]

    @property
    def is_in_order(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def assess_picture(*, kind: str, data: bytes, width_mm: int, height_mm: int) -> PictureReport:
    """Examine a picture; never raises on bad pictures."""
    name = kind.strip().upper()
    problems: list[PictureProblem] = []
    if not (0 < width_mm <= MAX_SIDE_MM and 0 < height_mm <= MAX_SIDE_MM):
        problems.append(PictureProblem.SIZE_INVALID)
    pixels, problem = _examine(name, data)
    if problem is not None:
        problems.append(problem)
    elif pixels is not None and not problems and not _proportions_fit(pixels, width_mm, height_mm):
        problems.append(PictureProblem.PROPORTIONS)
    return PictureReport(kind=name, pixels=pixels, problems=tuple(problems))


def kind_of(data: bytes) -> str | None:
    """Tell the kind of a picture by how it begins."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "SVG" if b"<svg" in data[:1024] else None


def _examine(name: str, data: bytes) -> tuple[tuple[int, int] | None, PictureProblem | None]:
    if not data:
        return None, PictureProblem.EMPTY
    if len(data) > MAX_PICTURE_BYTES:
        return None, PictureProblem.TOO_LARGE
    if name not in _PILLOW_NAMES and name not in {"SVG", "OFD"}:
        return None, PictureProblem.KIND_UNKNOWN
    if kind_of(data) != ("JPG" if name == "JPEG" else name):
        return None, PictureProblem.KIND_MISMATCH
    if _is_dear(name, data):
        return None, PictureProblem.TOO_LARGE
    return _decode(_PILLOW_NAMES[name], data) if name in _PILLOW_NAMES else (None, None)


def _is_dear(name: str, data: bytes) -> bool:
    """Whether a small file would take long: every scan or packed chunk costs as much as a picture."""
    if name in {"JPG", "JPEG"}:
        return data.count(_JPEG_SCAN) > MAX_JPEG_SCANS
    return name == "PNG" and sum(map(data.count, _PACKED_CHUNKS)) > MAX_PACKED_CHUNKS


def _decode(pillow_name: str, data: bytes) -> tuple[tuple[int, int] | None, PictureProblem | None]:
    try:
        with Image.open(BytesIO(data), formats=(pillow_name,)) as picture:
            size = picture.size
            if size[0] * size[1] > MAX_PICTURE_PIXELS:
                return size, PictureProblem.TOO_LARGE
            picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None, PictureProblem.TOO_LARGE
    except Exception:  # Pillow's decoders raise nearly every type there is on hostile octets.
        return None, PictureProblem.UNREADABLE
    return size, None


def _proportions_fit(pixels: tuple[int, int], width_mm: int, height_mm: int) -> bool:
    """Whether the proportions agree, allowing each side to be rounded by one millimetre."""
    wide, high = pixels
    return (width_mm - 1) * high <= wide * (height_mm + 1) and wide * (height_mm - 1) <= (width_mm + 1) * high
