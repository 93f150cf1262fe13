"""The resources that drawing needs: fonts, pictures, drawing parameters, colour spaces, composite units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.errors import PackageRefused
from certs.ofd.locations import resolve_in_folder, resolve_location
from certs.ofd.package import Body, OfdPackage
from certs.ofd.xml_reader import child_text, text_of
from signing.errors import DecodeError

_KINDS: Final = {
    "Fonts/Font": "FontFile",
    "MultiMedias/MultiMedia": "MediaFile",
    "DrawParams/DrawParam": None,
    "ColorSpaces/ColorSpace": None,
    "CompositeGraphicUnits/CompositeGraphicUnit": None,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One resource: its element, and where its file lies, None where there is none in the package."""

    element: Element = field(repr=False)
    path: str | None


Resources = Mapping[str, Found]
"""Resources by their ID; all kinds share one row of numbers."""


def read_resources(package: OfdPackage, body: Body) -> dict[str, Found]:
    """Read the resources that a whole document shares. What cannot be read is left out."""
    found: dict[str, Found] = {}
    root = package.xml(body.root_path)
    for name in ("PublicRes", "DocumentRes"):
        for holder in root.findall(f"CommonData/{name}"):
            found |= read_resource_file(package, text_of(holder), base=body.root_path)
    return found


def read_resource_file(package: OfdPackage, location: str, *, base: str) -> dict[str, Found]:
    """Read one resource file, named in the file `base`."""
    try:
        path = resolve_location(location, base=base)
        root = package.xml(path)
        folder = path.rpartition("/")[0]
        if written := root.get("BaseLoc", "").strip():
            folder = resolve_in_folder(written, folder=folder)
    except (DecodeError, PackageRefused):
        return {}
    found = {}
    for query, file in _KINDS.items():
        for element in root.findall(query):
            place = _locate(package, child_text(element, file), folder) if file else None
            found[element.get("ID", "")] = Found(element=element, path=place)
    return found


def _locate(package: OfdPackage, written: str | None, folder: str) -> str | None:
    if not written:
        return None
    try:
        path = resolve_in_folder(written, folder=folder)
    except DecodeError:
        return None
    return path if path in package else None
