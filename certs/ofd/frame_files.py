"""The files of a document that hang on its build alone: what it has, under which numbers.

Certificates of one template come out alike in them to the octet, whatever their values; so each form of them
is written, compressed and digested once. What is kept is found by everything that the file is made of.
Source: GB/T 33190-2016 7.5 (Document.xml), 7.9 (resources), chapter 16 (custom tags).
"""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Final, NamedTuple

from certs.ofd.blank import SharedFile, prepare_file
from certs.ofd.fonts import FontFace
from certs.ofd.xml_writer import Attributes, document, element, numbers, raw_element

TAG_NAMESPACE: Final = "urn:shuzheng:certificate-items:1"
"""Namespace of the tag file: each item of the metadata, and the page objects that show it."""

JPEG_MARK: Final = b"\xff\xd8\xff"
DOCUMENT: Final = "Doc_0/Document.xml"
Tags = tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
"""Elements of the metadata, each with the (page, object) that show it."""

_KEPT: Final = 512
"""Files of each kind that are kept: of a few hundred octets to a few thousand."""
_FEW: Final = 40
_DIGITS: Final = frozenset("0123456789")


class Shape(NamedTuple):
    """What Document.xml says of a document."""

    page_size: tuple[float, float]
    last_id: int
    has_fonts: bool
    has_pictures: bool
    background_ids: tuple[int, ...]
    page_ids: tuple[int, ...]
    has_annotations: bool
    has_tags: bool
    has_attachments: bool


@functools.lru_cache(maxsize=_KEPT)
def document_file(shape: Shape) -> SharedFile:
    """Write Document.xml."""
    common = element(
        "CommonData",
        None,
        element("MaxUnitID", None, str(shape.last_id)),
        element("PageArea", None, element("PhysicalBox", None, numbers((0, 0, *shape.page_size)))),
        element("PublicRes", None, "PublicRes.xml") if shape.has_fonts else "",
        element("DocumentRes", None, "DocumentRes.xml") if shape.has_pictures else "",
        *[
            element("TemplatePage", {"ID": page_id, "BaseLoc": f"Tpls/Tpl_{number}/Content.xml"})
            for number, page_id in enumerate(shape.background_ids)
        ],
    )
    pages = [
        element("Page", {"ID": page_id, "BaseLoc": f"Pages/Page_{number}/Content.xml"})
        for number, page_id in enumerate(shape.page_ids)
    ]
    content = document(
        "Document",
        None,
        common,
        element("Pages", None, *pages),
        element("Annotations", None, "Annots/Annotations.xml") if shape.has_annotations else "",
        element("CustomTags", None, "Tags/CustomTags.xml") if shape.has_tags else "",
        element("Attachments", None, "Attachs/Attachments.xml") if shape.has_attachments else "",
    )
    return prepare_file(DOCUMENT, content)


@functools.lru_cache(maxsize=_KEPT)
def font_entry(font_id: int, family: str, weight: int) -> tuple[str, str]:
    """Return the name of an embedded font's file, and its entry among the resources."""
    name = f"font_{font_id}.ttf"
    attributes: Attributes = {
        "ID": font_id,
        "FontName": family,
        "FamilyName": family,
        "Bold": "true" if weight >= 600 else None,
    }
    return name, element("Font", attributes, element("FontFile", None, name))


def font_file(name: str, face: FontFace, characters: Collection[str]) -> bytes | SharedFile:
    """Cut the font of these characters out of a face; one of few characters is kept.

    Of digits it has all or none. So the face that numbers and days are set in, with the name of an office,
    comes out alike for nearly all certificates of one office, and few octets are added.
    """
    if len(characters) > _FEW:
        return face.subset(characters)
    shown = frozenset(characters)
    return _few_characters(name, face, shown if shown.isdisjoint(_DIGITS) else shown | _DIGITS)


@functools.lru_cache(maxsize=_KEPT)
def _few_characters(name: str, face: FontFace, characters: frozenset[str]) -> SharedFile:
    return prepare_file(name, face.subset(characters), is_kept=False)


@functools.lru_cache(maxsize=_KEPT)
def picture_entry(picture_id: int, kind: str) -> tuple[str, str]:
    """Return the name of a picture's file, and its entry among the resources; `kind` is PNG or JPEG."""
    name = f"image_{picture_id}.{'jpg' if kind == 'JPEG' else 'png'}"
    attributes: Attributes = {"ID": picture_id, "Type": "Image", "Format": kind}
    return name, element("MultiMedia", attributes, element("MediaFile", None, name))


def kind_of_picture(data: bytes) -> str:
    """Tell PNG and JPEG apart."""
    return "JPEG" if data.startswith(JPEG_MARK) else "PNG"


@functools.lru_cache(maxsize=_KEPT)
def resource_file(name: str, kind: str, entries: tuple[str, ...]) -> SharedFile:
    """Write a list of resources: `Fonts` or `MultiMedias`."""
    return prepare_file(name, document("Res", {"BaseLoc": "Res"}, element(kind, None, *entries)))


@functools.lru_cache(maxsize=_KEPT)
def tags_file(tags: Tags) -> SharedFile:
    """Write the tag file: which objects of which page show which element."""
    items = [
        raw_element(
            "c:Item",
            {"Name": tag},
            *[element("ObjectRef", {"PageRef": page}, str(object_id)) for page, object_id in places],
        )
        for tag, places in tags
    ]
    root = raw_element(
        "c:Items", {"xmlns:c": TAG_NAMESPACE, "xmlns:ofd": "http://www.ofdspec.org/2016"}, *items
    )
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n{root}'.encode()
    return prepare_file("Doc_0/Tags/Items.xml", content)


@functools.cache
def tag_list_file() -> SharedFile:
    """Write the list of tag files, of which there is one."""
    entry = element("CustomTag", {"NameSpace": TAG_NAMESPACE}, element("FileLoc", None, "Items.xml"))
    return prepare_file("Doc_0/Tags/CustomTags.xml", document("CustomTags", None, entry))
