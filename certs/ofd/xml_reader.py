"""Parse XML of unknown origin: no DTD, so no entities; bounded in size, depth and number of nodes.

A document type is looked for before expat sees the file: once a handler has refused something, expat still
works through the rest of what it was given, entities and all.

Elements are read by local name, whether their namespace is `http://www.ofdspec.org/2016`, the older one
without the year, or none; elements of other namespaces are never taken for those of OFD.
"""

from __future__ import annotations

import re
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from certs.ofd.limits import Limits
from signing.errors import DecodeError

NAMESPACES: Final = frozenset(
    {"http://www.ofdspec.org/2016", "http://www.ofdspec.org", "http://www.ofdspec.org/", ""}
)
_CHINESE: Final = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["'](gbk|gb2312|gb18030)["']""", re.I)
_FOREIGN: Final = "foreign:"
_DOCTYPE: Final = b"<!DOCTYPE"


class _Refusal(DecodeError):
    """Why the parser was stopped from within."""


class _Reader:
    """Drives expat, counts, and builds elements whose tags are local names."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._depth = 0
        self._nodes = 0
        self.builder = TreeBuilder()
        parser = expat.ParserCreate(namespace_separator="}")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.builder.data
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser = parser

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        self._nodes += 1 + len(attributes)
        if self._depth > self._limits.max_xml_depth or self._nodes > self._limits.max_xml_nodes:
            msg = "an XML file is nested too deeply or has too many elements"
            raise _Refusal(msg)
        local = {_local(key): value for key, value in attributes.items()}
        if len(local) != len(attributes):
            msg = "an XML file has an attribute twice, once in a namespace and once without"
            raise _Refusal(msg)
        self.builder.start(_local(name), local)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(_local(name))

    def _refuse_doctype(self, *_: object) -> None:
        raise _Refusal(_NO_DTD)

    @property
    def nodes(self) -> int:
        """How many elements and attributes were read."""
        return self._nodes


def _local(name: str) -> str:
    namespace, _, local = name.rpartition("}")
    return local if namespace in NAMESPACES else f"{_FOREIGN}{namespace}:{local}"


_NO_DTD: Final = "an XML file carries a DTD"


def parse_xml(data: bytes, limits: Limits) -> Element:
    """Parse an XML file. Tags and attributes of the returned elements are local names. Raises DecodeError."""
    return _parse_counted(data, limits)[0]


def _parse_counted(data: bytes, limits: Limits) -> tuple[Element, int]:
    _refuse_hostile(data, limits)
    reader = _Reader(limits)
    try:
        chinese = _CHINESE.match(data[:256])
        reader.parser.Parse(data.decode("gb18030") if chinese else data, True)
        root: Element = reader.builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        msg = "an XML file is not well formed"
        raise DecodeError(msg) from error
    return root, reader.nodes


class XmlReader:
    """Parses the files of one package, within the limits of each file and of all together."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._nodes = 0

    def parse(self, data: bytes) -> Element:
        """Parse one file, as `parse_xml` does. Raises DecodeError, also once all files are too much."""
        if self._nodes > self._limits.max_total_xml_nodes:
            msg = "the XML files of the package have too many elements together"
            raise DecodeError(msg)
        root, nodes = _parse_counted(data, self._limits)
        self._nodes += nodes
        return root


def _refuse_hostile(data: bytes, limits: Limits) -> None:
    """Refuse, without parsing, what is too large, carries a DTD, or hides its markup.

    NUL is no character of XML; a file that holds it is in UTF-16 or UTF-32, where a DTD would go unseen.
    """
    if len(data) > limits.max_xml_bytes or data.count(b"=") > limits.max_xml_nodes:
        # expat hands over all attributes of an element at once, so they are counted before.
        msg = "an XML file is too large, or has too many attributes"
        raise DecodeError(msg)
    refuse_doctype(data)
    if b"\0" in data:
        msg = "an XML file holds NUL; it must be in UTF-8 or GBK"
        raise DecodeError(msg)


def refuse_doctype(data: bytes) -> None:
    """Refuse an XML file that carries a DTD, without parsing it. Raises DecodeError."""
    if _DOCTYPE in data:
        raise DecodeError(_NO_DTD)


def text_of(element: Element) -> str:
    """Return an element's text without outer blanks."""
    return (element.text or "").strip()


def child_text(element: Element, name: str) -> str | None:
    """Return the text of the first child of that name, or None."""
    found = element.find(name)
    return None if found is None else text_of(found)
