"""Build one SVG document piece by piece, within a budget."""

from __future__ import annotations

from typing import Final

from certs.ofd.errors import PageTooComplex
from certs.ofd.render.values import BoxValues, Matrix, format_number

MAX_SVG_CHARACTERS: Final = 24 * 1024 * 1024
MAX_NOTES: Final = 50
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"})


class Canvas:
    """Collects definitions, drawn pieces and notes. Raises PageTooComplex above its budget."""

    def __init__(self) -> None:
        self._definitions: list[str] = []
        self._pieces: list[str] = []
        self._named: dict[str, str] = {}
        self._notes: dict[str, None] = {}
        self._size = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out or replaced, each once."""
        return tuple(self._notes)

    def note(self, sentence: str) -> None:
        """Note something that was left out or replaced."""
        if len(self._notes) < MAX_NOTES:
            self._notes[sentence] = None

    def draw(self, piece: str) -> None:
        """Add a piece of SVG."""
        self._spend(piece)
        self._pieces.append(piece)

    def define(self, key: str, content: str, *, element: str = "path") -> str:
        """Define something once under `key` and return its ID; `content` is `attributes[>children]`."""
        if key not in self._named:
            identifier = f"d{len(self._named)}"
            self._named[key] = identifier
            body, _, children = content.partition(">")
            written = f'<{element} id="{identifier}" {body}' + (
                f">{children}</{element}>" if children else "/>"
            )
            self._spend(written)
            self._definitions.append(written)
        return self._named[key]

    def open(self, **attributes: str | None) -> None:
        """Open a group; names are written with `-` for `_`."""
        written = "".join(
            f' {name.replace("_", "-")}="{value.translate(_ESCAPES)}"'
            for name, value in attributes.items()
            if value
        )
        self.draw(f"<g{written}>")

    def close(self) -> None:
        """Close the group opened last."""
        self.draw("</g>")

    def clip_box(self, box: BoxValues) -> str:
        """Define a rectangle to clip by, and return the reference to it."""
        x, y, width, height = map(format_number, box)
        data = f"M{x} {y}h{width}v{height}h-{width}z"
        return f"url(#{self.define(f'clip {data}', f'>{_path(data)}', element='clipPath')})"

    def clip_paths(self, paths: list[str]) -> str:
        """Define the union of drawn paths to clip by, and return the reference to it."""
        children = "".join(paths)
        return f"url(#{self.define(f'clip {children}', f'>{children}', element='clipPath')})"

    def finish(self, *, width_mm: float, height_mm: float, origin: tuple[float, float]) -> str:
        """Write the whole document."""
        width, height = format_number(width_mm), format_number(height_mm)
        x, y = map(format_number, origin)
        box = f"{x} {y} {width} {height}"
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
            f' width="{width}mm" height="{height}mm" viewBox="{box}">'
        )
        paper = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="#fff"/>'
        definitions = f"<defs>{''.join(self._definitions)}</defs>" if self._definitions else ""
        return f"{head}{definitions}{paper}{''.join(self._pieces)}</svg>"

    def _spend(self, piece: str) -> None:
        self._size += len(piece)
        if self._size > MAX_SVG_CHARACTERS:
            msg = "the page has more on it than a preview may take"
            raise PageTooComplex(msg)


def _path(data: str) -> str:
    return f'<path d="{data}"/>'


def write_matrix(matrix: Matrix) -> str:
    """Write a transform."""
    return f"matrix({' '.join(map(format_number, matrix))})"


def write_move(x: float, y: float) -> str:
    """Write a translation."""
    return f"translate({format_number(x)} {format_number(y)})"
