"""Draw one page as SVG: templates, layers, annotations, seals, and a watermark on request."""

from __future__ import annotations

from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.errors import PackageRefused, PageMissing, PageTooComplex
from certs.ofd.font_search import FontShelf
from certs.ofd.locations import resolve_location
from certs.ofd.package import Body, OfdPackage, Page
from certs.ofd.render.assets import Assets
from certs.ofd.render.canvas import Canvas, write_move
from certs.ofd.render.model import RenderedPage, Watermark
from certs.ofd.render.objects import Drawer
from certs.ofd.render.resources import Resources, read_resource_file, read_resources
from certs.ofd.render.stamps import Appearance, find_stamps
from certs.ofd.render.values import format_number, read_box, read_flag
from certs.ofd.render.watermark import draw_watermark
from certs.ofd.xml_reader import child_text, text_of
from signing.errors import DecodeError

_ORDER: Final = {"Background": 0, "Body": 1, "Foreground": 2}
_MAX_TEMPLATES: Final = 20


def count_pages(package: OfdPackage) -> int:
    """Count the pages of all document bodies. Raises PackageRefused."""
    return sum(len(package.pages(body)) for body in package.bodies)


def render_page(
    package: OfdPackage,
    *,
    number: int,
    fonts: FontShelf | None,
    watermark: Watermark | None = None,
    shows_seals: bool = True,
) -> RenderedPage:
    """Draw page `number`, counted from 1 over all document bodies.

    `fonts` stand in for fonts that are not embedded, and draw the watermark; with None such text is left
    out, and noted. Raises PageMissing, PageTooComplex, PackageRefused where the page itself cannot be read,
    GlyphMissing for a watermark that the font cannot draw.
    """
    body, page = _find_page(package, number)
    canvas = Canvas()
    _PageDrawer(package, body, page, canvas, fonts).draw(shows_seals=shows_seals)
    if watermark is not None and fonts is not None:
        draw_watermark(canvas, watermark, page.box, fonts)
    x, y, width, height = page.box
    svg = canvas.finish(width_mm=width, height_mm=height, origin=(x, y))
    return RenderedPage(svg=svg, width_mm=width, height_mm=height, notes=canvas.notes)


def _find_page(package: OfdPackage, number: int) -> tuple[Body, Page]:
    left = number
    for body in package.bodies:
        pages = package.pages(body)
        if 1 <= left <= len(pages):
            return body, pages[left - 1]
        left -= len(pages)
    msg = f"the document has no page {number}; it has {count_pages(package)}"
    raise PageMissing(msg)


class _PageDrawer:
    """Draws one page onto a canvas that others may draw on too."""

    def __init__(
        self, package: OfdPackage, body: Body, page: Page, canvas: Canvas, fonts: FontShelf | None
    ) -> None:
        self._package = package
        self._body = body
        self._page = page
        self._canvas = canvas
        self._fonts = fonts
        self._assets = Assets(package, canvas, fonts)
        self._shared = read_resources(package, body)

    def draw(self, *, shows_seals: bool) -> None:
        root = self._package.xml(self._page.path)
        parts = [*self._templates(root), (_ORDER["Body"], root, self._page.path)]
        for _, content, path in sorted(parts, key=lambda part: part[0]):
            self._draw_content(content, path)
        self._draw_annotations()
        if shows_seals:
            for stamp in find_stamps(self._package, self._body, self._page.id):
                self._draw_stamp(stamp)

    def _templates(self, root: Element) -> list[tuple[int, Element, str]]:
        """Find the templates under and over a page, each with its place in the order (7.7)."""
        listed = self._package.xml(self._body.root_path).findall("CommonData/TemplatePage")
        orders = {each.get("ID", ""): each.get("ZOrder", "Background") for each in listed}
        paths = self._package.templates(self._body)
        found = []
        for each in root.findall("Template")[:_MAX_TEMPLATES]:
            reference = each.get("TemplateID", "")
            order = _ORDER.get(each.get("ZOrder") or orders.get(reference, ""), 0)
            try:
                path = paths[reference]
                found.append((order, self._package.xml(path), path))
            except (KeyError, PackageRefused):
                self._canvas.note("a template of the page is missing or cannot be read")
        return found

    def _draw_content(self, root: Element, path: str) -> None:
        resources: Resources = self._shared
        for holder in root.findall("PageRes"):
            resources = {**resources, **read_resource_file(self._package, text_of(holder), base=path)}
        layers = sorted(root.findall("Content/Layer"), key=_layer_order)
        drawer = Drawer(canvas=self._canvas, assets=self._assets, resources=resources)
        for layer in layers:
            drawer.draw_block(layer)

    def _draw_annotations(self) -> None:
        try:
            files = self._find_annotation_files()
            appearances = [
                appearance
                for path in files
                for annotation in self._package.xml(path).findall("Annot")
                if read_flag(annotation.get("Visible"), default=True)
                and (appearance := annotation.find("Appearance")) is not None
            ]
        except (PackageRefused, DecodeError):
            self._canvas.note("the annotations of the page cannot be read")
            return
        drawer = Drawer(canvas=self._canvas, assets=self._assets, resources=self._shared)
        for appearance in appearances:
            box = read_box(appearance) or (0.0, 0.0, 0.0, 0.0)
            self._canvas.open(transform=write_move(box[0], box[1]))
            drawer.draw_block(appearance)
            self._canvas.close()

    def _find_annotation_files(self) -> list[str]:
        written = child_text(self._package.xml(self._body.root_path), "Annotations")
        if not written:
            return []
        listing = resolve_location(written, base=self._body.root_path)
        return [
            resolve_location(child_text(each, "FileLoc") or "", base=listing)
            for each in self._package.xml(listing).findall("Page")
            if each.get("PageID") == self._page.id
        ]

    def _draw_stamp(self, stamp: Appearance) -> None:
        x, y, width, height = stamp.box
        self._canvas.open(
            transform=write_move(x, y),
            clip_path=self._canvas.clip_box(stamp.clip or (0.0, 0.0, width, height)),
            style="mix-blend-mode:multiply",
        )
        if stamp.kind == "OFD":
            self._draw_nested(stamp)
        else:
            key = f"seal {len(stamp.picture)} {hash(stamp.picture)}"
            picture = self._assets.define_picture(key, stamp.picture)
            if picture is None:
                self._canvas.note(f"the seal's picture, {stamp.kind[:10]}, is not drawn")
            else:
                scale = f"scale({format_number(width)} {format_number(height)})"
                self._canvas.draw(f'<use xlink:href="#{picture}" transform="{scale}"/>')
        self._canvas.close()

    def _draw_nested(self, stamp: Appearance) -> None:
        """Draw a picture that is itself a one-page document; its own seals are not drawn."""
        try:
            package = OfdPackage.parse(stamp.picture)
            body, page = _find_page(package, 1)
            left, top, width, height = page.box
            scale = f"scale({format_number(stamp.box[2] / width)} {format_number(stamp.box[3] / height)})"
            self._canvas.open(transform=f"{scale} {write_move(-left, -top)}")
            _PageDrawer(package, body, page, self._canvas, self._fonts).draw(shows_seals=False)
            self._canvas.close()
        except PageTooComplex:
            raise
        except (PackageRefused, PageMissing, DecodeError):
            self._canvas.note("the seal's picture, a document of its own, cannot be read")


def _layer_order(layer: Element) -> int:
    return _ORDER.get(layer.get("Type", "Body"), 1)
