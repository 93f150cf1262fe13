"""A document that was opened for examination: its files by absolute path, and its bodies.

Every file is unpacked once, to check its length and checksum and to take its digest; only small ones are
kept, so that a package of the greatest size allowed fits in bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.container import parse_container, unpack_entry
from certs.ofd.errors import refuse
from certs.ofd.limits import DEFAULT_LIMITS, Limits
from certs.ofd.package import OFD_XML, Body, read_bodies
from certs.ofd.xml_reader import XmlReader, refuse_doctype
from certs.ofd.zip_writer import PackedEntry
from signing import sm3
from signing.errors import DecodeError, ShuzhengError
from signing.findings import FindingCode

LIMITS: Final = replace(DEFAULT_LIMITS, max_total_xml_nodes=150_000)
"""Only OFD.xml, the document root and the signatures' files are read as trees, not the pages."""
KEPT_FILE_BYTES: Final = 1024 * 1024
KEPT_TOTAL_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A package in memory; build it with `open_document`. `digests` are the SM3 of every file."""

    entries: Mapping[str, PackedEntry] = field(repr=False)
    digests: Mapping[str, bytes] = field(repr=False)
    kept: Mapping[str, bytes] = field(repr=False)
    reader: XmlReader = field(repr=False)
    bodies: tuple[Body, ...]

    def __contains__(self, path: object) -> bool:
        return path in self.entries

    @property
    def paths(self) -> frozenset[str]:
        """The absolute paths of all files."""
        return frozenset(self.entries)

    def read(self, path: str) -> bytes:
        """Return the octets of a file that is there."""
        return self.kept[path] if path in self.kept else unpack_entry(self.entries[path])

    def xml(self, path: str) -> Element:
        """Parse a file; its tags are local names. Raises DecodeError, also where it is missing."""
        if path not in self.entries:
            msg = "the file is missing from the package"
            raise DecodeError(msg)
        return self.reader.parse(self.read(path))

    def page_ids(self, body: Body) -> frozenset[str]:
        """Return the IDs of a body's pages; none where its root cannot be read."""
        try:
            pages = self.xml(body.root_path).findall("Pages/Page")
        except ShuzhengError:
            return frozenset()
        return frozenset(page.get("ID", "") for page in pages)


def open_document(data: bytes, *, limits: Limits = LIMITS) -> OpenDocument:
    """Open a package: steps A1 to A3. Raises PackageRefused with the finding."""
    container = parse_container(data, limits)  # A1, A2
    entries = {f"/{name}": entry for name, entry in container.entries.items()}
    digests, kept = _read_all(entries)
    reader = XmlReader(limits)
    if OFD_XML not in entries:  # A3
        raise refuse(FindingCode.OFD_XML_MISSING, OFD_XML)
    document = OpenDocument(entries=entries, digests=digests, kept=kept, reader=reader, bodies=())
    try:
        bodies = read_bodies(document.xml(OFD_XML))
    except DecodeError as error:
        raise refuse(FindingCode.XML_INVALID, OFD_XML, zh=error.detail, en=error.detail) from error
    return OpenDocument(entries=entries, digests=digests, kept=kept, reader=reader, bodies=bodies)


def _read_all(entries: Mapping[str, PackedEntry]) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Unpack every file once: its digest, and its octets where it is small."""
    digests: dict[str, bytes] = {}
    kept: dict[str, bytes] = {}
    room = KEPT_TOTAL_BYTES
    for path, entry in entries.items():
        content = unpack_entry(entry)
        digests[path] = sm3.digest(content)
        if path.lower().endswith(".xml"):
            _refuse_doctype(path, content)
        if len(content) <= min(KEPT_FILE_BYTES, room):
            kept[path] = content
            room -= len(content)
    return digests, kept


def _refuse_doctype(path: str, content: bytes) -> None:
    try:
        refuse_doctype(content)
    except DecodeError as error:
        raise refuse(FindingCode.XML_INVALID, path, zh=error.detail, en=error.detail) from error
