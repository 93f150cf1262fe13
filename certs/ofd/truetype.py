"""Write a TrueType font of a few glyphs, by hand and reproducibly.

A certificate embeds the glyphs that it shows and no others. The tables are those that every reader asks for
(ISO/IEC 14496-22): OS/2 cmap glyf head hhea hmtx loca maxp name post. No hinting, no layout features.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Final

import numpy as np

_HEAD: Final = struct.Struct(">HHIIIHHQQhhhhHHhhh")
_HHEA: Final = struct.Struct(">HHhhhHhhhhhhhhhhhH")
_MAXP: Final = struct.Struct(">IHHHHHHHHHHHHHH")
_METRICS: Final = struct.Struct(">Hh")
_FIGURES: Final = struct.Struct("=10q")
_OS2: Final = struct.Struct(">HhHHHhhhhhhhhhhh10s4I4sHHHhhhHHIIhhHHH")
_BMP_END: Final = 0xFFFF
_CHECKSUM_MAGIC: Final = 0xB1B0AFBA
_WORD: Final = 0xFFFFFFFF
_POST: Final = struct.pack(">IIhhIIIII", 0x00030000, 0, -100, 50, 0, 0, 0, 0, 0)
_FIXED_TIME: Final = 3_786_912_000  # 2024-01-01 in seconds since 1904; the same fonts make the same octets.


@dataclass(frozen=True, slots=True, kw_only=True)
class GlyphOutline:
    """One glyph in font units: its `glyf` record (empty for blanks), box, and counts.

    Fonts are made of the same glyphs many times, so what tables take of one is prepared: `data` is filled up
    to whole words, `metrics` is its record in `hmtx`, and `figures` are the numbers that all glyphs are
    measured by, in the order of `__post_init__`, as octets, so that those of many make a table.
    """

    data: bytes
    advance: int
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    points: int = 0
    contours: int = 0
    metrics: bytes = field(init=False)
    figures: bytes = field(init=False)

    def __post_init__(self) -> None:
        padded = self.data + bytes(-len(self.data) % 4)
        left, foot, right, top = self.box
        figures = _FIGURES.pack(
            *(left, foot, right, top, self.advance, self.advance - right, self.points, self.contours),
            *(len(padded), _add_words(padded)),
        )
        object.__setattr__(self, "data", padded)
        object.__setattr__(self, "metrics", _METRICS.pack(self.advance, left))
        object.__setattr__(self, "figures", figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceMetrics:
    """What the whole face has in common; distances in font units, `descent` below zero."""

    family: str
    weight: int
    units_per_em: int
    ascent: int
    descent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measures:
    """What the tables say of all glyphs together."""

    box: tuple[int, int, int, int]
    widest: int
    mean: int
    least_left: int
    least_right: int
    reach: int
    points: int
    contours: int
    count: int
    lengths: tuple[int, ...]
    checksum: int


def build_truetype(
    metrics: FaceMetrics, notdef: GlyphOutline, codes: Sequence[int], glyphs: Sequence[GlyphOutline]
) -> bytes:
    """Build a font of `notdef` and of `glyphs`, which show `codes`, code points in ascending order."""
    outlines = [notdef, *glyphs]
    measures = _measure(outlines)
    offsets = list(accumulate(measures.lengths, initial=0))
    maxp = _MAXP.pack(
        0x00010000, measures.count, measures.points, measures.contours, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0
    )
    tables = {
        b"OS/2": _os2(metrics, measures, codes),
        b"cmap": _cmap(codes),
        b"glyf": b"".join([each.data for each in outlines]),
        b"head": _head(metrics, measures),
        b"hhea": _hhea(metrics, measures),
        b"hmtx": b"".join([each.metrics for each in outlines]),
        b"loca": struct.pack(f">{len(offsets)}I", *offsets),
        b"maxp": maxp,
        b"name": _name(metrics),
        b"post": _POST,
    }
    known = {b"glyf": measures.checksum, b"name": _name_checksum(metrics), b"post": _POST_CHECKSUM}
    return _assemble(tables, known=known)


def _measure(outlines: list[GlyphOutline]) -> _Measures:
    """Measure all glyphs; blanks have no box, but they have sides."""
    table = np.frombuffer(b"".join([each.figures for each in outlines]), dtype=np.int64).reshape(-1, 10)
    left, foot, _, _, _, gap, _, _, shortest, _ = np.minimum.reduce(table).tolist()
    _, _, right, top, widest, _, points, contours, _, _ = np.maximum.reduce(table).tolist()
    advances, checksum = table[:, 4].sum(), table[:, 9].sum()
    lengths = table[:, 8]
    box = (left, foot, right, top)
    if shortest == 0:
        inked = table[lengths > 0]
        if len(inked):
            box = (*np.minimum.reduce(inked).tolist()[:2], *np.maximum.reduce(inked).tolist()[2:4])
        else:
            box = (0, 0, 0, 0)
    return _Measures(
        box=box,
        widest=widest,
        mean=int(advances) // len(outlines),
        least_left=left,
        least_right=gap,
        reach=right,
        points=points,
        contours=contours,
        count=len(outlines),
        lengths=tuple(lengths.tolist()),
        checksum=int(checksum) & _WORD,
    )


def _head(metrics: FaceMetrics, measures: _Measures) -> bytes:
    style = 1 if metrics.weight >= 600 else 0
    return _HEAD.pack(
        1, 0, 0x00010000, 0, 0x5F0F3CF5, 0x000B, metrics.units_per_em, _FIXED_TIME, _FIXED_TIME,
        *measures.box, style, 8, 2, 1, 0,
    )  # fmt: skip


def _hhea(metrics: FaceMetrics, measures: _Measures) -> bytes:
    return _HHEA.pack(
        1, 0, metrics.ascent, metrics.descent, 0, measures.widest, measures.least_left, measures.least_right,
        measures.reach, 1, 0, 0, 0, 0, 0, 0, 0, measures.count,
    )  # fmt: skip


def _os2(metrics: FaceMetrics, measures: _Measures, codes: Sequence[int]) -> bytes:
    em, box = metrics.units_per_em, measures.box
    first, last = (min(codes[0], _BMP_END), min(codes[-1], _BMP_END)) if codes else (0, 0)
    return _OS2.pack(
        4, measures.mean, metrics.weight, 5, 0,
        em * 65 // 100, em * 6 // 10, 0, em * 75 // 1000, em * 65 // 100, em * 6 // 10, 0, em * 35 // 100,
        em * 5 // 100, em * 26 // 100, 0, bytes(10), 0, 1 << 27, 0, 0, b"    ",
        0x20 if metrics.weight >= 600 else 0x40, first, last,
        metrics.ascent, metrics.descent, 0, max(0, box[3], metrics.ascent), max(0, -box[1], -metrics.descent),
        1 << 18, 0, em // 2, em * 7 // 10, 0, 32, 1,
    )  # fmt: skip


def _cmap(codes: Sequence[int]) -> bytes:
    segments = _segments(codes)
    wide = _format_12(segments)
    narrow = _format_4([each for each in segments if each[1] < _BMP_END])
    header = struct.pack(">HH", 0, 2)
    header += struct.pack(">HHI", 3, 1, 20) + struct.pack(">HHI", 3, 10, 20 + len(narrow))
    return header + narrow + wide


def _segments(codes: Sequence[int]) -> list[tuple[int, int, int]]:
    """Group ascending code points into runs of (first, last, first glyph), never across the BMP's end."""
    runs: list[tuple[int, int, int]] = []
    for glyph, code in enumerate(codes, start=1):
        if runs and code == runs[-1][1] + 1 and code != _BMP_END + 1:
            runs[-1] = (runs[-1][0], code, runs[-1][2])
        else:
            runs.append((code, code, glyph))
    return runs


def _format_4(segments: list[tuple[int, int, int]]) -> bytes:
    count = len(segments) + 1
    power = 1 << (count.bit_length() - 1)
    ends = [last for _, last, _ in segments] + [0xFFFF]
    starts = [first for first, _, _ in segments] + [0xFFFF]
    deltas = [(glyph - first) & 0xFFFF for first, _, glyph in segments] + [1]
    body = struct.pack(">HHHH", count * 2, power * 2, power.bit_length() - 1, (count - power) * 2)
    body += struct.pack(f">{count}HH{count}H{count}H{count}H", *ends, 0, *starts, *deltas, *([0] * count))
    return struct.pack(">HHH", 4, len(body) + 6, 0) + body


def _format_12(segments: list[tuple[int, int, int]]) -> bytes:
    groups = struct.pack(f">{3 * len(segments)}I", *chain.from_iterable(segments))
    return struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(segments)) + groups


@functools.lru_cache(maxsize=64)
def _name(metrics: FaceMetrics) -> bytes:
    style = "Bold" if metrics.weight >= 600 else "Regular"
    postscript = "".join(c for c in metrics.family if c.isascii() and c.isalnum()) or "Font"
    values = {
        1: metrics.family,
        2: style,
        3: f"{postscript}-{style}-{metrics.weight}",
        4: f"{metrics.family} {style}",
        5: "Version 1.000",
        6: f"{postscript}-{style}",
    }
    records, texts = b"", b""
    for number, value in values.items():
        encoded = value.encode("utf-16-be")
        records += struct.pack(">HHHHHH", 3, 1, 0x409, number, len(encoded), len(texts))
        texts += encoded
    return struct.pack(">HHH", 0, len(values), 6 + len(records)) + records + texts


def _assemble(tables: dict[bytes, bytes], *, known: dict[bytes, int]) -> bytes:
    """Put tables together; `known` are checksums of some."""
    count = len(tables)
    power = 1 << (count.bit_length() - 1)
    header = struct.pack(
        ">IHHHH", 0x00010000, count, power * 16, power.bit_length() - 1, (count - power) * 16
    )
    offset = len(header) + 16 * count
    directory, pieces = b"", []
    head_at = total = 0
    for tag in sorted(tables):
        data = tables[tag]
        length = len(data)
        if length % 4:
            data += bytes(-length % 4)
        head_at = offset if tag == b"head" else head_at
        checksum = known[tag] if tag in known else _add_words(data)
        directory += struct.pack(">4sIII", tag, checksum, offset, length)
        pieces.append(data)
        offset, total = offset + len(data), total + checksum
    total += _add_words(header + directory)  # tables are whole words, so their sums make that of the font
    font = bytearray(b"".join((header, directory, *pieces)))
    struct.pack_into(">I", font, head_at + 8, (_CHECKSUM_MAGIC - total) & _WORD)
    return bytes(font)


@functools.lru_cache(maxsize=64)
def _name_checksum(metrics: FaceMetrics) -> int:
    name = _name(metrics)
    return _add_words(name + bytes(-len(name) % 4))


def _add_words(padded: bytes) -> int:
    """Add up 32-bit words, modulo 2 to the 32nd."""
    words: tuple[int, ...] = struct.unpack(f">{len(padded) // 4}I", padded)
    return sum(words) & _WORD


_POST_CHECKSUM: Final = _add_words(_POST)
