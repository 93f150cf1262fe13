"""Fonts and pictures of a package, opened once for a page and kept."""

from __future__ import annotations

from certs.ofd.errors import FontMissing, PackageRefused
from certs.ofd.font_search import FontShelf
from certs.ofd.package import OfdPackage
from certs.ofd.render.canvas import Canvas
from certs.ofd.render.glyphs import EmbeddedFont, StandInFont, looks_bold, open_embedded
from certs.ofd.render.pictures import encode_picture
from certs.ofd.render.resources import Found
from certs.ofd.render.values import read_flag


class Assets:
    """Opens fonts and pictures; what cannot be used is noted on the canvas."""

    def __init__(self, package: OfdPackage, canvas: Canvas, fonts: FontShelf | None) -> None:
        self._package = package
        self._canvas = canvas
        self._fonts = fonts
        self._embedded: dict[str, EmbeddedFont | None] = {}
        self._pictures: dict[str, str | None] = {}

    def open_font(self, found: Found | None) -> EmbeddedFont | None:
        """Open an embedded font; None where another must stand in."""
        if found is None or found.path is None:
            name = "" if found is None else found.element.get("FontName", "")[:60]
            self._canvas.note(f"the font {name} is not embedded; another one stands in")
            return None
        if found.path not in self._embedded:
            data = self.read(found.path)
            font = None if data is None else open_embedded(data, found.path)
            if font is None:
                self._canvas.note(f"the font {found.path[-60:]} cannot be used; another one stands in")
            self._embedded[found.path] = font
        return self._embedded[found.path]

    def stand_in(self, found: Found | None, *, weight: float) -> StandInFont | None:
        """Return the font of this machine that comes nearest; None where there is none."""
        if self._fonts is None:
            return None
        name = "" if found is None else found.element.get("FontName", "")
        is_bold = (
            weight >= 600
            or looks_bold(name)
            or (found is not None and read_flag(found.element.get("Bold"), default=False))
        )
        try:
            return StandInFont(self._fonts, is_bold=is_bold)
        except FontMissing:
            return None

    def open_picture(self, found: Found | None) -> str | None:
        """Return a reference to a picture of one by one millimetre; None where it cannot be drawn."""
        path = None if found is None else found.path
        if path is None:
            return None
        if path not in self._pictures:
            data = self.read(path)
            self._pictures[path] = None if data is None else self.define_picture(path, data)
        return self._pictures[path]

    def define_picture(self, key: str, data: bytes) -> str | None:
        """Define a picture under a key; None where it cannot be drawn."""
        location = encode_picture(data)
        if location is None:
            return None
        attributes = f'width="1" height="1" preserveAspectRatio="none" xlink:href="{location}"'
        return self._canvas.define(f"picture {key}", attributes, element="image")

    def read(self, path: str) -> bytes | None:
        """Read a file of the package; None where it is missing or damaged."""
        try:
            return self._package.read(path) if path in self._package else None
        except PackageRefused:
            return None
