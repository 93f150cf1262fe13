"""What a signature leaves open: files that can be reached from OFD.xml and are not under it.

Reachability is over-estimated on purpose: whatever an XML file mentions, in an attribute or a text, and
names an entry of the package, counts as reached. So a file that bears on what is seen is never missed,
whichever element of whichever edition of the standard refers to it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Collection, Iterator
from typing import Final
from xml.etree.ElementTree import Element

from certs.verify.elements import local_name
from certs.verify.model import Coverage
from signing.errors import ShuzhengError

ROOT_FILE: Final = "/OFD.xml"
MAX_LOCATION_CHARACTERS: Final = 1024

ReadXml = Callable[[str], Element]


def find_reachable(paths: Collection[str], read_xml: ReadXml) -> frozenset[str]:
    """Return the absolute paths (`/Doc_0/…`) that can be reached from `/OFD.xml`.

    `read_xml` parses an entry and raises ShuzhengError where it is not XML.
    """
    known = frozenset(paths)
    reached: set[str] = set()
    waiting = [ROOT_FILE] if ROOT_FILE in known else []
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        if path.lower().endswith(".xml"):
            waiting += [found for found in _mentioned(path, read_xml, known) if found not in reached]
    return frozenset(reached)


def _mentioned(path: str, read_xml: ReadXml, known: frozenset[str]) -> set[str]:
    try:
        root = read_xml(path)
    except ShuzhengError:
        return set()
    folders = {posixpath.dirname(path)}
    if local_name(root) == "Res":
        folders.add(_join(posixpath.dirname(path), root.get("BaseLoc", "")))
    return {
        candidate
        for text in _texts(root)
        for candidate in (_join(folder, text) for folder in folders)
        if candidate in known
    }


def _texts(root: Element) -> Iterator[str]:
    for element in root.iter():
        for text in (element.text or "", *element.attrib.values()):
            stripped = text.strip()
            if 0 < len(stripped) <= MAX_LOCATION_CHARACTERS:
                yield stripped


def _join(folder: str, location: str) -> str:
    """Resolve a location in a folder; `..` above the root stays at the root."""
    return posixpath.normpath(posixpath.join("/", folder, location)).replace("//", "/")


def measure_coverage(
    *,
    paths: Collection[str],
    reachable: Collection[str],
    covered: Collection[str],
    own: Collection[str],
    excused: Collection[str],
) -> Coverage:
    """Measure what a signature covers.

    `own` are its description and value, which it cannot cover; `excused` the files that later signatures
    may add or change.
    """
    open_files = set(paths) - set(covered) - set(own) - set(excused)
    return Coverage(
        covered=tuple(sorted(set(covered))),
        uncovered=tuple(sorted(open_files & set(reachable))),
        unreachable=tuple(sorted(open_files - set(reachable))),
    )
