"""Templates: the five that ship, the format's checks, long and rare texts, photographs."""

from __future__ import annotations

import io
import itertools
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from certs.identifiers import CheckStatus, parse_identifier
from certs.ofd.errors import GlyphMissing, TextOverflow
from certs.ofd.font_search import FontShelf, load_fonts
from certs.ofd.fonts import FontFace
from certs.ofd.package import OfdPackage
from certs.ofd.render import rasterise, render_page
from certs.ofd.truetype import GlyphOutline
from certs.templates import load_template, render_certificate, template_names
from certs.templates.forms import expand_form
from certs.templates.parts import FieldPart, FormPart, Label, Line
from certs.templates.patterns import Form, parse_pattern, write_value
from certs.templates.shelf import parse_template
from core.errors import BadInput, SchemaViolation
from tests.unit.certs.template_samples import COMMON, METADATA, PHOTO_TEMPLATES, photo

QR = "https://hub.example/c/1.2.156.3005.2.11100000MB0143028R001.11990000DM0000013N.91990000MA0TE5T088.001.K"
RARE = "𠮷"
NAMES = sorted(METADATA)


def lay_out(name: str, *, fonts: FontShelf | None = None, **changes: str) -> bytes:
    photos = {"KZ_ZP": photo()} if name in PHOTO_TEMPLATES else {}
    return render_certificate(
        load_template(name),
        metadata={**COMMON, **METADATA[name], **changes},
        qr_payload=QR,
        created_on=date(2026, 11, 24),
        fonts=fonts or load_fonts(),
        photos=photos,
    )


def texts(data: bytes) -> str:
    package = OfdPackage.parse(data)
    return "".join(
        code.text or "" for code in package.xml("/Doc_0/Pages/Page_0/Content.xml").iter("TextCode")
    )


def template(**changes: Any) -> bytes:
    value: dict[str, Any] = {
        "format": "shuzheng-certificate-template",
        "version": 1,
        "name": "x",
        "title": "甲",
        "page": {"width": 100, "height": 50},
        "styles": {"a": {"size": 5}},
        "background": [],
        "fields": [{"kind": "field", "element": "CZZT", "box": [10, 10, 50, 10], "style": "a"}],
        "seal": {"x": 50, "y": 25},
    }
    return json.dumps(value | changes).encode()


def field(**changes: Any) -> dict[str, Any]:
    return {"kind": "field", "element": "A", "box": [1, 1, 9, 9], "style": "a"} | changes


def test_five_templates_ship_and_each_has_a_sample() -> None:
    assert set(template_names()) == set(NAMES)


def test_samples_carry_an_identifier_that_checks() -> None:
    assert parse_identifier(COMMON["ZZBS"]).check_status is CheckStatus.OK


@pytest.mark.parametrize("name", NAMES)
def test_template_shows_its_code_large_enough_to_be_read(name: str) -> None:
    place = load_template(name).qr
    assert place is not None
    assert place.side >= 27  # ZXing reads the longest face surely from 26 mm on


@pytest.mark.parametrize("name", NAMES)
def test_template_shows_every_value_it_names(name: str) -> None:
    shown = texts(lay_out(name))
    for element in load_template(name).elements:
        value = {**COMMON, **METADATA[name]}.get(element)
        if value:
            written = [write_value(value, form) for form in Form]
            assert any(each.replace(" ", "") in shown.replace(" ", "") for each in written), element


@pytest.mark.parametrize("name", NAMES)
def test_template_gives_the_same_octets_for_the_same_values(name: str) -> None:
    assert lay_out(name) == lay_out(name)


@pytest.mark.parametrize("name", NAMES)
def test_template_draws_a_full_page_with_room_around(name: str) -> None:
    page = render_page(OfdPackage.parse(lay_out(name)), number=1, fonts=load_fonts())
    assert page.notes == ()
    image = Image.open(io.BytesIO(rasterise(page, width_px=400))).convert("L")
    border = [image.getpixel((x, 3)) for x in range(0, 400, 7)]
    assert all(isinstance(value, int) and value > 235 for value in border)
    dark = sum(value < 110 for value in image.tobytes()) / (image.width * image.height)
    assert 0.01 < dark < 0.25


@pytest.mark.parametrize("name", NAMES)
def test_template_refuses_each_missing_required_value_by_name(name: str) -> None:
    required = [element for element, needed in load_template(name).elements.items() if needed]
    assert required
    for element in required:
        with pytest.raises(SchemaViolation) as caught:
            lay_out(name, **{element: ""})
        assert [error.pointer for error in caught.value.errors] == [f"/metadata/{element}"]


@pytest.mark.parametrize("name", NAMES)
def test_template_holds_long_names_by_wrapping_and_shrinking(name: str) -> None:
    long = "示例市长青绿色有机农副产品供应链管理与技术服务（集团）股份有限公司东城第一分公司"
    assert long in texts(lay_out(name, CZZT=long))


@pytest.mark.parametrize("name", NAMES)
def test_template_holds_the_name_of_an_office_below_several_others(name: str) -> None:
    office = "示例自治州示例自治县市场监督管理和知识产权局经济技术开发区分局"
    assert office in texts(lay_out(name, ZZBFJG=office)).replace("\n", "").replace(" ", "")


@pytest.mark.parametrize("name", NAMES)
def test_value_that_fills_its_row_keeps_clear_of_the_rules(name: str) -> None:
    """Long values fill their boxes to the edge, so the boxes themselves must keep away from rules."""
    for form in load_template(name).fields:
        if not isinstance(form, FormPart):
            continue
        parts = list(expand_form(form))
        levels = [part.start[1] for part in parts if isinstance(part, Line) and part.start[1] == part.end[1]]
        for field in (part for part in parts if isinstance(part, FieldPart)):
            _, top, _, height = field.box
            assert all(min(abs(top - y), abs(top + height - y)) > 0.7 for y in levels), field.element


@pytest.mark.parametrize("name", NAMES)
def test_value_that_fills_its_box_does_not_touch_what_stands_beside_it(name: str) -> None:
    template = load_template(name)
    whole = [(part.text, part.box) for part in template.background if isinstance(part, Label)]
    for part in template.fields:
        rows = expand_form(part) if isinstance(part, FormPart) else (part,)
        whole += [(each.text, each.box) for each in rows if isinstance(each, Label)]
        whole += [(each.element, each.box) for each in rows if isinstance(each, FieldPart)]
    for (first, one), (second, other) in itertools.combinations(whole, 2):
        aside = one[0] + one[2] <= other[0] + 1e-6 or other[0] + other[2] <= one[0] + 1e-6
        above = one[1] + one[3] <= other[1] + 1e-6 or other[1] + other[3] <= one[1] + 1e-6
        assert aside or above, (first, second)


def test_template_with_value_beyond_every_size_says_which_and_where() -> None:
    with pytest.raises(TextOverflow) as caught:
        lay_out("business-licence", KZ_FDDBR="长" * 900)
    assert [error.pointer for error in caught.value.errors] == ["/metadata/KZ_FDDBR"]
    assert "94 by 13 mm" in caught.value.detail


def test_text_as_long_as_the_item_allows_fits_the_scope_of_a_licence() -> None:
    assert texts(lay_out("business-licence", KZ_JYFW=("农副产品销售；" * 286)[:2000])).count("农副") == 286


def test_last_line_of_one_character_is_avoided_by_shrinking() -> None:
    package = OfdPackage.parse(lay_out("food-business-permit", KZ_ZS="示例市东城区示例路1号院3号楼2层201室"))
    sizes = {
        "".join(code.text or "" for code in each.iter("TextCode")): float(each.get("Size", "0"))
        for each in package.xml("/Doc_0/Pages/Page_0/Content.xml").iter("TextObject")
    }
    assert sizes["示例市东城区示例路1号院3号楼2层201室"] < 4.8


def test_character_that_no_font_has_is_named_with_its_field() -> None:
    with pytest.raises(GlyphMissing) as caught:
        lay_out("business-licence", KZ_FDDBR=f"张{RARE}")
    assert [error.pointer for error in caught.value.errors] == ["/metadata/KZ_FDDBR"]
    assert f"{RARE} (U+20BB7)" in caught.value.detail
    assert "SHUZHENG_FONT_FOLDER" in caught.value.detail


def test_character_that_only_another_font_has_is_set_in_that_one() -> None:
    base = load_fonts().face(400)
    rare = RareFace(base)
    shelf = FontShelf(regular=base, bold=load_fonts().face(700), rare=[rare])
    data = lay_out("business-licence", fonts=shelf, KZ_FDDBR=f"张{RARE}三")
    package = OfdPackage.parse(data)
    page = package.xml("/Doc_0/Pages/Page_0/Content.xml")
    fonts = {
        "".join(code.text or "" for code in each.iter("TextCode")): each.get("Font")
        for each in page.iter("TextObject")
    }
    assert fonts[RARE] not in {fonts["张"], None}
    assert fonts["张"] == fonts["三"]
    assert render_page(package, number=1, fonts=None).notes == ()


class RareFace(FontFace):
    """A font that has one rare character and no other; it borrows the outline of a common one."""

    def __init__(self, base: FontFace) -> None:
        self.__dict__.update(base.__dict__)
        self._known: dict[str, GlyphOutline] = {}
        self._cmap = {ord(RARE): base._cmap[ord("吉")]}


def test_photo_is_cropped_to_its_place_and_stripped() -> None:
    package = OfdPackage.parse(lay_out("resident-certificate"))
    (path,) = [path for path in package.paths if path.endswith(".jpg")]
    with Image.open(io.BytesIO(package.read(path))) as picture:
        assert abs(picture.width / picture.height - 36 / 48) < 0.01
        assert not picture.getexif()


@pytest.mark.parametrize(
    "encoded", ["%%%", "aGVsbG8=", photo(20, 20), "A" * 800_000], ids=["no base64", "text", "tiny", "huge"]
)
def test_photo_that_cannot_be_used_is_refused_by_name(encoded: str) -> None:
    with pytest.raises(SchemaViolation) as caught:
        render_certificate(
            load_template("resident-certificate"),
            metadata={**COMMON, **METADATA["resident-certificate"]},
            qr_payload=QR,
            created_on=date(2026, 11, 24),
            fonts=load_fonts(),
            photos={"KZ_ZP": encoded},
        )
    assert [error.pointer for error in caught.value.errors] == ["/metadata/KZ_ZP"]


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        ("20261124", Form.DATE, "2026年11月24日"),
        ("20260105", Form.DOTS, "2026.01.05"),
        ("20261124", Form.HAN, "二〇二六年十一月二十四日"),
        ("20301010", Form.HAN, "二〇三〇年十月十日"),
        ("20000430", Form.HAN, "二〇〇〇年四月三十日"),
        ("长期", Form.DATE, "长期"),
        ("20261124", Form.TEXT, "20261124"),
    ],
)
def test_day_is_written_in_each_form(value: str, form: Form, written: str) -> None:
    assert write_value(value, form) == written


def test_pattern_joins_elements_and_stands_in_for_absent_ones() -> None:
    pattern = parse_pattern("{A|dots} — {B|dots|长期}")
    assert pattern.fill({"A": "20260101", "B": "20270101"}) == "2026.01.01 — 2027.01.01"
    assert pattern.fill({"A": "20260101"}) == "2026.01.01 — 长期"


@pytest.mark.parametrize("pattern", ["{a}", "{A", "A}", "{A|hours}", "{}", "{A|date|x|y}"])
def test_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError):
        parse_pattern(pattern)


@pytest.mark.parametrize(
    ("changes", "pointer", "words"),
    [
        ({"version": 2}, "/version", "1"),
        ({"format": "x"}, "/format", "shuzheng"),
        ({"extra": 1}, "/extra", "not permitted"),
        (
            {"fields": [{"kind": "field", "element": "czzt", "box": [1, 1, 9, 9], "style": "a"}]},
            "/fields/0",
            "pattern",
        ),
        (
            {"fields": [{"kind": "field", "element": "A", "box": [1, 1, 0, 9], "style": "a"}]},
            "/fields/0",
            "greater",
        ),
        ({"fields": [{"kind": "field", "element": "A", "box": [1, 1, 9, 9], "style": "b"}]}, "", "style b"),
        ({"fields": [{"kind": "field", "element": "A", "box": [95, 1, 9, 9], "style": "a"}]}, "", "edge"),
        ({"fields": [{"kind": "hologram"}]}, "/fields/0", "hologram"),
        ({"seal": {"x": 101, "y": 1}}, "", "seal: reaches over the edge"),
        ({"qr": {"x": 90, "y": 1, "side": 20}}, "", "qr: reaches over the edge"),
        ({"page": {"width": 1e400, "height": 5}}, "/page/width", "finite"),
        ({"styles": {"a": {"size": 3, "min_size": 4}}}, "/styles/a", "min_size"),
        (
            {
                "fields": [
                    {"kind": "field", "element": "A", "box": [1, 1, 9, 9], "style": "a", "pattern": "{B}"}
                ]
            },
            "/fields/0",
            "itself",
        ),
        ({"background": [{"kind": "line", "start": [0, 0], "end": [101, 0]}]}, "", "edge"),
    ],
)
def test_template_that_breaks_its_format_is_refused_with_the_place(
    changes: dict[str, Any], pointer: str, words: str
) -> None:
    with pytest.raises(SchemaViolation) as caught:
        parse_template(template(**changes))
    assert any(error.pointer.startswith(pointer) and words in error.detail for error in caught.value.errors)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_template_that_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        parse_template(data)


def test_documentation_names_every_part_and_key_of_the_format() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "templates.md").read_text(encoding="utf-8")
    from certs.templates import model, parts

    for kind in [*vars(parts).values(), *vars(model).values()]:
        if isinstance(kind, type) and issubclass(kind, parts.Part) and kind is not parts.Part:
            for key in kind.model_fields:
                assert f"`{key}`" in page, f"{kind.__name__}.{key}"
