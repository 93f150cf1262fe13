"""What a signature leaves open: files that can be reached from OFD.xml and are not under it.

Reachability is over-estimated on purpose: whatever an XML file mentions, in an attribute or a text, and
names an entry of the package, counts as reached. So a file that bears on what is seen is never missed,
whichever element of whichever edition of the standard refers to it. Files are searched, not parsed: what
no parser would take counts as well, and a search has a bounded price.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

from certs.ofd.package import OFD_XML
from certs.verify.model import Coverage

MAX_LOCATION_CHARACTERS: Final = 1024
MAX_ESCAPED_WORDS: Final = 10_000
MAX_SEARCHED_BYTES: Final = 16 * 1024 * 1024
"""XML of a package beyond this is not searched; what only it mentions counts as not reachable, which is
reported as well."""

_WORD: Final = re.compile(rb"""(?<=["'>])[^"'<>]++(?=["'<])""")
_BASE: Final = re.compile(rb"""\bBaseLoc\s*=\s*["']([^"'<>]{1,1024})["']""")

_ENCODINGS: Final = ("utf-8", "gb18030")

ReadFile = Callable[[str], bytes]


def find_reachable(paths: Collection[str], read: ReadFile) -> frozenset[str]:
    """Return the absolute paths (`/Doc_0/…`) that can be reached from `/OFD.xml`; `read` gives octets."""
    known = frozenset(paths)
    last = {path.rpartition("/")[2] for path in known}
    names = frozenset(name.encode(encoding) for name in last for encoding in _ENCODINGS)
    reached: set[str] = set()
    waiting = [OFD_XML] if OFD_XML in known else []
    left = MAX_SEARCHED_BYTES
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        if path.lower().endswith(".xml") and left > 0:
            data = read(path)
            left -= len(data)
            waiting += [found for found in _mentioned(path, data, known, names) if found not in reached]
    return frozenset(reached)


def _mentioned(path: str, data: bytes, known: frozenset[str], names: frozenset[bytes]) -> set[str]:
    folder = posixpath.dirname(path)
    bases = (_decode(match[1]) for match in _BASE.finditer(data, 0, 4096))
    folders = {folder, *(_join(folder, base) for texts in bases for base in texts)}
    return {
        candidate
        for text in _locations(data, names)
        for candidate in (_join(each, text) for each in folders)
        if candidate in known
    }


def _locations(data: bytes, names: frozenset[bytes]) -> set[str]:
    """Every text between quotes or tags whose last part is the name of a file."""
    found: set[bytes] = set()
    for match in _WORD.finditer(data):
        word = match[0].strip()
        if word.rpartition(b"/")[2] in names or (b"&" in word and len(found) < MAX_ESCAPED_WORDS):
            found.add(word[:MAX_LOCATION_CHARACTERS])
    return {text for word in found for text in _decode(word)}


def _decode(word: bytes) -> Iterator[str]:
    """A word in the encodings that OFD is met in, with its references to characters resolved."""
    for encoding in _ENCODINGS:
        try:
            text = word.decode(encoding)
        except UnicodeDecodeError:
            continue
        yield html.unescape(text) if "&" in text else text


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
