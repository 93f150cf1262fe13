"""Look for a Chinese font: where systems keep them, else in the wheel that the extra `font` installs."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from fontTools.ttLib import TTLibError

from certs.ofd.errors import FontMissing
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
_WHEEL: Final = "justmytype_intl_cjk"
_PROBE: Final = "营业执照统一社会信用代码年月日０１２0123456789ABC（），。"

REGULAR_NAMES: Final = (
    "NotoSerifCJK-Regular.ttc",
    "NotoSerifCJKsc-Regular.otf",
    "NotoSerifSC-Regular.otf",
    "NotoSerifSC*.ttf",
    "SourceHanSerif*-Regular.*",
    "simsun.ttc",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "NotoSansSC-Regular.*",
    "NotoSansSC*.ttf",
    "SourceHanSans*-Regular.*",
    "Songti.ttc",
    "PingFang.ttc",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "uming.ttc",
    "DroidSansFallback*.ttf",
)
BOLD_NAMES: Final = (
    "NotoSerifCJK-Bold.ttc",
    "NotoSerifCJKsc-Bold.otf",
    "NotoSerifSC-Bold.otf",
    "NotoSerifSC*.ttf",
    "SourceHanSerif*-Bold.*",
    "simhei.ttf",
    "NotoSansCJK-Bold.ttc",
    "NotoSansCJKsc-Bold.otf",
    "NotoSansSC-Bold.*",
    "NotoSansSC*.ttf",
    "SourceHanSans*-Bold.*",
    *REGULAR_NAMES,
)


class FontShelf:
    """The faces that documents are set in, opened once. Safe to share between threads."""

    def __init__(self, *, regular: FontFace, bold: FontFace) -> None:
        self._faces = {REGULAR: regular, BOLD: bold}

    def face(self, weight: int) -> FontFace:
        """Return the face for a weight: bold from 600 up."""
        return self._faces[BOLD if weight >= 600 else REGULAR]


@functools.cache
def load_fonts() -> FontShelf:
    """Find and open the fonts of this machine, once per process. Raises FontMissing."""
    folders = list(font_folders())
    return FontShelf(
        regular=find_face(folders, REGULAR_NAMES, weight=REGULAR),
        bold=find_face(folders, BOLD_NAMES, weight=BOLD),
    )


def font_folders() -> Iterator[Path]:
    """Return the folders to look into, the most wanted first."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        yield Path(chosen)
    for folder in _SYSTEM_FOLDERS:
        yield Path(folder).expanduser()
    wheel = find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent / "fonts"


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
    return None if face.find_missing(_PROBE.replace("０１２", "")) else face
