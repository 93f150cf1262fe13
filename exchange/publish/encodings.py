"""The character encodings of uploads: UTF-8 (with or without a byte order mark) or GB 18030."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from core.errors import UnsupportedContent
from exchange.publish.model import Upload

PIECE_BYTES: Final = 1024 * 1024  # rows are measured by it, so two of them stay below a block of `csv_rows`
COMMON_HAN_SHARE: Final = 0.8
_UTF8_NAMES: Final = {"utf-8", "utf8", "utf-8-sig"}
_GB_NAMES: Final = {"gb18030", "gbk", "gb2312", "gb-18030"}


def detect_encoding(path: Path, declared: str | None) -> str:
    """Tell the encoding of a text file: `utf-8` or `gb18030`. Raises UnsupportedContent for any other.

    GB 18030 gives a meaning to nearly any bytes, so a file that is only guessed to be in it must also look
    like Chinese: most of its characters beyond ASCII are in the common set of GB 2312.
    """
    name = None if declared is None else declared.strip().strip('"').lower()
    if name is not None and name not in _UTF8_NAMES | _GB_NAMES:
        msg = "a CSV file is read in UTF-8 or GB 18030; the charset declared is neither"
        raise UnsupportedContent(msg)
    if name in _UTF8_NAMES or (name is None and _decodes(path, "utf-8")):
        if name is not None and not _decodes(path, "utf-8"):
            msg = "the file was declared UTF-8 and is not; declare charset=gb18030 if it is that"
            raise UnsupportedContent(msg)
        return "utf-8"
    if _decodes(path, "gb18030") and (name is not None or _looks_chinese(path)):
        return "gb18030"
    msg = "the file is neither UTF-8 nor GB 18030; save it in one of them"
    raise UnsupportedContent(msg)


def read_pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _decodes(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in read_pieces(path):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _looks_chinese(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("gb18030")()
    text = decoder.decode(next(read_pieces(path)))
    beyond = [character for character in text if ord(character) > 0x7F]
    common = sum(1 for character in beyond if _is_common(character))
    return common >= COMMON_HAN_SHARE * len(beyond)


def _is_common(character: str) -> bool:
    try:
        character.encode("gb2312")
    except UnicodeEncodeError:
        return False
    return True


def to_utf8(upload: Upload) -> Path:
    """Return the path of the file in UTF-8 without a byte order mark: the upload's own where it is so."""
    encoding = detect_encoding(upload.path, upload.charset)
    with upload.path.open("rb") as file:
        marked = file.read(3) == codecs.BOM_UTF8
    if encoding == "utf-8" and not marked:
        return upload.path
    target = upload.path.with_suffix(".utf8")
    decoder = codecs.getincrementaldecoder("utf-8-sig" if encoding == "utf-8" else encoding)()
    with target.open("wb") as out:
        for piece in read_pieces(upload.path):
            out.write(decoder.decode(piece).encode())
        out.write(decoder.decode(b"", final=True).encode())
    return target
