"""Derive an unsigned package from a sealed one of ours: further metadata, and a picture over every page.

Nothing of the original's signatures is carried over: what is derived is another document.
Source: GB/T 33190-2016 7.4 (CustomDatas), 7.7 (layers), chapter 18.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from certs.ofd.errors import DocumentInvalid
from certs.ofd.objects import Picture
from certs.ofd.package import OFD_XML, OfdPackage, Page
from certs.ofd.page_xml import picture_xml
from certs.ofd.xml_writer import Attributes, document, element, text

DrawOver = Callable[[float, float], bytes]
"""Draws the picture that lies over a page, as PNG: takes the page's width and height in millimetres."""

_SIGNATURES: Final = re.compile(rb"<ofd:Signatures>[^<]*</ofd:Signatures>")
_DOC_ID: Final = re.compile(rb"<ofd:DocID>[^<]*</ofd:DocID>")
_MAX_ID: Final = re.compile(rb"<ofd:MaxUnitID>([0-9]{1,9})</ofd:MaxUnitID>")
_DOCUMENT: Final = "/Doc_0/Document.xml"
_RESOURCES: Final = "CopyRes.xml"


def derive_package(
    package: OfdPackage, *, document_id: str, metadata: Mapping[str, str], draw_over: DrawOver
) -> OfdPackage:
    """Return an unsigned package with `metadata` added and a picture on every page.

    Files that stay as they are stay as they are packed. Raises DocumentInvalid for a package that this hub
    did not lay out, and PackageRefused.
    """
    if len(package.bodies) != 1 or package.bodies[0].root_path != _DOCUMENT:
        msg = "only a certificate that this hub laid out can be annotated"
        raise DocumentInvalid(msg)
    body = package.bodies[0]
    changes = {OFD_XML: _root(package.read(OFD_XML), document_id, metadata)}
    last_id = _lay_over(package, package.pages(body), changes, draw_over)
    changes[_DOCUMENT] = _document(package.read(_DOCUMENT), last_id)
    signs = [path for path in package.paths if path.startswith("/Doc_0/Signs/")]
    return package.change(changes, leave_out=signs)


def _root(root: bytes, document_id: str, metadata: Mapping[str, str]) -> bytes:
    custom = "".join(element("CustomData", {"Name": name}, text(value)) for name, value in metadata.items())
    root = _replace_once(root, _SIGNATURES, b"")
    root = _replace_once(root, _DOC_ID, element("DocID", None, document_id).encode())
    return _insert_before(root, b"</ofd:CustomDatas>", custom.encode())


def _lay_over(
    package: OfdPackage, pages: tuple[Page, ...], changes: dict[str, bytes], draw_over: DrawOver
) -> int:
    """Put a picture over every page, into `changes`; return the highest number used."""
    found = _MAX_ID.search(package.read(_DOCUMENT))
    if found is None:
        msg = "Document.xml has no MaxUnitID"
        raise DocumentInvalid(msg)
    number = int(found[1])
    resources = []
    for page in pages:
        _, _, width, height = page.box
        resource_id, layer_id, object_id = number + 1, number + 2, number + 3
        number += 3
        name = f"over_{resource_id}.png"
        picture = draw_over(width, height)
        changes[f"/Doc_0/Res/{name}"] = picture
        attributes: Attributes = {"ID": resource_id, "Type": "Image", "Format": "PNG"}
        resources.append(element("MultiMedia", attributes, element("MediaFile", None, name)))
        item = Picture(data=picture, x=0, y=0, width=width, height=height)
        layer = element(
            "Layer",
            {"ID": layer_id, "Type": "Foreground"},
            picture_xml(item, object_id=object_id, resource_id=resource_id),
        )
        changes[page.path] = _insert_before(package.read(page.path), b"</ofd:Content>", layer.encode())
    changes[f"/Doc_0/{_RESOURCES}"] = document(
        "Res", {"BaseLoc": "Res"}, element("MultiMedias", None, *resources)
    )
    return number


def _document(data: bytes, last_id: int) -> bytes:
    data = _replace_once(data, _MAX_ID, element("MaxUnitID", None, str(last_id)).encode())
    entry = element("DocumentRes", None, _RESOURCES).encode()
    place = b"<ofd:TemplatePage" if b"<ofd:TemplatePage" in data else b"</ofd:CommonData>"
    position = data.index(place)
    return data[:position] + entry + data[position:]


def _replace_once(data: bytes, pattern: re.Pattern[bytes], value: bytes) -> bytes:
    made, times = pattern.subn(lambda _: value, data)
    if times != 1:
        msg = "only a certificate that this hub laid out can be annotated"
        raise DocumentInvalid(msg)
    return made


def _insert_before(data: bytes, marker: bytes, value: bytes) -> bytes:
    if data.count(marker) != 1:
        msg = "only a certificate that this hub laid out can be annotated"
        raise DocumentInvalid(msg)
    return data.replace(marker, value + marker)
