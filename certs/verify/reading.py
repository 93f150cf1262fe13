"""Read a package of unknown origin into memory, within limits and without tricks (steps A1 and A2)."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from signing.errors import DecodeError
from signing.findings import Finding, FindingCode, build_finding

MAX_ENTRIES: Final = 20_000
MAX_NAME_BYTES: Final = 512
MAX_ENTRY_BYTES: Final = 64 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 128 * 1024 * 1024
MAX_XML_BYTES: Final = 16 * 1024 * 1024
_UTF8_FLAG: Final = 0x800
_ENCRYPTED_FLAGS: Final = 0x1 | 0x40 | 0x2000
_LOCAL_HEADER: Final = struct.Struct("<4s5H3I2H")


_ZIP_TROUBLES: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    OSError,
    ValueError,
    RuntimeError,
)


class PackageProblem(DecodeError):
    """A package that must not be opened; `finding` says why."""

    code = "CERT-PACKAGE-REFUSED"
    title = "Package refused"

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message_en)
        self.finding = finding


def _refuse(code: FindingCode, subject: str, zh: str, en: str) -> PackageProblem:
    return PackageProblem(build_finding(code, subject, zh=zh, en=en))


def read_entries(data: bytes) -> dict[str, bytes]:
    """Read every file of a ZIP, by absolute path. Raises PackageProblem."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_ENTRIES:
                zh, en = f"条目超过 {MAX_ENTRIES} 个", f"more than {MAX_ENTRIES} entries"
                raise _refuse(FindingCode.CONTAINER_LIMIT, "package", zh, en)
            names = _check_names(data, infos)
            return _read_all(archive, infos, names)
    except _ZIP_TROUBLES as error:
        raise _refuse(
            FindingCode.CONTAINER_INVALID, "package", "ZIP 结构已损坏", "its ZIP structure is damaged"
        ) from error


def _check_names(data: bytes, infos: list[zipfile.ZipInfo]) -> dict[int, str]:
    names: dict[int, str] = {}
    seen: set[str] = set()
    for position, info in enumerate(infos):
        name = _decode_name(data, info)
        names[position] = name
        folded = name.rstrip("/").casefold()
        if folded in seen:
            raise PackageProblem(build_finding(FindingCode.ENTRY_DUPLICATE, name[:200]))
        seen.add(folded)
    return names


def _decode_name(data: bytes, info: zipfile.ZipInfo) -> str:
    """Return an entry's name, once its two headers agree and it is safe."""
    header = data[info.header_offset : info.header_offset + _LOCAL_HEADER.size]
    magic, _, flags, method, _, _, _, _, _, name_bytes, _ = _LOCAL_HEADER.unpack(header)
    start = info.header_offset + _LOCAL_HEADER.size
    raw = data[start : start + name_bytes]
    central = info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8_FLAG else "cp437")
    if magic != b"PK\x03\x04" or raw != central or method != info.compress_type:
        raise _refuse(
            FindingCode.ENTRY_UNSAFE, "package", "本地头与中央目录不一致", "two headers of an entry disagree"
        )
    if (flags | info.flag_bits) & _ENCRYPTED_FLAGS:
        raise _refuse(FindingCode.ENTRY_UNSAFE, "package", "条目已加密", "an entry is encrypted")
    try:
        name = raw.decode("utf-8")
    except UnicodeDecodeError:
        name = raw.decode("gb18030", errors="replace")
    if not _is_safe(name, raw):
        raise _refuse(FindingCode.ENTRY_UNSAFE, "package", "条目名称不安全", "the name of an entry is unsafe")
    return name


def _is_safe(name: str, raw: bytes) -> bool:
    parts = name.rstrip("/").split("/")
    return (
        0 < len(raw) <= MAX_NAME_BYTES
        and not any(part in {"", ".", ".."} for part in parts)
        and not any(character in name for character in "\\:\x00")
        and name.isprintable()
    )


def _read_all(
    archive: zipfile.ZipFile, infos: list[zipfile.ZipInfo], names: dict[int, str]
) -> dict[str, bytes]:
    entries: dict[str, bytes] = {}
    total = 0
    for position, info in enumerate(infos):
        if names[position].endswith("/"):
            continue
        with archive.open(info) as stream:
            content = stream.read(min(MAX_ENTRY_BYTES, MAX_TOTAL_BYTES - total) + 1)
        total += len(content)
        if len(content) > MAX_ENTRY_BYTES or total > MAX_TOTAL_BYTES:
            raise _refuse(
                FindingCode.CONTAINER_LIMIT, "package", "展开后过大", "it is too large when unpacked"
            )
        entries["/" + names[position]] = content
    return entries


class _PlainTreeBuilder(TreeBuilder):
    """Builds elements, and refuses a document type before anything in it is read."""

    def doctype(self, _name: str, _public: str | None, _system: str | None) -> None:
        """Refuse the document type."""
        msg = "an XML file carries a DTD"
        raise DecodeError(msg)


def parse_xml(data: bytes) -> Element:
    """Parse XML without DTD and, therefore, without entities of its own. Raises DecodeError."""
    if len(data) > MAX_XML_BYTES:
        msg = "an XML file is too large"
        raise DecodeError(msg)
    try:
        parser = XMLParser(target=_PlainTreeBuilder())  # noqa: S314 - a DTD is refused at its first word
        parser.feed(data)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        msg = "an XML file is not well formed"
        raise DecodeError(msg) from error
    return root
