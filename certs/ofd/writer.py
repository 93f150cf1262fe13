"""Put an OFD document together and write its package (GB/T 33190-2016).

    facts = DocumentFacts(document_id=…, title="营业执照", created_on=day)
    builder = DocumentBuilder(facts, page_size=(297, 210))
    layer = builder.add_page()
    layer.add(Text(…), tag="KZ_JYFW")
    data = builder.build()

The same calls give the same octets. Every number that the format calls ST_ID is given out here, so none
comes twice, and MaxUnitID is the highest.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from certs.ofd.annotations import Annotation, AnnotationKind, annotation_files
from certs.ofd.blank import EMPTY, Blank, SharedFile, share_file
from certs.ofd.errors import DocumentInvalid
from certs.ofd.fonts import FontFace
from certs.ofd.frame_files import (
    DOCUMENT,
    Shape,
    document_file,
    font_entry,
    font_file,
    kind_of_picture,
    picture_entry,
    resource_file,
    tag_list_file,
    tags_file,
)
from certs.ofd.objects import PageObject, Path, Picture, PreparedPath, Text
from certs.ofd.package import Body, BuiltBody, OfdPackage
from certs.ofd.page_xml import path_xml, picture_xml, text_xml
from certs.ofd.xml_writer import document, element, name_attribute, text

CREATOR: Final = "Shuzheng"
FONT_LIST: Final = "Doc_0/PublicRes.xml"
PICTURE_LIST: Final = "Doc_0/DocumentRes.xml"
_ATTACHMENT_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """What DocInfo says. `document_id` is 32 hexadecimal digits; `metadata` are names and values."""

    document_id: str
    title: str
    created_on: date
    author: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{32}", self.document_id):
            msg = "a DocID has 32 hexadecimal digits, in small letters"
            raise DocumentInvalid(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Attachment:
    name: str
    content: bytes
    format: str
    created_on: date


class PageLayer:
    """One page, or one background that pages share; objects are drawn in the order they are added."""

    def __init__(self, builder: DocumentBuilder, page_id: int, background_ids: tuple[int, ...]) -> None:
        self._builder = builder
        self.page_id = page_id
        self.background_ids = background_ids
        self.objects: list[tuple[int, PageObject]] = []
        self.layer_id = builder.next_id()

    def add(self, item: PageObject, *, tag: str | None = None, tags: Sequence[str] = ()) -> int:
        """Add an object and return its ID; `tag` and `tags` name the metadata elements that it shows."""
        object_id = self._builder.next_id()
        self._builder.register(item)
        self.objects.append((object_id, item))
        for name in (*tags, *(() if tag is None else (tag,))):
            self._builder.note_tag(name, self.page_id, object_id)
        return object_id


class DocumentBuilder:
    """Collects pages, fonts, pictures, tags and attachments; `build` writes the package.

    With a `blank`, every page lies on the pages of the blank.
    """

    def __init__(self, facts: DocumentFacts, *, page_size: tuple[float, float], blank: Blank = EMPTY) -> None:
        self._facts = facts
        self._page_size = page_size
        self._blank = blank
        self._last_id = blank.last_id
        self._pages: list[PageLayer] = []
        self._backgrounds: list[PageLayer] = []
        self._fonts: dict[int, tuple[int, FontFace, set[str]]] = {}
        self._pictures: dict[str, tuple[int, bytes]] = {}
        self._tags: dict[str, list[tuple[int, int]]] = {}
        self._attachments: list[_Attachment] = []
        self._annotations: list[Annotation] = []

    def next_id(self) -> int:
        """Give out the next number of the document."""
        self._last_id += 1
        return self._last_id

    def add_page(self, *backgrounds: PageLayer) -> PageLayer:
        """Add a page, over backgrounds made before."""
        under = (*self._blank.page_ids, *(each.page_id for each in backgrounds))
        layer = PageLayer(self, self.next_id(), under)
        self._pages.append(layer)
        return layer

    def add_background(self) -> PageLayer:
        """Add a background (模板页) that pages can lie on."""
        layer = PageLayer(self, self.next_id(), ())
        self._backgrounds.append(layer)
        return layer

    def attach(self, name: str, content: bytes, *, format: str) -> None:  # noqa: A002 - the standard's word
        """Attach a file under a plain ASCII name, each name once. Raises DocumentInvalid."""
        taken = name.lower() in {each.name.lower() for each in self._attachments}
        if not _ATTACHMENT_NAME.fullmatch(name) or taken:
            msg = "an attachment needs a name of its own, of letters, digits, dots and dashes"
            raise DocumentInvalid(msg)
        created_on = self._facts.created_on
        self._attachments.append(
            _Attachment(name=name, content=content, format=format, created_on=created_on)
        )

    def annotate(
        self,
        page: PageLayer,
        items: Iterable[PageObject],
        *,
        kind: AnnotationKind,
        box: tuple[float, float, float, float],
        creator: str = CREATOR,
        remark: str = "",
    ) -> None:
        """Lay objects over a page as an annotation; they are placed from the top left corner of `box`."""
        annotation_id = self.next_id()
        objects = []
        for item in items:
            objects.append((self.next_id(), item))
            self.register(item)
        self._annotations.append(
            Annotation(
                id=annotation_id,
                page_id=page.page_id,
                kind=kind,
                box=box,
                creator=creator,
                changed_on=self._facts.created_on,
                remark=remark,
                objects=tuple(objects),
            )
        )

    def register(self, item: PageObject) -> None:
        """Note the resources that an object needs."""
        if isinstance(item, Text):
            if id(item.face) not in self._fonts:
                self._fonts[id(item.face)] = (self.next_id(), item.face, set())
            self._fonts[id(item.face)][2].update(item.text)
        elif isinstance(item, Picture):
            key = hashlib.sha256(item.data).hexdigest()
            if key not in self._pictures:
                self._pictures[key] = (self.next_id(), item.data)

    def note_tag(self, tag: str, page_id: int, object_id: int) -> None:
        """Note that an object shows a metadata element."""
        self._tags.setdefault(tag, []).append((page_id, object_id))

    def freeze(self) -> Blank:
        """Write the backgrounds and their resources once, as the blank of documents to come."""
        fonts, pictures, files = self._resources()
        files |= self._background_files()
        shared = {
            name: share_file(name, file if isinstance(file, bytes) else file.content)
            for name, file in files.items()
        }
        return Blank(
            last_id=self._last_id,
            page_ids=tuple(layer.page_id for layer in self._backgrounds),
            files=shared,
            fonts=tuple(fonts),
            pictures=tuple(pictures),
        )

    def build(self) -> bytes:
        """Write the package. Raises DocumentInvalid where there is no page."""
        return self.build_package().with_files({})

    def build_package(self) -> OfdPackage:
        """Put the package together in memory, to be signed. Raises as `build`."""
        facts = self._facts
        body = Body(
            document_id=facts.document_id,
            title=facts.title,
            root_path="/Doc_0/Document.xml",
            signatures_path=None,
            metadata=dict(facts.metadata),
        )
        page_ids = tuple(str(layer.page_id) for layer in self._pages)
        files = {f"/{name}": file for name, file in self._all_files().items()}
        return OfdPackage.build(files, BuiltBody(body=body, page_ids=page_ids))

    def build_files(self) -> dict[str, bytes]:
        """Write every file, by its path in the package."""
        files = self._all_files().items()
        return {name: file if isinstance(file, bytes) else file.content for name, file in files}

    def _all_files(self) -> dict[str, bytes | SharedFile]:
        if not self._pages:
            msg = "a document has at least one page"
            raise DocumentInvalid(msg)
        files: dict[str, bytes | SharedFile] = {"OFD.xml": self._root_xml()}
        files[DOCUMENT] = document_file(self._shape())
        fonts, pictures, resources = self._resources()
        files |= resources
        if all_fonts := (*self._blank.fonts, *fonts):
            files[FONT_LIST] = resource_file(FONT_LIST, "Fonts", all_fonts)
        if all_pictures := (*self._blank.pictures, *pictures):
            files[PICTURE_LIST] = resource_file(PICTURE_LIST, "MultiMedias", all_pictures)
        files |= self._background_files()
        for number, layer in enumerate(self._pages):
            files[f"Doc_0/Pages/Page_{number}/Content.xml"] = self._page_xml(layer, kind="Body")
        files |= annotation_files(self._annotations, self._object_xml)
        if self._tags:
            tags = tuple((tag, tuple(places)) for tag, places in self._tags.items())
            files["Doc_0/Tags/CustomTags.xml"] = tag_list_file()
            files["Doc_0/Tags/Items.xml"] = tags_file(tags)
        files |= self._attachment_files()
        files |= self._blank.files
        return files

    def _background_files(self) -> dict[str, bytes]:
        first = len(self._blank.page_ids)
        return {
            f"Doc_0/Tpls/Tpl_{number}/Content.xml": self._page_xml(layer, kind="Background")
            for number, layer in enumerate(self._backgrounds, start=first)
        }

    def _root_xml(self) -> bytes:
        facts = self._facts
        custom = "".join(
            f"<ofd:CustomData{name_attribute(name)}>{text(value)}</ofd:CustomData>"
            if value
            else f"<ofd:CustomData{name_attribute(name)}/>"
            for name, value in facts.metadata.items()
        )
        info = element(
            "DocInfo",
            None,
            element("DocID", None, facts.document_id),
            element("Title", None, text(facts.title)),
            element("Author", None, text(facts.author)) if facts.author else "",
            element("CreationDate", None, facts.created_on.isoformat()),
            element("Creator", None, CREATOR),
            element("CustomDatas", None, custom) if custom else "",
        )
        body = element("DocBody", None, info, element("DocRoot", None, DOCUMENT))
        return document("OFD", {"Version": "1.0", "DocType": "OFD"}, body)

    def _shape(self) -> Shape:
        return Shape(
            page_size=self._page_size,
            last_id=self._last_id,
            has_fonts=bool(self._fonts or self._blank.fonts),
            has_pictures=bool(self._pictures or self._blank.pictures),
            background_ids=(*self._blank.page_ids, *[layer.page_id for layer in self._backgrounds]),
            page_ids=tuple([layer.page_id for layer in self._pages]),
            has_annotations=bool(self._annotations),
            has_tags=bool(self._tags),
            has_attachments=bool(self._attachments),
        )

    def _resources(self) -> tuple[list[str], list[str], dict[str, bytes | SharedFile]]:
        """Write fonts and pictures: the entries of both, and their files."""
        files: dict[str, bytes | SharedFile] = {}
        fonts, pictures = [], []
        for font_id, face, characters in self._fonts.values():
            name, entry = font_entry(font_id, face.family, face.weight)
            path = f"Doc_0/Res/{name}"
            files[path] = font_file(path, face, characters)
            fonts.append(entry)
        for picture_id, data in self._pictures.values():
            name, entry = picture_entry(picture_id, kind_of_picture(data))
            files[f"Doc_0/Res/{name}"] = data
            pictures.append(entry)
        return fonts, pictures, files

    def _page_xml(self, layer: PageLayer, *, kind: str) -> bytes:
        objects = [self._object_xml(object_id, item) for object_id, item in layer.objects]
        content = element("Content", None, element("Layer", {"ID": layer.layer_id, "Type": kind}, *objects))
        backgrounds = [element("Template", {"TemplateID": each}) for each in layer.background_ids]
        return document("Page", None, *backgrounds, content)

    def _object_xml(self, object_id: int, item: PageObject) -> str:
        if isinstance(item, Text):
            return text_xml(item, object_id=object_id, font_id=self._fonts[id(item.face)][0])
        if isinstance(item, Path | PreparedPath):
            return path_xml(item, object_id=object_id)
        key = hashlib.sha256(item.data).hexdigest()
        return picture_xml(item, object_id=object_id, resource_id=self._pictures[key][0])

    def _attachment_files(self) -> dict[str, bytes]:
        if not self._attachments:
            return {}
        entries = [
            element(
                "Attachment",
                {
                    "ID": f"a{number:03d}",
                    "Name": each.name,
                    "Format": each.format,
                    "CreationDate": f"{each.created_on.isoformat()}T00:00:00",
                    "Size": len(each.content) / 1024,
                },
                element("FileLoc", None, f"Files/{each.name}"),
            )
            for number, each in enumerate(self._attachments, start=1)
        ]
        files = {f"Doc_0/Attachs/Files/{each.name}": each.content for each in self._attachments}
        return {"Doc_0/Attachs/Attachments.xml": document("Attachments", None, *entries), **files}
