"""Read ZIP containers of unknown origin, so that every reader would see the same files (steps A1 and A2).

Some readers follow the central directory, others stream from local header to local header. A container is
taken only where both see the same: each header agrees with its twin, and the entries tile the file from its
first octet to the central directory, with nothing between, before or behind. Nothing is unpacked here.
Source: APPNOTE.TXT 6.3.10 4.3; GB/T 33190-2016 for what OFD uses of it.
"""

from __future__ import annotations

import struct
import unicodedata
import zlib
from dataclasses import dataclass, field
from typing import Final, NoReturn

from certs.ofd.errors import refuse
from certs.ofd.limits import Limits
from certs.ofd.zip_writer import DEFLATED, STORED, PackedEntry
from signing.findings import FindingCode

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_CENTRAL_MAGIC: Final = b"PK\x01\x02"
_END_MAGIC: Final = b"PK\x05\x06"
_DESCRIPTOR_MAGIC: Final = b"PK\x07\x08"
_MAX_COMMENT: Final = 0xFFFF
_UTF8: Final = 0x800
_DESCRIPTOR: Final = 0x8
_ENCRYPTED: Final = 0x1 | 0x40 | 0x2000
_ZIP64_EXTRA: Final = 0x0001
_UNICODE_PATH_EXTRA: Final = 0x7075


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What both headers of an entry say."""

    name: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed_size: int
    size: int
    offset: int


@dataclass(frozen=True, slots=True)
class Container:
    """The files of a ZIP by name, still packed. Directories are left out."""

    entries: dict[str, PackedEntry] = field(repr=False)


def parse_container(data: bytes, limits: Limits) -> Container:
    """Read the structure of a ZIP. Raises PackageRefused with E100, E101, E102 or E103."""
    if len(data) > limits.max_package_bytes:
        _over(f"{limits.max_package_bytes} 字节", f"more than {limits.max_package_bytes} bytes")
    start, end, count = _find_directory(data)
    if count > limits.max_entries:
        _over(f"条目超过 {limits.max_entries} 个", f"more than {limits.max_entries} entries")
    facts = _read_directory(data, start, end, count, limits)
    _require_distinct(facts)
    _require_sizes(facts, limits)
    entries: dict[str, PackedEntry] = {}
    view = memoryview(data)
    position = 0
    for each in sorted(facts, key=lambda fact: fact.offset):
        begin, position = _read_local(data, each, position, start)
        if not each.name.endswith("/"):
            entries[each.name] = PackedEntry(
                name=each.name,
                method=each.method,
                crc=each.crc,
                size=each.size,
                packed=view[begin : begin + each.packed_size],
            )
    if position != start:
        _unsafe("package", "条目与目录之间有多余内容", "there is data between its entries and its directory")
    return Container({fact.name: entries[fact.name] for fact in facts if fact.name in entries})


def unpack_entry(entry: PackedEntry) -> bytes:
    """Unpack one file and check its length and checksum. Raises PackageRefused with E100."""
    if entry.method == STORED:
        content = bytes(entry.packed)
    else:
        unpacker = zlib.decompressobj(-15)
        try:
            content = unpacker.decompress(entry.packed, entry.size + 1)
            is_whole = unpacker.eof or not unpacker.decompress(unpacker.unconsumed_tail, 1)
        except zlib.error:
            is_whole = False
        if not is_whole or not unpacker.eof or unpacker.unused_data:
            _damaged(entry.name)
    if len(content) != entry.size or zlib.crc32(content) != entry.crc:
        _damaged(entry.name)
    return content


def _find_directory(data: bytes) -> tuple[int, int, int]:
    """Return begin and end of the central directory, and how many entries it names."""
    floor = max(0, len(data) - _END.size - _MAX_COMMENT)
    ends = []
    at = data.rfind(_END_MAGIC, floor)
    while at >= 0:
        if at + _END.size <= len(data):
            comment = _END.unpack_from(data, at)[7]
            if at + _END.size + comment == len(data):
                ends.append(at)
        at = data.rfind(_END_MAGIC, floor, at)
    if len(ends) != 1 or data.rfind(_END_MAGIC) != ends[0]:  # some readers take the last magic for the end
        _damaged("package")
    _, disk, directory_disk, here, count, size, offset, _ = _END.unpack_from(data, ends[0])
    if disk or directory_disk or here != count or offset + size != ends[0]:
        _damaged("package")
    return offset, ends[0], count


def _read_directory(data: bytes, start: int, end: int, count: int, limits: Limits) -> list[_Facts]:
    found = []
    position = start
    for _ in range(count):
        if position + _CENTRAL.size > end:
            _damaged("package")
        fields = _CENTRAL.unpack_from(data, position)
        magic, flags, method, crc, packed_size, size = fields[0], *fields[3:5], *fields[7:10]
        name_size, extra_size, comment_size, disk, offset = *fields[10:14], fields[16]
        name_at = position + _CENTRAL.size
        extra_at = name_at + name_size
        position = extra_at + extra_size + comment_size
        if magic != _CENTRAL_MAGIC or position > end or disk:
            _damaged("package")
        if name_size > limits.max_name_bytes:
            _unsafe("package", "条目名称过长", "the name of an entry is over-long")
        raw_name = data[name_at:extra_at]
        name = _decode_name(raw_name, flags)
        _check_extra(data[extra_at : extra_at + extra_size], name)
        found.append(
            _Facts(
                name=name,
                raw_name=raw_name,
                flags=flags,
                method=method,
                crc=crc,
                packed_size=packed_size,
                size=size,
                offset=offset,
            )
        )
    if position != end:
        _damaged("package")
    return found


def _decode_name(raw: bytes, flags: int) -> str:
    """Decode a name: UTF-8 where flagged, else UTF-8 or GBK, as older producers write it."""
    for encoding in ("utf-8",) if flags & _UTF8 else ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if _is_safe(name):
            return name
    raise refuse(
        FindingCode.ENTRY_UNSAFE, "package", zh="条目名称不安全", en="the name of an entry is unsafe"
    )


def _is_safe(name: str) -> bool:
    parts = name.removesuffix("/").split("/")
    climbs = any(part in {"", ".", ".."} or part != part.strip(" ") for part in parts)
    return not climbs and not any(mark in name for mark in "\\:\x00") and name.isprintable()


def _check_extra(extra: bytes, name: str) -> None:
    """Refuse extra fields by which some readers would see another name or other sizes."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, position)
        value = extra[position + 4 : position + 4 + size]
        if kind == _ZIP64_EXTRA or (kind == _UNICODE_PATH_EXTRA and value[5:] != name.encode()):
            _unsafe(name, "附加字段改变名称或大小", "an extra field changes its name or size")
        position += 4 + size


def _require_distinct(facts: list[_Facts]) -> None:
    """Refuse names that some file system would take for the same, and files that are folders too."""
    files: set[str] = set()
    folders: set[str] = set()
    listed: set[str] = set()
    for fact in facts:
        key = unicodedata.normalize("NFC", fact.name).casefold()
        if key.rstrip("/") in listed:
            raise refuse(FindingCode.ENTRY_DUPLICATE, fact.name)
        listed.add(key.rstrip("/"))
        (folders if key.endswith("/") else files).add(key.rstrip("/"))
        parts = key.rstrip("/").split("/")
        folders.update("/".join(parts[:length]) for length in range(1, len(parts)))
    if clash := files & folders:
        raise refuse(FindingCode.ENTRY_DUPLICATE, min(clash))


def _require_sizes(facts: list[_Facts], limits: Limits) -> None:
    for fact in facts:
        if fact.size > limits.max_entry_bytes:
            _over(f"{fact.name} 展开后过大", f"{fact.name} is too large when unpacked")
        if fact.size > limits.ratio_from_bytes and fact.size > limits.max_ratio * max(fact.packed_size, 1):
            _over(f"{fact.name} 压缩比过高", f"{fact.name} is packed too tightly")
    if sum(fact.size for fact in facts) > limits.max_total_bytes:
        _over("展开后过大", "it is too large when unpacked")


def _read_local(data: bytes, fact: _Facts, expected: int, directory: int) -> tuple[int, int]:
    """Compare a local header with the directory; return where its data begins and where the entry ends."""
    if fact.offset != expected or expected + _LOCAL.size > directory:
        _unsafe(fact.name, "条目重叠或之间有多余内容", "entries overlap, or there is data between them")
    fields = _LOCAL.unpack_from(data, expected)
    magic, flags, method, crc, packed_size, size = fields[0], *fields[2:4], *fields[6:9]
    name_at = expected + _LOCAL.size
    begin = name_at + fields[9] + fields[10]
    end = begin + fact.packed_size
    if magic != _LOCAL_MAGIC or end > directory:
        _damaged(fact.name)
    if (flags | fact.flags) & _ENCRYPTED:
        _unsafe(fact.name, "条目已加密", "it is encrypted")
    if fact.method not in {STORED, DEFLATED}:
        _damaged(fact.name)
    has_descriptor = bool(flags & _DESCRIPTOR)
    sizes = (crc, packed_size, size)
    same_sizes = sizes == (fact.crc, fact.packed_size, fact.size) or (has_descriptor and not any(sizes))
    same = (flags, method, data[name_at : name_at + fields[9]]) == (fact.flags, fact.method, fact.raw_name)
    is_plain = fact.method != STORED or fact.packed_size == fact.size
    if not (same and same_sizes and is_plain):
        _unsafe(fact.name, "本地头与中央目录不一致", "its two headers disagree")
    if fact.name.endswith("/") and fact.size:
        _unsafe(fact.name, "目录条目含有内容", "it is a directory with content")
    _check_extra(data[name_at + fields[9] : begin], fact.name)
    return begin, _skip_descriptor(data, fact, end, directory) if has_descriptor else end


def _skip_descriptor(data: bytes, fact: _Facts, at: int, directory: int) -> int:
    """Compare the data descriptor behind an entry, with or without its magic; return where it ends."""
    values = struct.pack("<3I", fact.crc, fact.packed_size, fact.size)
    for descriptor in (_DESCRIPTOR_MAGIC + values, values):
        if data[at : at + len(descriptor)] == descriptor and at + len(descriptor) <= directory:
            return at + len(descriptor)
    raise refuse(
        FindingCode.ENTRY_UNSAFE,
        fact.name,
        zh="数据描述符与中央目录不一致",
        en="its data descriptor and the directory disagree",
    )


def _over(zh: str, en: str) -> NoReturn:
    raise refuse(FindingCode.CONTAINER_LIMIT, "package", zh=zh, en=en)


def _damaged(subject: str) -> NoReturn:
    raise refuse(
        FindingCode.CONTAINER_INVALID, subject, zh="ZIP 结构已损坏", en="its ZIP structure is damaged"
    )


def _unsafe(subject: str, zh: str, en: str) -> NoReturn:
    raise refuse(FindingCode.ENTRY_UNSAFE, subject, zh=zh, en=en)
