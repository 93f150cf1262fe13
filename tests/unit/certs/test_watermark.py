"""The watermark of annotated copies, and the package under it."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, date, datetime
from itertools import product

import numpy as np
import pytest
from PIL import Image

from certs.ofd.derive import derive_package
from certs.ofd.font_search import load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.sign import Stamp, sign_package
from certs.templates import load_template, render_certificate
from certs.watermark import GREY, OPACITY, draw_watermark
from signing import sm3
from tests.unit.certs.template_samples import COMMON, METADATA

TEXT = "仅供示例市食品经营许可办理使用 示例市行政审批局 2026-12-01"


@pytest.mark.parametrize("size", [(297, 210), (210, 148), (85.6, 54), (1, 1)])
@pytest.mark.parametrize("text", [TEXT, "仅", TEXT * 6])
def test_watermark_covers_every_part_of_the_page_and_hides_none(size: tuple[float, float], text: str) -> None:
    picture = Image.open(io.BytesIO(draw_watermark(text, *size, fonts=load_fonts())))
    points = np.asarray(picture.convert("RGBA"))
    assert points.shape[:2] == tuple(max(round(side * 100 / 25.4), 1) for side in reversed(size))
    assert (points[:, :, :3][points[:, :, 3] > 0] == GREY).all()
    assert points[:, :, 3].max() <= OPACITY
    high, wide = points.shape[0] // 3, points.shape[1] // 3
    if min(size) > 100:
        for y, x in product(range(3), range(3)):
            assert points[y * high : (y + 1) * high, x * wide : (x + 1) * wide, 3].max() == OPACITY


def test_watermark_of_a_page_is_a_picture_of_few_octets() -> None:
    picture = draw_watermark(TEXT, 297, 210, fonts=load_fonts())
    assert len(picture) < 80_000
    assert picture == draw_watermark(TEXT, 297, 210, fonts=load_fonts())


def annotate() -> tuple[bytes, OfdPackage]:
    """Return a sealed licence, and the unsigned package of its annotated copy."""
    unsigned = render_certificate(
        load_template("business-licence"),
        metadata={**COMMON, **METADATA["business-licence"]},
        qr_payload="https://hub.example/c/1",
        created_on=date(2026, 1, 5),
        fonts=load_fonts(),
    )
    original = sign_package(
        unsigned,
        seal_der=b"seal",
        stamps=[Stamp(page=0, x=1, y=1, width=42, height=42)],
        sign=lambda _, __: b"value",
        signed_at=datetime(2026, 1, 5, tzinfo=UTC),
    ).data
    derived = derive_package(
        OfdPackage.parse(original),
        document_id="0" * 32,
        metadata={"JZ_SY": "办理"},
        draw_over=lambda width, height: draw_watermark(TEXT, width, height, fonts=load_fonts()),
    )
    return original, derived


def test_what_a_copy_takes_over_stays_as_it_is_packed() -> None:
    original, derived = annotate()
    before, after = (zipfile.ZipFile(io.BytesIO(each)) for each in (original, derived.with_files({})))
    changed = {"OFD.xml", "Doc_0/Document.xml", "Doc_0/Pages/Page_0/Content.xml"}
    taken_over = [name for name in before.namelist() if "/Signs/" not in name and name not in changed]
    assert len(taken_over) > 8
    for name in taken_over:
        assert after.read(name) == before.read(name)
        assert after.getinfo(name).compress_size == before.getinfo(name).compress_size
    assert not [name for name in after.namelist() if "/Signs/" in name]
    assert set(after.namelist()) - set(before.namelist()) == {"Doc_0/Res/over_72.png", "Doc_0/CopyRes.xml"}
    assert derived.digest("/OFD.xml") == sm3.digest(after.read("OFD.xml"))
    assert "办理" in after.read("OFD.xml").decode()
