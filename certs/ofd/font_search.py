"""Look for Chinese fonts: where systems keep them, else in the wheels that the extra `font` installs.

Two kinds are wanted, as in Chinese print: `song` (宋体, with serifs) for what is filled in, `hei` (黑体)
for headings and labels. Where one is not to be had the other stands in. Every font in the folder that
SHUZHENG_FONT_FOLDER names stands in for rare characters.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTLibError

from certs.ofd.errors import FontMissing
from certs.ofd.font_chain import FontChain
from certs.ofd.fonts import BOLD, REGULAR, FontFace, open_font

FOLDER_VARIABLE: Final = "SHUZHENG_FONT_FOLDER"
"""Names a folder of fonts that is looked into before all others."""

_SYSTEM_FOLDERS: Final = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.local/share/fonts",
    "~/.fonts",
    "/System/Library/Fonts",
    "/Library/Fonts",
    "~/Library/Fonts",
    "C:/Windows/Fonts",
)
_WHEELS: Final = (("pylopdf_fonts_zh_cn", ""), ("justmytype_intl_cjk", "fonts"))
"""Packages that hold fonts, and where in them."""
_PROBE: Final = "营业执照统一社会信用代码年月日0123456789ABC（），。"
_SUFFIXES: Final = frozenset({".ttf", ".otf", ".ttc", ".otc"})
_MAX_RARE: Final = 20


class FontKind(StrEnum):
    """Kinds of Chinese letters."""

    SONG = "song"
    HEI = "hei"


_SONG_NAMES: Final = (
    "NotoSerifCJK-Regular.ttc",
    "NotoSerifCJKsc-Regular.otf",
    "NotoSerifSC-Regular.otf",
    "NotoSerifSC*.ttf",
    "SourceHanSerif*-Regular.*",
    "simsun.ttc",
    "Songti.ttc",
    "uming.ttc",
)
_HEI_NAMES: Final = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.*",
    "NotoSansSC*.ttf",
    "SourceHanSans*-Regular.*",
    "PingFang.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallback*.ttf",
)
_SONG_BOLD_NAMES: Final = (
    "NotoSerifCJK-Bold.ttc",
    "NotoSerifCJKsc-Bold.otf",
    "NotoSerifSC-Bold.otf",
    "NotoSerifSC*.ttf",
    "SourceHanSerif*-Bold.*",
)
_HEI_BOLD_NAMES: Final = (
    "NotoSansCJK-Bold.ttc",
    "NotoSansCJKsc-Bold.otf",
    "NotoSansSC-Bold.*",
    "NotoSansSC*.ttf",
    "SourceHanSans*-Bold.*",
    "simhei.ttf",
)
NAMES: Final[Mapping[tuple[FontKind, int], Sequence[str]]] = {
    (FontKind.SONG, REGULAR): (*_SONG_NAMES, *_HEI_NAMES),
    (FontKind.HEI, REGULAR): (*_HEI_NAMES, *_SONG_NAMES),
    (FontKind.SONG, BOLD): (*_SONG_BOLD_NAMES, *_HEI_BOLD_NAMES, *_SONG_NAMES, *_HEI_NAMES),
    (FontKind.HEI, BOLD): (*_HEI_BOLD_NAMES, *_SONG_BOLD_NAMES, *_HEI_NAMES, *_SONG_NAMES),
}
"""File names by kind and weight, the most wanted first."""


class FontShelf:
    """The faces that documents are set in, opened once. Safe to share between threads.

    `faces` by kind and weight; what is not given is stood in for. `rare` are looked into last.
    """

    def __init__(
        self,
        *,
        regular: FontFace,
        bold: FontFace,
        faces: Mapping[tuple[FontKind, int], FontFace] | None = None,
        rare: Sequence[FontFace] = (),
    ) -> None:
        given = faces or {}
        self._faces = {
            (kind, weight): given.get((kind, weight), bold if weight == BOLD else regular)
            for kind in FontKind
            for weight in (REGULAR, BOLD)
        }
        everything = [*self._faces.values(), *rare]
        self._chains = {
            place: FontChain([face, *(other for other in everything if other is not face)])
            for place, face in self._faces.items()
        }

    def face(self, weight: int, kind: FontKind = FontKind.SONG) -> FontFace:
        """Return the face for a weight: bold from 600 up."""
        return self._faces[kind, BOLD if weight >= 600 else REGULAR]

    def chain(self, weight: int, kind: FontKind = FontKind.SONG) -> FontChain:
        """Return the face for a weight, with every other as its stand-in."""
        return self._chains[kind, BOLD if weight >= 600 else REGULAR]


@functools.cache
def load_fonts() -> FontShelf:
    """Find and open the fonts of this machine, once per process. Raises FontMissing."""
    folders = list(font_folders())
    faces = {place: find_face(folders, names, weight=place[1]) for place, names in NAMES.items()}
    return FontShelf(
        regular=faces[FontKind.SONG, REGULAR],
        bold=faces[FontKind.SONG, BOLD],
        faces=faces,
        rare=list(_find_rare()),
    )


def _find_rare() -> Iterator[FontFace]:
    """Open every font of the folder that the operator chose."""
    chosen = os.environ.get(FOLDER_VARIABLE)
    paths = sorted(Path(chosen).rglob("*")) if chosen else []
    fonts = [path for path in paths if path.suffix.lower() in _SUFFIXES]
    for path in fonts[:_MAX_RARE]:
        try:
            yield open_font(path, weight=REGULAR)
        except (OSError, TTLibError, KeyError, AssertionError):
            continue


def font_folders() -> Iterator[Path]:
    """Return the folders to look into, the most wanted first."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        yield Path(chosen)
    for folder in _SYSTEM_FOLDERS:
        yield Path(folder).expanduser()
    for package, folder in _WHEELS:
        wheel = find_spec(package)
        if wheel is not None and wheel.origin is not None:
            yield Path(wheel.origin).parent / folder


def find_face(folders: Iterable[Path], names: Iterable[str], *, weight: int) -> FontFace:
    """Open the first font, in the order of `names`, that can be read and has Chinese.

    Raises FontMissing, which says what to install.
    """
    folders = [folder for folder in folders if folder.is_dir()]
    for name in names:
        for folder in folders:
            for path in sorted(folder.rglob(name)):
                face = _try_open(path, weight)
                if face is not None:
                    return face
    msg = (
        "no Chinese font was found to embed: install the package fonts-noto-cjk, or the extra `font` of this "
        f"project, or name a folder of fonts in {FOLDER_VARIABLE}"
    )
    raise FontMissing(msg)


def _try_open(path: Path, weight: int) -> FontFace | None:
    try:
        face = open_font(path, weight=weight)
    except (OSError, TTLibError, KeyError, AssertionError):
        return None
    return None if face.find_missing(_PROBE) else face
