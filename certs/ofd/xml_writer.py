"""Write XML for OFD packages: escaped, without DTD, in UTF-8, the same octets every time."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from typing import Final

from certs.ofd.errors import DocumentInvalid

NAMESPACE: Final = "http://www.ofdspec.org/2016"
_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_PLAIN: Final = re.compile('[\x00-\x1f&<>"\ud800-\udfff\ufffe\uffff]')
"""What is written otherwise than as it is, in texts or attributes, or not at all."""
_DECLARATION: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)

Attributes = Mapping[str, str | int | float | None]


def element(name: str, attributes: Attributes | None = None, *content: str) -> str:
    """Write an element of the OFD namespace; `content` is XML already. Attributes of None are left out."""
    return raw_element(f"ofd:{name}", attributes, *content)


def raw_element(name: str, attributes: Attributes | None = None, *content: str) -> str:
    """Write an element under a name with its own prefix."""
    written = ""
    if attributes:
        for key, value in attributes.items():
            if value is not None:
                written += f' {key}="{attribute(value)}"'
    body = "".join(content)
    return f"<{name}{written}>{body}</{name}>" if body else f"<{name}{written}/>"


@functools.lru_cache(maxsize=1024)
def name_attribute(name: str) -> str:
    """Write the attribute Name with a blank before it; names of elements are few."""
    return f' Name="{attribute(name)}"'


def text(value: str) -> str:
    """Write character data. Raises DocumentInvalid for characters that XML 1.0 cannot hold."""
    return value if _NOT_PLAIN.search(value) is None else _require_xml(value).translate(_TEXT)


@functools.lru_cache(maxsize=8192)
def number(value: float) -> str:
    """Write a number of millimetres: at most four places, no exponent, no idle zeros.

    Sizes, margins and the widths of characters come again and again; those written last are kept.
    """
    written = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def numbers(values: Iterable[float]) -> str:
    """Write numbers with blanks between."""
    return " ".join(number(value) for value in values)


def document(name: str, attributes: Attributes | None = None, *content: str) -> bytes:
    """Write a whole file whose root is an element of the OFD namespace."""
    root = element(name, {"xmlns:ofd": NAMESPACE, **(attributes or {})}, *content)
    return (_DECLARATION + root).encode()


def attribute(value: str | int | float) -> str:
    """Write the value of an attribute. Raises as `text`."""
    if isinstance(value, str):
        return value if _NOT_PLAIN.search(value) is None else _require_xml(value).translate(_ATTRIBUTE)
    return number(value) if isinstance(value, float) else str(value)


def _require_xml(value: str) -> str:
    if found := _NOT_XML.search(value):
        msg = f"a text has the character U+{ord(found.group()):04X}, which XML cannot hold"
        raise DocumentInvalid(msg)
    return value
