"""Hand-made OFD packages in other producers' ways of writing, and pixels of what is drawn from them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping

from PIL import Image

from certs.ofd.font_search import FontShelf, load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.render import RenderedPage, Watermark, rasterise, render_page

NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'


def xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def package_files(
    content: str, *, resources: str = "", page_attributes: str = "", document: str = "", namespace: str = NS
) -> dict[str, bytes]:
    """One page of 100 by 50 mm with `content` as its only layer."""
    return {
        "OFD.xml": xml(
            f'<ofd:OFD {namespace} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
            f"<ofd:DocID>{'0' * 32}</ofd:DocID></ofd:DocInfo>"
            "<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>"
        ),
        "Doc_0/Document.xml": xml(
            f"<ofd:Document {namespace}><ofd:CommonData><ofd:MaxUnitID>99</ofd:MaxUnitID>"
            "<ofd:PageArea><ofd:PhysicalBox>0 0 100 50</ofd:PhysicalBox></ofd:PageArea>"
            f"<ofd:PublicRes>PublicRes.xml</ofd:PublicRes>{document}</ofd:CommonData>"
            '<ofd:Pages><ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>'
        ),
        "Doc_0/PublicRes.xml": xml(f'<ofd:Res {namespace} BaseLoc="Res">{resources}</ofd:Res>'),
        "Doc_0/Pages/Page_0/Content.xml": xml(
            f'<ofd:Page {namespace}>{page_attributes}<ofd:Content><ofd:Layer ID="2">{content}'
            "</ofd:Layer></ofd:Content></ofd:Page>"
        ),
    }


def pack(files: Mapping[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def pack_gbk(files: Mapping[str, bytes]) -> bytes:
    """Zip as old Chinese producers do: names in GBK, without the flag that says UTF-8."""
    body, directory = bytearray(), bytearray()
    for name, content in files.items():
        raw = name.encode("gbk")
        facts = (0, 0, 0, 33, zlib.crc32(content), len(content), len(content), len(raw), 0)
        directory += struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, *facts, 0, 0, 0, 0, len(body)) + raw
        body += struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, *facts) + raw + content
    count = len(files)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def draw(
    files: Mapping[str, bytes] | bytes,
    *,
    number: int = 1,
    fonts: FontShelf | None = None,
    watermark: Watermark | None = None,
) -> RenderedPage:
    data = files if isinstance(files, bytes) else pack(files)
    fonts = load_fonts() if fonts is None else fonts
    return render_page(OfdPackage.parse(data), number=number, fonts=fonts, watermark=watermark)


def pixels(page: RenderedPage, *, width: int = 200) -> Image.Image:
    """Draw at two pixels to the millimetre of a page of 100 mm."""
    return Image.open(io.BytesIO(rasterise(page, width_px=width))).convert("RGB")


def colour_at(image: Image.Image, x_mm: float, y_mm: float) -> tuple[int, ...]:
    found = image.getpixel((round(x_mm * 2), round(y_mm * 2)))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def darkness(image: Image.Image, box_mm: tuple[float, float, float, float]) -> float:
    """The share of pixels in a box (left, top, right, bottom) that are not white."""
    x, y, right, bottom = (round(each * 2) for each in box_mm)
    values = list(image.convert("L").crop((x, y, right, bottom)).tobytes())
    return sum(value < 200 for value in values) / len(values)
