"""A document that was opened for examination: its files by absolute path, and its bodies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from certs.verify.elements import find_child, find_children, local_name, resolve_location, text_of
from certs.verify.reading import PackageProblem as PackageProblem
from certs.verify.reading import parse_xml, read_entries
from signing import sm3
from signing.errors import DecodeError, ShuzhengError
from signing.findings import FindingCode, build_finding

OFD_XML = "/OFD.xml"
MAX_BODIES = 50
MAX_METADATA = 500
MAX_VALUE_CHARACTERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """One DocBody of OFD.xml. `page_ids` are those of its pages, empty where the root cannot be read."""

    root_path: str
    signatures_path: str | None
    metadata: Mapping[str, str]
    page_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class OpenDocument:
    """A package in memory. Digests and parsed XML are worked out once per file."""

    entries: Mapping[str, bytes] = field(repr=False)
    bodies: tuple[Body, ...]
    _digests: dict[str, bytes] = field(default_factory=dict, repr=False)
    _elements: dict[str, Element | ShuzhengError] = field(default_factory=dict, repr=False)

    @property
    def paths(self) -> frozenset[str]:
        """The absolute paths of all files."""
        return frozenset(self.entries)

    def read(self, path: str) -> bytes:
        """Return the octets of a file that is there."""
        return self.entries[path]

    def digest(self, path: str) -> bytes:
        """Return the SM3 of a file that is there."""
        if path not in self._digests:
            self._digests[path] = sm3.digest(self.entries[path])
        return self._digests[path]

    def xml(self, path: str) -> Element:
        """Parse a file. Raises DecodeError, also where it is missing."""
        if path not in self.entries:
            msg = "the file is missing from the package"
            raise DecodeError(msg)
        if path not in self._elements:
            try:
                self._elements[path] = parse_xml(self.entries[path])
            except ShuzhengError as error:
                self._elements[path] = error
        found = self._elements[path]
        if isinstance(found, ShuzhengError):
            raise found
        return found


def open_document(data: bytes) -> OpenDocument:
    """Open a package: steps A1 to A3. Raises PackageProblem with the finding."""
    entries = read_entries(data)  # A1, A2
    if OFD_XML not in entries:  # A3
        raise PackageProblem(build_finding(FindingCode.OFD_XML_MISSING, OFD_XML))
    try:
        root = parse_xml(entries[OFD_XML])
        bodies = find_children(root, "DocBody")
        if local_name(root) != "OFD" or not 0 < len(bodies) <= MAX_BODIES:
            msg = f"OFD.xml must have a root OFD with 1 to {MAX_BODIES} DocBody"
            raise DecodeError(msg)
        document = OpenDocument(entries=entries, bodies=())
        read = tuple(_read_body(body, document) for body in bodies)
    except ShuzhengError as error:
        finding = build_finding(FindingCode.XML_INVALID, OFD_XML, zh=error.detail, en=error.detail)
        raise PackageProblem(finding) from error
    return OpenDocument(entries=entries, bodies=read)


def _read_body(body: Element, document: OpenDocument) -> Body:
    roots = find_children(body, "DocRoot")
    lists = find_children(body, "Signatures")
    if len(roots) != 1 or len(lists) > 1:
        msg = "a DocBody has one DocRoot and at most one Signatures"
        raise DecodeError(msg)
    root_path = resolve_location(text_of(roots[0]), base=OFD_XML)
    return Body(
        root_path=root_path,
        signatures_path=resolve_location(text_of(lists[0]), base=OFD_XML) if lists else None,
        metadata=_read_metadata(body),
        page_ids=_read_page_ids(document, root_path),
    )


def _read_metadata(body: Element) -> dict[str, str]:
    info = find_child(body, "DocInfo")
    holder = None if info is None else find_child(info, "CustomDatas")
    elements = [] if holder is None else find_children(holder, "CustomData")
    if len(elements) > MAX_METADATA:
        msg = f"more than {MAX_METADATA} CustomData"
        raise DecodeError(msg)
    found: dict[str, str] = {}
    for element in elements:
        name = element.get("Name", "")
        if name in found:
            msg = "a CustomData name comes twice"
            raise DecodeError(msg)
        found[name[:200]] = text_of(element)[:MAX_VALUE_CHARACTERS]
    return found


def _read_page_ids(document: OpenDocument, root_path: str) -> frozenset[str]:
    if root_path not in document.entries:
        return frozenset()
    try:
        pages = find_child(document.xml(root_path), "Pages")
    except ShuzhengError:
        return frozenset()
    if pages is None:
        return frozenset()
    return frozenset(page.get("ID", "") for page in find_children(pages, "Page"))
