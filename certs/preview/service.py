"""Draw pages of issued certificates for those who may have the file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from certs.ofd.font_search import FontShelf
from certs.ofd.package import OfdPackage
from certs.ofd.render import Watermark, rasterise, render_page
from certs.use.service import UseService
from core.caller import Caller, Purpose

MAX_AT_ONCE: Final = 2
"""Pages drawn at the same time by one process; others wait."""


class PreviewFormat(StrEnum):
    """What a page is drawn as."""

    PNG = "png"
    SVG = "svg"

    @property
    def media_type(self) -> str:
        """The media type of such a picture."""
        return "image/png" if self is PreviewFormat.PNG else "image/svg+xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A picture of one page, and the identifier of the certificate."""

    identifier: str
    data: bytes = field(repr=False)
    format: PreviewFormat


class PreviewService:
    """Draws previews. `fonts` finds the fonts of this machine when they are first needed."""

    def __init__(self, *, use: UseService, fonts: Callable[[], FontShelf]) -> None:
        self._use = use
        self._fonts = fonts
        self._turn = asyncio.Semaphore(MAX_AT_ONCE)

    async def draw(
        self,
        identifier: str,
        *,
        page: int,
        form: PreviewFormat,
        width_px: int | None,
        watermark: Watermark | None,
        allow_invalid: bool,
        caller: Caller,
        purpose: Purpose,
    ) -> Preview:
        """Draw one page of a certificate's file. The access is decided and logged as that to the file is.

        Raises as `UseService.fetch_file`, PageMissing, BadInput for an absurd width, GlyphMissing for a
        watermark that the fonts cannot draw, FontMissing where there is none.
        """
        fetched = await self._use.fetch_file(
            identifier, allow_invalid=allow_invalid, caller=caller, purpose=purpose
        )

        data = await self.draw_file(
            fetched.data, page=page, form=form, width_px=width_px, watermark=watermark
        )
        return Preview(identifier=identifier, data=data, format=form)

    async def draw_file(
        self,
        file: bytes,
        *,
        page: int,
        form: PreviewFormat,
        width_px: int | None = None,
        watermark: Watermark | None = None,
    ) -> bytes:
        """Draw one page of a file that the caller may have. Raises as `draw`, access aside."""

        def draw() -> bytes:
            package = OfdPackage.parse(file)
            drawn = render_page(package, number=page, fonts=self._fonts(), watermark=watermark)
            if form is PreviewFormat.SVG:
                return drawn.svg.encode()
            return rasterise(drawn, width_px=width_px)

        async with self._turn:
            return await asyncio.to_thread(draw)
