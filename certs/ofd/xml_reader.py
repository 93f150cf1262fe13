"""Parse XML of unknown origin: no DTD, so no entities; bounded in size, depth and number of nodes.

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
        self.builder.start(_local(name), {_local(key): value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.builder.end(_local(name))

    def _refuse_doctype(self, *_: object) -> None:
        msg = "an XML file carries a DTD"
        raise _Refusal(msg)


def _local(name: str) -> str:
    namespace, _, local = name.rpartition("}")
    return local if namespace in NAMESPACES else f"{_FOREIGN}{namespace}:{local}"


def parse_xml(data: bytes, limits: Limits) -> Element:
    """Parse an XML file. Tags and attributes of the returned elements are local names. Raises DecodeError."""
    if len(data) > limits.max_xml_bytes:
        msg = "an XML file is too large"
        raise DecodeError(msg)
    reader = _Reader(limits)
    try:
        chinese = _CHINESE.match(data[:256])
        reader.parser.Parse(data.decode("gb18030") if chinese else data, True)
        root: Element = reader.builder.close()
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        msg = "an XML file is not well formed"
        raise DecodeError(msg) from error
    return root


def text_of(element: Element) -> str:
    """Return an element's text without outer blanks."""
    return (element.text or "").strip()


def child_text(element: Element, name: str) -> str | None:
    """Return the text of the first child of that name, or None."""
    found = element.find(name)
    return None if found is None else text_of(found)
