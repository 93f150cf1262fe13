"""Read many files out of one multipart body (RFC 7578), each as it becomes whole, one at a time in memory."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from core.errors import BadInput, TooLarge

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_FILES: Final = 1000
MAX_NAME_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """One part of the body: its file name as sent (or its field's), and its octets.

    `data` is None where the file was over the limit; its octets were passed over.
    """

    name: str
    data: bytes | None = field(repr=False)


class _Parts:
    """Collects what the push parser calls out: at most the files that one chunk of the body completes."""

    def __init__(self, max_file_bytes: int) -> None:
        self._max_file_bytes = max_file_bytes
        self._headers: dict[bytes, bytes] = {}
        self._header: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        self._data: bytearray | None = bytearray()
        self._count = 0
        self.whole: list[UploadedFile] = []
        self.ended = False

    def on_part_begin(self) -> None:
        self._count += 1
        if self._count > MAX_FILES:
            msg = f"one call verifies at most {MAX_FILES} files"
            raise TooLarge(msg)
        self._headers, self._data = {}, bytearray()

    def on_header_begin(self) -> None:
        self._header = (bytearray(), bytearray())

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header[0].extend(data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header[1].extend(data[start:end])

    def on_header_end(self) -> None:
        self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._data is not None and len(self._data) + end - start > self._max_file_bytes:
            self._data = None
        if self._data is not None:
            self._data.extend(data[start:end])

    def on_part_end(self) -> None:
        data = None if self._data is None else bytes(self._data)
        self.whole.append(UploadedFile(name=self._name(), data=data))
        self._data = bytearray()

    def on_end(self) -> None:
        self.ended = True

    def callbacks(self) -> MultipartCallbacks:
        """Name the methods as the parser wants them."""
        return {
            "on_part_begin": self.on_part_begin,
            "on_part_data": self.on_part_data,
            "on_part_end": self.on_part_end,
            "on_header_begin": self.on_header_begin,
            "on_header_field": self.on_header_field,
            "on_header_value": self.on_header_value,
            "on_header_end": self.on_header_end,
            "on_end": self.on_end,
        }

    @property
    def is_empty(self) -> bool:
        """Whether no part has come."""
        return self._count == 0

    def _name(self) -> str:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        raw = options.get(b"filename") or options.get(b"name") or b""
        name = raw.decode("utf-8", "replace")
        clean = "".join(letter if letter.isprintable() else "\ufffd" for letter in name)
        return clean[:MAX_NAME_CHARACTERS] or f"file {self._count}"


async def read_files(
    chunks: AsyncIterable[bytes], *, content_type: str, max_file_bytes: int
) -> AsyncIterator[UploadedFile]:
    """Yield the files of a multipart body in their order.

    Raises BadInput for a body that is not multipart, is empty or breaks off, and TooLarge for more than
    MAX_FILES.
    """
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        msg = "multipart/form-data needs its boundary, of 1 to 70 characters (RFC 2046 5.1.1)"
        raise BadInput(msg)
    parts = _Parts(max_file_bytes)
    parser = MultipartParser(boundary, parts.callbacks())
    async for chunk in chunks:
        problem = _write(parser, chunk)
        while parts.whole:
            yield parts.whole.pop(0)
        if problem is not None:
            raise problem
    if not parts.ended or parts.is_empty:
        msg = "the multipart body holds no file, or breaks off before its closing boundary"
        raise BadInput(msg)


def _write(parser: MultipartParser, chunk: bytes) -> BadInput | None:
    """Parse a chunk; return what is wrong with it, for the files before the fault are whole."""
    try:
        parser.write(chunk)
    except TooLarge as error:
        return error
    except MultipartParseError:
        msg = "the body is not well-formed multipart/form-data (RFC 7578)"
        return BadInput(msg)
    return None
