"""What all documents of one kind begin with: their backgrounds and the resources of these, written once.

An ornamental page is most of a certificate's octets. It is laid out, compressed and digested once, and
every certificate after that carries the same octets.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from certs.ofd.zip_writer import PackedEntry, pack_entry
from signing import sm3


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A file that many packages carry: its octets, as it lies in a ZIP, and its SM3."""

    content: bytes = field(repr=False)
    entry: PackedEntry = field(repr=False)
    sm3: bytes


@functools.lru_cache(maxsize=256)
def share_file(name: str, content: bytes) -> SharedFile:
    """Compress and digest a file; what was prepared once is kept."""
    return prepare_file(name, content)


def prepare_file(name: str, content: bytes, *, is_kept: bool = True) -> SharedFile:
    """Compress and digest a file for a caller who keeps it; see `pack_entry` for `is_kept`."""
    entry = pack_entry(name, content, is_kept=is_kept)
    return SharedFile(content=content, entry=entry, sm3=sm3.digest(content))


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """A form that documents are filled into: pages of it lie under every page of theirs.

    `files` are by path in the package; `fonts` and `pictures` are the entries of the resource files, and
    `last_id` is the highest number (ST_ID) that the blank has used. Build it with `DocumentBuilder.freeze`.
    """

    last_id: int
    page_ids: tuple[int, ...]
    files: Mapping[str, SharedFile] = field(repr=False)
    fonts: tuple[str, ...] = field(repr=False)
    pictures: tuple[str, ...] = field(repr=False)


EMPTY: Final = Blank(last_id=0, page_ids=(), files={}, fonts=(), pictures=())
