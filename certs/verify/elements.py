"""Small readings of XML elements, blind to namespaces and order."""

from __future__ import annotations

import posixpath
from typing import Final
from xml.etree.ElementTree import Element

from signing.errors import DecodeError

MAX_LOCATION_CHARACTERS: Final = 1024


def local_name(element: Element) -> str:
    """Return an element's name without its namespace; GB/T 33190 is met with several."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def find_children(parent: Element, name: str) -> list[Element]:
    """Return the children of that name, in order."""
    return [child for child in parent if local_name(child) == name]


def find_child(parent: Element, name: str) -> Element | None:
    """Return the first child of that name, or None."""
    return next(iter(find_children(parent, name)), None)


def text_of(element: Element) -> str:
    """Return an element's text without outer blanks."""
    return (element.text or "").strip()


def resolve_location(location: str, *, base: str) -> str:
    """Resolve an ST_Loc written in the file `base` to an absolute path (`/Doc_0/…`).

    `/x` counts from the root of the package, anything else from the folder of the file (GB/T 33190 7.2).
    Raises DecodeError for empty or over-long locations and for those that climb out of the package.
    """
    if not 0 < len(location) <= MAX_LOCATION_CHARACTERS or "\\" in location or "\x00" in location:
        msg = "a location in the package is empty, over-long, or has characters that it must not have"
        raise DecodeError(msg)
    folder = "/" if location.startswith("/") else posixpath.dirname(base)
    depth = 0
    for part in f"{folder}/{location}".split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            msg = "a location climbs out of the package"
            raise DecodeError(msg)
    return posixpath.normpath(posixpath.join("/", folder.lstrip("/"), location.lstrip("/")))
