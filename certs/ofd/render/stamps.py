"""Seals on a page: the picture out of each signed value, drawn where the signature says (chapter 18.2).

Drawn, not judged: a preview shows what a reader would show, a report says what it is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from certs.ofd.errors import PackageRefused
from certs.ofd.locations import resolve_location
from certs.ofd.package import Body, OfdPackage
from certs.ofd.render.values import BoxValues, read_box
from certs.ofd.xml_reader import child_text
from signing.errors import DecodeError
from signing.seals.parse import parse_seal_signature

MAX_SIGNATURES: Final = 50
MAX_STAMPS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """One stamp on a page: its box, the part of it that shows, and the seal's picture."""

    box: BoxValues
    clip: BoxValues | None
    picture: bytes = field(repr=False)
    kind: str


def find_stamps(package: OfdPackage, body: Body, page_id: str) -> list[Appearance]:
    """Find the seals on one page, in the order in which they were set. What cannot be read is left out."""
    found: list[Appearance] = []
    if body.signatures_path is None:
        return found
    try:
        entries = package.xml(body.signatures_path).findall("Signature")[:MAX_SIGNATURES]
    except PackageRefused:
        return found
    for entry in entries:
        try:
            path = resolve_location(entry.get("BaseLoc", "").strip(), base=body.signatures_path)
            found += _read_appearances(package, path, page_id)
        except (DecodeError, PackageRefused, KeyError):
            continue
    return found[:MAX_STAMPS]


def _read_appearances(package: OfdPackage, path: str, page_id: str) -> list[Appearance]:
    root = package.xml(path)
    stamps = [
        (box, read_box(each, "Clip"))
        for each in root.findall("SignedInfo/StampAnnot")[:MAX_STAMPS]
        if each.get("PageRef") == page_id and (box := read_box(each)) is not None
    ]
    if not stamps:
        return []
    value = package.read(resolve_location(child_text(root, "SignedValue") or "", base=path))
    picture = parse_seal_signature(value).seal.picture
    return [
        Appearance(box=box, clip=clip, picture=picture.data, kind=picture.type.upper())
        for box, clip in stamps
    ]
