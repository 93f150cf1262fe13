"""ZXing, which telephones read codes with, reads the code on every face, drawn by us and by ofdrw."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from certs.face.payload import FaceFacts, FaceKey, build_face, build_key_statement, digest_holder, verify_face
from certs.ofd.font_search import load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.render import rasterise, render_page
from certs.templates import load_template, render_certificate
from signing.sm2 import PrivateKey
from tests.interop.certs.test_ofdrw_render import draw_with_ofdrw
from tests.interop.harness import java_command, run
from tests.unit.certs.template_samples import COMMON, METADATA, photo
from tests.unit.signing.seals import pki

pytestmark = pytest.mark.interop

FOLDER = Path(__file__).resolve().parents[1]
FRAMES = ((13, 0), (12, 0), (13, 90), (12, 180))
"""Pixels per millimetre and degrees that the picture is turned by, tried as a camera tries one after another.

ZXing finds no code in 2 to 3 of 100 such pictures, and of 1 code in 200 at no scale: random modules look like
a finder pattern to it. Turned by a quarter, it found every one of those.
"""
ON = date(2026, 11, 24)
IDENTIFIER = "1.2.156.3005.2.11100000MB0143028R001.11990000DM0000013N.2024000000000001.001.D"


@pytest.fixture(scope="module")
def zxing() -> list[str]:
    return java_command(FOLDER / "java-zxing", "harness.ReadQr")


def read(command: list[str], frames: Iterator[Image.Image], folder: Path) -> dict[str, str]:
    """Let ZXing read the first picture in which it finds a code."""
    for picture in frames:
        picture.convert("L").save(folder / "code.png")
        told = run([*command, folder / "code.png"], check=False)
        if "NotFoundException" not in told:
            return dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    pytest.fail("ZXing found no code in any picture")


def face_of(name: str) -> str:
    """The longest code there is: address, key, facts with long names, and both signatures."""
    key = PrivateKey.generate()
    statement = build_key_statement(
        public_key=key.public_key, last_on=date(2027, 11, 24), authority=pki.pki().authority.signer
    )
    facts = FaceFacts(
        identifier=IDENTIFIER,
        type_name=METADATA[name]["ZZMC"],
        holder_name="示例市第一百二十三商贸有限公司",
        holder_digest=digest_holder(IDENTIFIER, "91990000MA0TE5T088"),
        issued_on=ON,
        valid_until=None,
    )
    return build_face(
        facts, base_url="https://certificates.example", key=FaceKey(signer=key, statement=statement)
    )


def lay_out(name: str, payload: str) -> bytes:
    return render_certificate(
        load_template(name),
        metadata={**COMMON, **METADATA[name]},
        qr_payload=payload,
        created_on=ON,
        fonts=load_fonts(),
        photos={"KZ_ZP": photo()},
    )


def crop(name: str, page: Image.Image) -> Image.Image:
    """Cut the code out as a camera would frame it: with what stands around."""
    template = load_template(name)
    assert template.qr is not None
    scale, place, around = page.width / template.page.width, template.qr, 3
    left, top = (place.x - around) * scale, (place.y - around) * scale
    side = (place.side + 2 * around) * scale
    return page.crop((int(left), int(top), int(left + side), int(top + side)))


@pytest.mark.parametrize("name", sorted(METADATA))
def test_code_on_the_face_is_read_by_zxing_and_verifies_offline(
    zxing: list[str], tmp_path: Path, name: str
) -> None:
    payload = face_of(name)
    data = lay_out(name, payload)
    page = render_page(OfdPackage.parse(data), number=1, fonts=None)

    def photograph() -> Iterator[Image.Image]:
        for dots, degrees in FRAMES:
            width = int(load_template(name).page.width * dots)
            yield crop(name, Image.open(io.BytesIO(rasterise(page, width_px=width)))).rotate(degrees)

    told = read(zxing, photograph(), tmp_path)
    assert told == {"level": "M", "text": payload}
    facts = verify_face(told["text"], authority=pki.pki().authority.certificate)
    assert facts.is_held_by("91990000MA0TE5T088")


def test_code_on_a_page_that_ofdrw_drew_is_read_by_zxing(zxing: list[str], tmp_path: Path) -> None:
    name = "business-licence"
    payload = face_of(name)
    command = java_command(FOLDER / "java-ofdrw-render", "harness.Render")
    data = lay_out(name, payload)

    def photograph() -> Iterator[Image.Image]:
        for dots, degrees in FRAMES:
            page = draw_with_ofdrw(command, data, tmp_path, dots_per_mm=dots).page
            yield crop(name, page).rotate(degrees)

    assert read(zxing, photograph(), tmp_path)["text"] == payload
