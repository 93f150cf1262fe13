"""A package that was opened: its files, its document bodies, pages and resources.

    package = OfdPackage.parse(data)
    package.read("/Doc_0/Document.xml")
    body = package.bodies[0]
    data = package.with_files({"/Doc_0/Signs/Signatures.xml": …})

Files are unpacked when they are asked for, under caps checked before. Absolute paths begin with `/`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from xml.etree.ElementTree import Element

from certs.ofd.blank import SharedFile
from certs.ofd.container import parse_container, unpack_entry
from certs.ofd.errors import refuse
from certs.ofd.limits import DEFAULT_LIMITS, Limits
from certs.ofd.locations import resolve_in_folder, resolve_location
from certs.ofd.xml_reader import XmlReader, child_text, text_of
from certs.ofd.zip_writer import PackedEntry, pack_entry, write_zip
from signing import sm3
from signing.errors import DecodeError
from signing.findings import FindingCode

OFD_XML: Final = "/OFD.xml"
MAX_BODIES: Final = 50
MAX_PAGES: Final = 10_000
MAX_METADATA: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One DocBody of OFD.xml, as it says. `metadata` are the CustomData of DocInfo, by name."""

    document_id: str
    title: str
    root_path: str
    signatures_path: str | None
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page: its number in the document (ST_ID), where it lies, and its box x, y, width, height in mm."""

    id: str
    path: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltBody:
    """The body of a package that was just written, and the numbers of its pages in order."""

    body: Body
    page_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A font or picture of a document; `path` is None where it is not in the package."""

    id: str
    kind: str
    name: str
    format: str
    path: str | None


@dataclass(frozen=True, slots=True)
class OfdPackage:
    """A package in memory; build it with `parse`. What was unpacked or parsed once is kept.

    An entry of None is a file that was not compressed yet: its octets are among `_contents`.
    """

    _entries: Mapping[str, PackedEntry | None] = field(repr=False)
    limits: Limits
    _contents: dict[str, bytes] = field(default_factory=dict, repr=False)
    _elements: dict[str, Element] = field(default_factory=dict, repr=False)
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False)
    _reader: XmlReader = field(default_factory=lambda: XmlReader(DEFAULT_LIMITS), repr=False)
    _built: BuiltBody | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, data: bytes, *, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Open a package: steps A1 to A4 of the examination, for the first three and every DocRoot.

        Raises PackageRefused with E100 to E105, E110 or E111.
        """
        container = parse_container(data, limits)
        package = cls(
            {f"/{name}": entry for name, entry in container.entries.items()},
            limits,
            _reader=XmlReader(limits),
        )
        if OFD_XML not in package.paths:
            raise refuse(FindingCode.OFD_XML_MISSING, OFD_XML)
        for body in package.bodies:
            if body.root_path not in package.paths:
                raise refuse(FindingCode.DOCROOT_MISSING, body.root_path)
            if body.signatures_path is not None and body.signatures_path not in package.paths:
                raise refuse(FindingCode.SIGNATURES_MISSING, body.signatures_path)
        return package

    @classmethod
    def build(cls, files: Mapping[str, bytes | SharedFile], built: BuiltBody) -> Self:
        """Put a package together from files by absolute path; `built` is what reading its body would find.

        What is shared was compressed before; the rest is compressed when the package is written.
        """
        contents, digests = {}, {}
        entries: dict[str, PackedEntry | None] = {}
        for path, file in files.items():
            if isinstance(file, bytes):
                contents[path], entries[path] = file, None
            else:
                contents[path], digests[path], entries[path] = file.content, file.sm3, file.entry
        return cls(entries, DEFAULT_LIMITS, _contents=contents, _digests=digests, _built=built)

    @property
    def paths(self) -> tuple[str, ...]:
        """The absolute paths of all files, in their order in the package."""
        return tuple(self._entries)

    def __contains__(self, path: object) -> bool:
        return path in self._entries

    def read(self, path: str) -> bytes:
        """Return the octets of a file. Raises KeyError where it is missing, PackageRefused where damaged."""
        if path not in self._contents:
            entry = self._entries[path]
            assert entry is not None
            self._contents[path] = unpack_entry(entry)
        return self._contents[path]

    def digest(self, path: str) -> bytes:
        """Return the SM3 of a file. Raises as `read`."""
        if path not in self._digests:
            self._digests[path] = sm3.digest(self.read(path))
        return self._digests[path]

    def xml(self, path: str) -> Element:
        """Parse a file. Raises PackageRefused with E105, also where it is missing."""
        if path not in self._elements:
            if path not in self._entries:
                raise refuse(FindingCode.XML_INVALID, path, zh="文件不存在", en="the file is missing")
            try:
                self._elements[path] = self._reader.parse(self.read(path))
            except DecodeError as error:
                raise refuse(FindingCode.XML_INVALID, path, zh=error.detail, en=error.detail) from error
        return self._elements[path]

    @property
    def bodies(self) -> tuple[Body, ...]:
        """The document bodies, in order. Raises PackageRefused with E105."""
        if self._built is not None:
            return (self._built.body,)
        return read_bodies(self.xml(OFD_XML))

    def pages(self, body: Body) -> tuple[Page, ...]:
        """Return the pages of a body, in order. Raises PackageRefused with E105."""
        root = self.xml(body.root_path)
        try:
            default = _read_box(root.find("CommonData/PageArea"))
            holders = root.findall("Pages/Page")[:MAX_PAGES]
            return tuple(self._read_page(each, body.root_path, default) for each in holders)
        except DecodeError as error:
            raise refuse(FindingCode.XML_INVALID, body.root_path, zh=error.detail, en=error.detail) from error

    def page_ids(self, body: Body) -> tuple[str, ...]:
        """Return the numbers of the pages of a body, in order, without opening them. Raises as `pages`."""
        if self._built is not None:
            return self._built.page_ids
        holders = self.xml(body.root_path).findall("Pages/Page")[:MAX_PAGES]
        return tuple(holder.get("ID", "") for holder in holders)

    def _read_page(self, holder: Element, base: str, default: tuple[float, ...] | None) -> Page:
        path = resolve_location(holder.get("BaseLoc", "").strip(), base=base)
        own = _read_box(self.xml(path).find("Area")) if path in self._entries else None
        box = own or default
        if box is None:
            msg = "a page has no PhysicalBox"
            raise DecodeError(msg)
        return Page(id=holder.get("ID", ""), path=path, box=(box[0], box[1], box[2], box[3]))

    def resources(self, body: Body) -> dict[str, Resource]:
        """Return the fonts and pictures of a body by ID. Raises PackageRefused with E105."""
        root = self.xml(body.root_path)
        found: dict[str, Resource] = {}
        for name in ("PublicRes", "DocumentRes"):
            for holder in root.findall(f"CommonData/{name}"):
                try:
                    path = resolve_location(text_of(holder), base=body.root_path)
                    if path in self._entries:
                        found |= self._read_resources(path)
                except DecodeError as error:
                    raise refuse(
                        FindingCode.XML_INVALID, body.root_path, zh=error.detail, en=error.detail
                    ) from error
        return found

    def _read_resources(self, path: str) -> dict[str, Resource]:
        root = self.xml(path)
        folder = path.rpartition("/")[0]
        if base := root.get("BaseLoc", "").strip():
            folder = resolve_in_folder(base, folder=folder)
        found = {}
        for query, location in (("Fonts/Font", "FontFile"), ("MultiMedias/MultiMedia", "MediaFile")):
            for element in root.findall(query):
                file = child_text(element, location)
                place = resolve_in_folder(file, folder=folder) if file else None
                found[element.get("ID", "")] = Resource(
                    id=element.get("ID", ""),
                    kind=element.tag,
                    name=element.get("FontName", ""),
                    format=element.get("Format", "").upper(),
                    path=place if place in self._entries else None,
                )
        return found

    def templates(self, body: Body) -> dict[str, str]:
        """Return the paths of a body's page templates (模板页) by ID. Raises PackageRefused with E105."""
        found = {}
        for element in self.xml(body.root_path).findall("CommonData/TemplatePage"):
            try:
                location = resolve_location(element.get("BaseLoc", "").strip(), base=body.root_path)
            except DecodeError as error:
                raise refuse(
                    FindingCode.XML_INVALID, body.root_path, zh=error.detail, en=error.detail
                ) from error
            found[element.get("ID", "")] = location
        return found

    def change(self, changes: Mapping[str, bytes], *, leave_out: Collection[str]) -> Self:
        """Return this package with files added, replaced or left out; the others stay as they are packed."""
        entries = {path: entry for path, entry in self._entries.items() if path not in leave_out}
        contents = {path: data for path, data in self._contents.items() if path in entries}
        return type(self)(
            {**entries, **dict.fromkeys(changes)},
            self.limits,
            _contents={**contents, **changes},
            _reader=self._reader,
        )

    def with_files(self, changes: Mapping[str, bytes | SharedFile]) -> bytes:
        """Write this package with files added or replaced; every other file keeps its compressed octets."""
        kept = [
            pack_entry(path.removeprefix("/"), self._contents[path]) if entry is None else entry
            for path, entry in self._entries.items()
            if path not in changes
        ]
        added = [
            pack_entry(path.removeprefix("/"), file) if isinstance(file, bytes) else file.entry
            for path, file in changes.items()
        ]
        return write_zip([*kept, *added])


def read_bodies(root: Element) -> tuple[Body, ...]:
    """Read the document bodies of a parsed OFD.xml, in order. Raises PackageRefused with E105."""
    found = root.findall("DocBody")
    try:
        if root.tag != "OFD" or not 0 < len(found) <= MAX_BODIES:
            msg = f"the root must be OFD, with 1 to {MAX_BODIES} DocBody"
            raise DecodeError(msg)
        return tuple(_read_body(body) for body in found)
    except DecodeError as error:
        raise refuse(FindingCode.XML_INVALID, OFD_XML, zh=error.detail, en=error.detail) from error


def _read_body(body: Element) -> Body:
    roots, lists = body.findall("DocRoot"), body.findall("Signatures")
    if len(roots) != 1 or len(lists) > 1:
        msg = "a DocBody has one DocRoot and at most one Signatures"
        raise DecodeError(msg)
    info = body.find("DocInfo")
    return Body(
        document_id=child_text(info, "DocID") or "" if info is not None else "",
        title=child_text(info, "Title") or "" if info is not None else "",
        root_path=resolve_location(text_of(roots[0]), base=OFD_XML),
        signatures_path=resolve_location(text_of(lists[0]), base=OFD_XML) if lists else None,
        metadata=_read_metadata(info),
    )


def _read_metadata(info: Element | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for element in [] if info is None else info.findall("CustomDatas/CustomData"):
        name = element.get("Name", "")
        if name in found or len(found) >= MAX_METADATA:
            msg = f"a CustomData name comes twice, or there are more than {MAX_METADATA}"
            raise DecodeError(msg)
        found[name] = text_of(element)
    return found


def _read_box(area: Element | None) -> tuple[float, ...] | None:
    written = None if area is None else child_text(area, "PhysicalBox")
    if written is None:
        return None
    return parse_box(written)


def parse_box(written: str) -> tuple[float, float, float, float]:
    """Read `x y width height`. Raises DecodeError unless four numbers, the last two above zero."""
    try:
        x, y, width, height = (float(part) for part in written.split())
    except ValueError as error:
        msg = "a box must be four numbers"
        raise DecodeError(msg) from error
    if not (abs(x) < 1e6 and abs(y) < 1e6 and 0 < width < 1e6 and 0 < height < 1e6):
        msg = "a box must have a width and height above zero"
        raise DecodeError(msg)
    return x, y, width, height
