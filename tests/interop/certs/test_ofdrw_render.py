"""ofdrw reads the certificates that we lay out, and draws them as we draw them.

The harness in tests/interop/java-ofdrw-render opens each file with ofdrw's reader, prints the text it
extracts, and draws the page with ofdrw's converter. Both drawings are shrunk eightfold, so that strokes of a
hair's breadth and the smoothing of edges do not count, and what is left must agree.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from certs.ofd.font_search import load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.render import rasterise, render_page
from certs.templates import load_template, render_certificate
from tests.interop.harness import java_command, run
from tests.unit.certs.template_samples import COMMON, METADATA, photo
from tests.unit.certs.test_ofd_writer import full_document
from tests.unit.certs.test_watermark import annotate

pytestmark = pytest.mark.interop

HARNESS = Path(__file__).resolve().parents[1] / "java-ofdrw-render"
DOTS_PER_MM = 4
SHRINKING = 8
NAMES = sorted(METADATA)


@dataclass(frozen=True)
class Drawing:
    """What ofdrw said of a file, and its drawing of the first page."""

    told: dict[str, str]
    page: Image.Image


@pytest.fixture(scope="module")
def command() -> list[str]:
    return java_command(HARNESS, "harness.Render")


def draw_with_ofdrw(
    command: list[str], data: bytes, folder: Path, *, dots_per_mm: int = DOTS_PER_MM
) -> Drawing:
    (folder / "file.ofd").write_bytes(data)
    printed = run([*command, folder / "file.ofd", folder, str(dots_per_mm)])
    told = dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)
    return Drawing(told=told, page=Image.open(folder / "page-1.png").convert("L"))


def lay_out(name: str) -> bytes:
    return render_certificate(
        load_template(name),
        metadata={**COMMON, **METADATA[name]},
        qr_payload="https://hub.example/c/1",
        created_on=date(2026, 11, 24),
        fonts=load_fonts(),
        photos={"KZ_ZP": photo()},
    )


def draw_ourselves(data: bytes, width: int) -> Image.Image:
    page = render_page(OfdPackage.parse(data), number=1, fonts=None)
    return Image.open(io.BytesIO(rasterise(page, width_px=width))).convert("L")


def distance(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """Return the mean difference of grey, 0 to 255, and the share of places where it is above 30."""
    size = one.width // SHRINKING, one.height // SHRINKING
    shrunk = [each.resize(size, Image.Resampling.BOX) for each in (one, other)]
    difference = ImageChops.difference(*shrunk)
    counts = difference.histogram()
    return ImageStat.Stat(difference).mean[0], sum(counts[30:]) / sum(counts)


@pytest.mark.parametrize("name", NAMES)
def test_certificate_is_read_and_drawn_by_ofdrw_as_by_us(
    command: list[str], tmp_path: Path, name: str
) -> None:
    data = lay_out(name)
    theirs = draw_with_ofdrw(command, data, tmp_path)
    assert theirs.told["pages"] == "1"
    page = OfdPackage.parse(data).xml("/Doc_0/Pages/Page_0/Content.xml")
    assert theirs.told["text.1"] == "".join(code.text or "" for code in page.iter("TextCode"))
    mean, far = distance(draw_ourselves(data, theirs.page.width), theirs.page)
    assert mean < 3
    assert far < 0.002
    blank = Image.new("L", theirs.page.size, 255)
    assert distance(blank, theirs.page)[1] > 0.1, "a blank page must not pass for the certificate"


def test_watermark_of_a_copy_is_drawn_by_ofdrw_as_by_us(command: list[str], tmp_path: Path) -> None:
    _, package = annotate()
    marked, plain = package.with_files({}), lay_out("business-licence")
    theirs = [draw_with_ofdrw(command, each, tmp_path).page for each in (marked, plain)]
    ours = [draw_ourselves(each, theirs[0].width) for each in (marked, plain)]
    mark = ImageChops.difference(*theirs)
    assert distance(Image.new("L", mark.size, 0), mark)[0] > 1
    assert distance(ImageChops.difference(*ours), mark)[0] < 0.5


def test_document_with_one_of_everything_is_read_by_ofdrw(command: list[str], tmp_path: Path) -> None:
    theirs = draw_with_ofdrw(command, full_document().build(), tmp_path)
    assert (theirs.told["pages"], theirs.told["attachments"]) == ("2", "1")
    assert theirs.told["text.1"] == "营业执照"
