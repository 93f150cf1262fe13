"""`shuzheng cert render`: draw a page of an OFD file, ours or another's, as SVG or PNG."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from certs.ofd.errors import FontMissing
from certs.ofd.font_search import FontShelf, load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.render import Watermark, rasterise, render_page
from core.errors import BadInput
from core.settings import Settings


class PictureFormat(StrEnum):
    """What a page is drawn as."""

    SVG = "svg"
    PNG = "png"


def add_commands(app: typer.Typer) -> None:
    """Add the command to the group `cert`."""
    app.command()(render)


def render(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="an OFD file")],
    page: Annotated[int, typer.Option(min=1, help="page, counted from 1 over all documents of the file")] = 1,
    format_: Annotated[PictureFormat, typer.Option("--format", help="svg or png")] = PictureFormat.PNG,
    watermark: Annotated[
        str | None, typer.Option(help="text to repeat over the page; \\n begins a line")
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="pixels across (png); 150 dots per inch without it")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="file to write; standard output without it")] = None,
) -> None:
    """Draw one page for looking at. A drawing proves nothing: `shuzheng cert verify` examines the seals."""
    if file.stat().st_size > Settings().max_certificate_bytes:
        msg = "the file is larger than SHUZHENG_MAX_CERTIFICATE_BYTES allows"
        raise BadInput(msg)
    mark = None if watermark is None else Watermark(text=watermark.replace("\\n", "\n"))
    fonts = _fonts(needed=mark is not None)
    drawn = render_page(OfdPackage.parse(file.read_bytes()), number=page, fonts=fonts, watermark=mark)
    for note in drawn.notes:
        Console(stderr=True).print(note, style="yellow", highlight=False, markup=False)
    data = drawn.svg.encode() if format_ is PictureFormat.SVG else rasterise(drawn, width_px=width)
    if out is None:
        sys.stdout.buffer.write(data)
    else:
        out.write_bytes(data)


def _fonts(*, needed: bool) -> FontShelf | None:
    try:
        return load_fonts()
    except FontMissing:
        if needed:
            raise
        return None
