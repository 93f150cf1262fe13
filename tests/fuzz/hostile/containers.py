"""ZIP files made to exhaust or mislead a reader."""

from __future__ import annotations

import struct
from collections.abc import Callable

from certs.ofd.zip_writer import DEFLATED, PackedEntry, write_zip
from tests.fuzz.hostile.build import MIB, PAGE, deflated, noise, stored, with_entries
from tests.unit.certs.packages import pack, sealed


def bomb_by_ratio() -> bytes:
    return with_entries(deflated("Doc_0/Res/bomb.bin", bytes(40 * MIB)))


def bomb_under_a_small_claim() -> bytes:
    """The headers claim 10 bytes, the data unpacks to 40 MiB."""
    entry = deflated("Doc_0/Res/bomb.bin", bytes(40 * MIB))
    return with_entries(
        PackedEntry(name=entry.name, method=DEFLATED, crc=entry.crc, size=10, packed=entry.packed)
    )


def bomb_by_number() -> bytes:
    """Each entry is allowed, all together are not."""
    content = (noise(2_000) + bytes(98_000)) * 400
    return with_entries(*(deflated(f"Doc_0/Res/{n}.bin", content, 1) for n in range(4)))


def overlapping_entries() -> bytes:
    """Many directory entries that share one local entry (the better ZIP bomb)."""
    good = pack({"OFD.xml": b"<a/>", "a": bytes(1000)})
    start = good.rindex(b"PK\x01\x02")
    record = good[start : good.rindex(b"PK\x05\x06")]
    first = good.index(b"PK\x01\x02")
    renamed = [
        record[:-1] + bytes((letter,)) if record.endswith(b"a") else record for letter in range(98, 120)
    ]
    directory = good[first : good.rindex(b"PK\x05\x06")] + b"".join(renamed)
    count = 2 + len(renamed)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), first, 0)
    return good[:first] + directory + end


def many_entries(count: int) -> bytes:
    """As many empty entries as asked for; above 65,535 the end record can only say 65,535."""
    local, directory = bytearray(), bytearray()
    for number in range(count):
        name = b"%x" % number
        facts = struct.pack("<5H3I2H", 20, 0, 0, 0, 0, 0, 0, 0, len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + facts
        directory += struct.pack("<3H2I", 0, 0, 0, 0, len(local)) + name
        local += b"PK\x03\x04" + facts + name
    shown = min(count, 0xFFFF)
    end = struct.pack(
        "<4s4H2IH", b"PK\x05\x06", 0, 0, shown, shown, len(directory), len(local) & 0xFFFFFFFF, 0
    )
    return bytes(local + directory + end)


def directory_alone_of_a_million() -> bytes:
    record = b"PK\x01\x02" + struct.pack("<6H3I5H2I", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = record * 1_000_000
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 0, 0)
    return directory + end


def end_records_in_the_comment() -> bytes:
    good = bytearray(pack(sealed()))
    comment = b"PK\x05\x06" * 16_000
    good[-2:] = struct.pack("<H", len(comment))
    return bytes(good) + comment


def duplicate_names() -> bytes:
    return write_zip([stored(PAGE, b"a"), stored(PAGE, b"b"), *(stored(n, c) for n, c in sealed().items())])


def names(*each: str) -> Callable[[], bytes]:
    return lambda: with_entries(*(stored(name, b"x") for name in each))


def local_header_of_another_name() -> bytes:
    data = bytearray(pack(sealed()))
    at = data.index(PAGE.encode())
    data[at : at + len(PAGE)] = PAGE.replace("Page_0", "Page_1").encode()
    return bytes(data)


def entry_between_the_listed_ones() -> bytes:
    """A local entry that only a streaming reader sees, in front of the first listed one."""
    hidden = write_zip([stored("OFD.xml", b"<evil/>")])
    local = hidden[: hidden.index(b"PK\x01\x02")]
    good = pack(sealed())
    first, last = good.index(b"PK\x01\x02"), good.rindex(b"PK\x05\x06")
    directory = bytearray(good[first:last])
    position = 0
    while position < len(directory):
        name, extra, comment = struct.unpack_from("<3H", directory, position + 28)
        offset = struct.unpack_from("<I", directory, position + 42)[0]
        struct.pack_into("<I", directory, position + 42, offset + len(local))
        position += 46 + name + extra + comment
    end = bytearray(good[last:])
    struct.pack_into("<I", end, 16, first + len(local))
    return local + good[:first] + bytes(directory) + bytes(end)


def encrypted_flag() -> bytes:
    data = bytearray(pack(sealed()))
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = data.index(magic)
        data[position + at] |= 1
    return bytes(data)


def image_of_500_mb() -> bytes:
    """A claim of 500 MB over 2 MB of data."""
    packed = deflated("Doc_0/Res/image.png", noise(2 * MIB), 1)
    return with_entries(
        PackedEntry(name=packed.name, method=DEFLATED, crc=0, size=500 * MIB, packed=packed.packed)
    )


def package_of_the_greatest_size() -> bytes:
    """63 MiB of pictures that do not shrink: allowed, reported as smuggled, and read in bounded memory."""
    return with_entries(*(stored(f"Doc_0/Res/{n}.bin", noise(21 * MIB)) for n in range(3)))


def package_over_the_greatest_size() -> bytes:
    return with_entries(
        stored("Doc_0/Res/a.bin", noise(40 * MIB)), stored("Doc_0/Res/b.bin", noise(30 * MIB))
    )
