"""Draw the objects of a page: texts, paths, pictures and composites (chapter 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.render.assets import Assets
from certs.ofd.render.canvas import Canvas, write_matrix, write_move
from certs.ofd.render.paint import write_paint
from certs.ofd.render.resources import Resources
from certs.ofd.render.style import DEFAULT_STYLE, Style, resolve_style
from certs.ofd.render.text import TextDrawer
from certs.ofd.render.values import (
    BoxValues,
    Matrix,
    format_number,
    read_box,
    read_flag,
    read_hull,
    read_matrix,
    read_number,
    read_path,
)
from certs.ofd.xml_reader import child_text

MAX_DEPTH: Final = 12
MAX_OBJECTS: Final = 60_000


@dataclass(slots=True)
class Drawer:
    """Draws objects on one canvas, with the resources that one page or template sees."""

    canvas: Canvas
    assets: Assets
    resources: Resources
    _count: int = 0

    def draw_block(self, block: Element, style: Style = DEFAULT_STYLE, *, depth: int = 0) -> None:
        """Draw all objects of a layer, page block or appearance, in order."""
        style = resolve_style(block, style, self.resources) if depth == 0 else style
        for element in block:
            self._count += 1
            if depth > MAX_DEPTH or self._count > MAX_OBJECTS:
                self.canvas.note(
                    "the page has too many objects or nests them too deeply; the rest was left out"
                )
                return
            if element.tag == "PageBlock":
                self.draw_block(element, style, depth=depth + 1)
            elif element.tag in {"TextObject", "PathObject", "ImageObject", "CompositeObject"}:
                self._draw_object(element, style, depth)

    def _draw_object(self, element: Element, inherited: Style, depth: int) -> None:
        if not read_flag(element.get("Visible"), default=True):
            return
        box = read_box(element)
        if box is None:
            self.canvas.note(f"a {element.tag} has no boundary")
            return
        style = resolve_style(element, inherited, self.resources)
        alpha = min(max(read_number(element.get("Alpha"), 255), 0), 255)
        matrix = read_matrix(element.get("CTM"))
        self.canvas.open(
            transform=write_move(box[0], box[1]),
            clip_path=self._clip_boundary(element, box, style),
            opacity=None if alpha == 255 else format_number(alpha / 255),
        )
        clips = self._open_clips(element)
        if matrix is None and element.tag == "ImageObject":
            matrix = (box[2], 0.0, 0.0, box[3], 0.0, 0.0)
        self.canvas.open(transform=None if matrix is None else write_matrix(matrix))
        self._draw_content(element, style, depth)
        for _ in range(clips + 2):
            self.canvas.close()

    def _clip_boundary(self, element: Element, box: BoxValues, style: Style) -> str | None:
        """Clip an object by its boundary, and half a line around it, which producers often leave out.

        A path that stays inside needs no clip, and clips are dear to draw. Text is not clipped: its
        boundaries are often too small, and no reader minds.
        """
        matrix = read_matrix(element.get("CTM"))
        if element.tag == "TextObject" or (element.tag == "ImageObject" and _fills(matrix, box)):
            return None
        margin = style.line_width
        data = child_text(element, "AbbreviatedData")
        hull = read_hull(data) if element.tag == "PathObject" and matrix is None else None
        if hull is not None:
            left, top, width, height = hull
            right, bottom = left + width, top + height
            if min(left, top) >= -margin and right <= box[2] + margin and bottom <= box[3] + margin:
                return None
        return self.canvas.clip_box((-margin, -margin, box[2] + 2 * margin, box[3] + 2 * margin))

    def _open_clips(self, element: Element) -> int:
        """Open one group for each Clip; areas of one Clip are united, several Clips cut each other (8.4)."""
        opened = 0
        for clip in element.findall("Clips/Clip"):
            paths = []
            for area in clip.findall("Area"):
                matrix = read_matrix(area.get("CTM"))
                for path in area.findall("Path"):
                    data = read_path(child_text(path, "AbbreviatedData"))
                    moved = read_box(path) or (0.0, 0.0, 0.0, 0.0)
                    parts = [
                        write_matrix(matrix) if matrix else "",
                        write_move(moved[0], moved[1]) if moved[:2] != (0.0, 0.0) else "",
                        _matrix_of(path),
                    ]
                    transform = " ".join(part for part in parts if part)
                    rule = ' clip-rule="evenodd"' if path.get("Rule") == "Even-Odd" else ""
                    placed = f' transform="{transform}"' if transform else ""
                    paths.append(f'<path d="{data}"{placed}{rule}/>')
            if paths:
                self.canvas.open(clip_path=self.canvas.clip_paths(paths))
                opened += 1
        return opened

    def _draw_content(self, element: Element, style: Style, depth: int) -> None:
        match element.tag:
            case "TextObject":
                self._draw_text(element, style)
            case "PathObject":
                self._draw_path(element, style)
            case "ImageObject":
                self._draw_picture(element)
            case _:
                self._draw_composite(element, style, depth)

    def _draw_path(self, element: Element, style: Style) -> None:
        data = read_path(child_text(element, "AbbreviatedData"))
        if not data:
            return
        written = f'<path d="{data}"'
        is_filled = read_flag(element.get("Fill"), default=False)
        written += self._paint("fill", style.fill) if is_filled else ' fill="none"'
        if element.get("Rule") == "Even-Odd":
            written += ' fill-rule="evenodd"'
        if read_flag(element.get("Stroke"), default=True):
            written += self._paint("stroke", style.stroke) + style.stroke_attributes()
        self.canvas.draw(written + "/>")

    def _paint(self, name: str, colour: Element | None) -> str:
        return write_paint(name, colour, self.canvas, self.resources)

    def _draw_text(self, element: Element, style: Style) -> None:
        found = self.resources.get(element.get("Font", ""))
        embedded = self.assets.open_font(found)
        standin = self.assets.stand_in(found, weight=read_number(element.get("Weight"), 400))
        is_filled = read_flag(element.get("Fill"), default=True)
        self.canvas.draw(f"<g{self._paint('fill', style.fill if is_filled else style.stroke)}>")
        TextDrawer(element, self.canvas, embedded=embedded, standin=standin).draw()
        self.canvas.close()

    def _draw_picture(self, element: Element) -> None:
        picture = self.assets.open_picture(self.resources.get(element.get("ResourceID", "")))
        if picture is None:
            self.canvas.note("a picture is missing, too large or of a kind that is not drawn")
            self.canvas.draw('<rect width="1" height="1" fill="#eee"/>')
        else:
            self.canvas.draw(f'<use xlink:href="#{picture}"/>')

    def _draw_composite(self, element: Element, style: Style, depth: int) -> None:
        found = self.resources.get(element.get("ResourceID", ""))
        content = None if found is None else found.element.find("Content")
        if content is not None:
            self.draw_block(content, style, depth=depth + 1)


def _matrix_of(element: Element) -> str:
    matrix = read_matrix(element.get("CTM"))
    return "" if matrix is None else write_matrix(matrix)


def _fills(matrix: Matrix | None, box: BoxValues) -> bool:
    """Tell whether a picture fills its boundary and no more."""
    wanted = (box[2], 0.0, 0.0, box[3], 0.0, 0.0)
    return matrix is None or all(abs(a - b) < 0.01 for a, b in zip(matrix, wanted, strict=True))
