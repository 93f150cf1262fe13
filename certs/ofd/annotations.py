"""Annotations (注释, GB/T 33190-2016 chapter 15): laid over a page, not part of its content."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from certs.ofd.objects import PageObject
from certs.ofd.xml_writer import document, element, numbers, text


class AnnotationKind(StrEnum):
    """Kinds of annotation (table 61)."""

    LINK = "Link"
    PATH = "Path"
    HIGHLIGHT = "Highlight"
    STAMP = "Stamp"
    WATERMARK = "Watermark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """One annotation; its objects are placed from the top left corner of its `box` (x, y, width, height)."""

    id: int
    page_id: int
    kind: AnnotationKind
    box: tuple[float, float, float, float]
    creator: str
    changed_on: date
    remark: str = ""
    objects: Sequence[tuple[int, PageObject]] = field(default_factory=tuple, repr=False)


WriteObject = Callable[[int, PageObject], str]


def annotation_files(annotations: Iterable[Annotation], write: WriteObject) -> dict[str, bytes]:
    """Write the list of annotations, and one file for each page that has some."""
    pages: dict[int, list[Annotation]] = {}
    for annotation in annotations:
        pages.setdefault(annotation.page_id, []).append(annotation)
    if not pages:
        return {}
    entries = [
        element("Page", {"PageID": page_id}, element("FileLoc", None, f"Page_{number}/Annotation.xml"))
        for number, page_id in enumerate(pages)
    ]
    files = {"Doc_0/Annots/Annotations.xml": document("Annotations", None, *entries)}
    for number, members in enumerate(pages.values()):
        written = [_annotation_xml(each, write) for each in members]
        files[f"Doc_0/Annots/Page_{number}/Annotation.xml"] = document("PageAnnot", None, *written)
    return files


def _annotation_xml(annotation: Annotation, write: WriteObject) -> str:
    objects = [write(object_id, item) for object_id, item in annotation.objects]
    return element(
        "Annot",
        {
            "ID": annotation.id,
            "Type": annotation.kind,
            "Creator": annotation.creator,
            "LastModDate": annotation.changed_on.isoformat(),
        },
        element("Remark", None, text(annotation.remark)) if annotation.remark else "",
        element("Appearance", {"Boundary": numbers(annotation.box)}, *objects),
    )
