"""Pages drawn as SVG and PNG: what others write, what we write, and what must not be drawn."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from certs.ofd.errors import GlyphMissing, PageMissing, PageTooComplex
from certs.ofd.font_search import load_fonts
from certs.ofd.package import OfdPackage
from certs.ofd.render import Watermark, count_pages, rasterise, render_page
from core.errors import BadInput
from tests.unit.certs.ofd_parts import (
    NS,
    colour_at,
    darkness,
    draw,
    pack,
    pack_gbk,
    package_files,
    pixels,
    xml,
)

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "samples"
RED_BOX = (
    '<ofd:PathObject ID="3" Boundary="10 10 20 10" Stroke="false" Fill="true">'
    '<ofd:FillColor Value="255 0 0"/><ofd:AbbreviatedData>M 0 0 L 20 0 L 20 10 L 0 10 C</ofd:AbbreviatedData>'
    "</ofd:PathObject>"
)
RED, WHITE = (255, 0, 0), (255, 255, 255)


def path(attributes: str, data: str, children: str = '<ofd:FillColor Value="255 0 0"/>') -> str:
    return (
        f'<ofd:PathObject ID="3" Stroke="false" Fill="true" {attributes}>{children}'
        f"<ofd:AbbreviatedData>{data}</ofd:AbbreviatedData></ofd:PathObject>"
    )


def png(colour: str = "#00FF00", size: tuple[int, int] = (4, 4)) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", size, colour).save(target, "PNG")
    return target.getvalue()


def test_path_filled_lies_where_its_boundary_says() -> None:
    image = pixels(draw(package_files(RED_BOX)))
    assert image.size == (200, 100)
    assert colour_at(image, 20, 15) == RED
    assert colour_at(image, 5, 15) == WHITE
    assert colour_at(image, 32, 15) == WHITE


def test_path_with_matrix_is_scaled_and_moved() -> None:
    content = path('Boundary="10 10 40 20" CTM="2 0 0 2 0 0"', "M 0 0 L 20 0 L 20 10 L 0 10 C")
    image = pixels(draw(package_files(content)))
    assert colour_at(image, 48, 28) == RED


def test_path_beyond_its_boundary_is_clipped() -> None:
    content = path('Boundary="10 10 20 10"', "M 0 0 L 80 0 L 80 30 L 0 30 C")
    image = pixels(draw(package_files(content)))
    assert colour_at(image, 15, 15) == RED
    assert colour_at(image, 60, 15) == WHITE


def test_path_with_clip_shows_only_inside_it() -> None:
    clip = (
        '<ofd:Clips><ofd:Clip><ofd:Area><ofd:Path Boundary="0 0 5 10"><ofd:AbbreviatedData>M 0 0 '
        "L 5 0 L 5 10 "
        "L 0 10 C</ofd:AbbreviatedData></ofd:Path></ofd:Area></ofd:Clip></ofd:Clips>"
    )
    content = path(
        'Boundary="10 10 20 10"', "M 0 0 L 20 0 L 20 10 L 0 10 C", f'{clip}<ofd:FillColor Value="255 0 0"/>'
    )
    image = pixels(draw(package_files(content)))
    assert colour_at(image, 12, 15) == RED
    assert colour_at(image, 20, 15) == WHITE


def test_path_with_arcs_and_curves_is_drawn() -> None:
    content = path('Boundary="10 5 40 40"', "M 20 0 A 20 20 0 1 1 20 40 A 20 20 0 1 1 20 0 C")
    image = pixels(draw(package_files(content)))
    assert colour_at(image, 30, 25) == RED
    assert colour_at(image, 11, 6) == WHITE


@pytest.mark.parametrize(
    ("colour", "expected"),
    [
        ('<ofd:FillColor Value="#00 #80 #00"/>', (0, 128, 0)),
        ('<ofd:FillColor Value="128" ColorSpace="7"/>', (128, 128, 128)),
        ('<ofd:FillColor Value="0 255 255 0" ColorSpace="8"/>', (255, 0, 0)),
        ('<ofd:FillColor Index="1" ColorSpace="9"/>', (0, 0, 255)),
        ('<ofd:FillColor Value="0 0 0" Alpha="128"/>', (127, 127, 127)),
    ],
)
def test_colour_of_each_space_is_understood(colour: str, expected: tuple[int, ...]) -> None:
    spaces = (
        '<ofd:ColorSpaces><ofd:ColorSpace ID="7" Type="GRAY"/><ofd:ColorSpace ID="8" Type="CMYK"/>'
        '<ofd:ColorSpace ID="9" Type="RGB"><ofd:Palette><ofd:CV>1 1 1</ofd:CV><ofd:CV>0 0 255</ofd:CV>'
        "</ofd:Palette></ofd:ColorSpace></ofd:ColorSpaces>"
    )
    content = path('Boundary="10 10 20 10"', "M 0 0 L 20 0 L 20 10 L 0 10 C", colour)
    found = colour_at(pixels(draw(package_files(content, resources=spaces))), 20, 15)
    assert all(abs(one - other) <= 1 for one, other in zip(found, expected, strict=True))


def test_shading_along_an_axis_goes_from_one_colour_to_the_other() -> None:
    shading = (
        '<ofd:FillColor><ofd:AxialShd StartPoint="0 0" EndPoint="80 0"><ofd:Segment Position="0"><ofd:Color '
        'Value="255 0 0"/></ofd:Segment><ofd:Segment Position="1"><ofd:Color Value="0 0 255"/></ofd:Segment>'
        "</ofd:AxialShd></ofd:FillColor>"
    )
    image = pixels(
        draw(package_files(path('Boundary="10 10 80 10"', "M 0 0 L 80 0 L 80 10 L 0 10 C", shading)))
    )
    left, right = colour_at(image, 12, 15), colour_at(image, 88, 15)
    assert left[0] > 200 > left[2]
    assert right[2] > 200 > right[0]


def test_drawing_parameters_reach_objects_through_layer_and_chain() -> None:
    resources = (
        '<ofd:DrawParams><ofd:DrawParam ID="5"><ofd:FillColor Value="0 0 255"/></ofd:DrawParam>'
        '<ofd:DrawParam ID="6" Relative="5" LineWidth="2"/></ofd:DrawParams>'
    )
    content = path('Boundary="10 10 20 10" DrawParam="6"', "M 0 0 L 20 0 L 20 10 L 0 10 C", "")
    assert colour_at(pixels(draw(package_files(content, resources=resources))), 20, 15) == (0, 0, 255)


def test_picture_fills_its_boundary_with_and_without_matrix() -> None:
    resources = (
        '<ofd:MultiMedias><ofd:MultiMedia ID="5" Type="Image"><ofd:MediaFile>a.png</ofd:MediaFile>'
        "</ofd:MultiMedia></ofd:MultiMedias>"
    )
    content = (
        '<ofd:ImageObject ID="3" ResourceID="5" Boundary="10 10 20 10" CTM="20 0 0 10 0 0"/>'
        '<ofd:ImageObject ID="4" ResourceID="5" Boundary="60 10 20 10"/>'
    )
    files = package_files(content, resources=resources) | {"Doc_0/Res/a.png": png()}
    image = pixels(draw(files))
    assert colour_at(image, 28, 18) == (0, 255, 0)
    assert colour_at(image, 78, 18) == (0, 255, 0)


def test_picture_that_cannot_be_drawn_is_noted_not_raised() -> None:
    resources = (
        '<ofd:MultiMedias><ofd:MultiMedia ID="5" Type="Image" Format="GBIG2"><ofd:MediaFile>'
        "a.jb2</ofd:MediaFile>"
        "</ofd:MultiMedia></ofd:MultiMedias>"
    )
    content = '<ofd:ImageObject ID="3" ResourceID="5" Boundary="10 10 20 10"/>'
    page = draw(package_files(content, resources=resources) | {"Doc_0/Res/a.jb2": b"\x97JB2 no picture"})
    assert any("picture" in note for note in page.notes)


def test_text_without_embedded_font_is_drawn_by_a_stand_in_and_noted() -> None:
    resources = '<ofd:Fonts><ofd:Font ID="5" FontName="宋体"/></ofd:Fonts>'
    content = (
        '<ofd:TextObject ID="3" Boundary="10 10 60 10" Font="5" Size="8"><ofd:TextCode X="0" Y="8" '
        'DeltaX="g 2 10">甲乙丙</ofd:TextCode></ofd:TextObject>'
    )
    page = draw(package_files(content, resources=resources))
    image = pixels(page)
    for left in (10, 20, 30):
        assert darkness(image, (left, 10, left + 8, 20)) > 0.05
    assert darkness(image, (45, 10, 90, 20)) == 0
    assert any("not embedded" in note for note in page.notes)


def test_text_with_broken_embedded_font_falls_back() -> None:
    resources = (
        '<ofd:Fonts><ofd:Font ID="5" FontName="x"><ofd:FontFile>x.ttf</ofd:FontFile></ofd:Font></ofd:Fonts>'
    )
    content = (
        '<ofd:TextObject ID="3" Boundary="10 10 60 10" Font="5" Size="8"><ofd:TextCode X="0" '
        'Y="8">甲</ofd:TextCode>'
        "</ofd:TextObject>"
    )
    files = package_files(content, resources=resources) | {"Doc_0/Res/x.ttf": b"\x00\x01\x00\x00garbage" * 20}
    assert darkness(pixels(draw(files)), (10, 10, 18, 20)) > 0.05


def test_text_with_glyph_numbers_is_drawn_from_the_embedded_font() -> None:
    font = load_fonts().face(400).subset("甲乙")
    resources = (
        '<ofd:Fonts><ofd:Font ID="5" FontName="x"><ofd:FontFile>x.ttf</ofd:FontFile></ofd:Font></ofd:Fonts>'
    )
    text = (
        '<ofd:TextObject ID="3" Boundary="10 10 60 10" Font="5" Size="8">{}<ofd:TextCode X="0" '
        'Y="8">{}</ofd:TextCode>'
        "</ofd:TextObject>"
    )
    transform = (
        '<ofd:CGTransform CodePosition="0" CodeCount="1" GlyphCount="1">'
        "<ofd:Glyphs>2</ofd:Glyphs></ofd:CGTransform>"
    )
    extra = {"Doc_0/Res/x.ttf": font}
    by_number = draw(package_files(text.format(transform, "?"), resources=resources) | extra)
    second = max("甲乙", key=ord)
    by_character = draw(package_files(text.format("", second), resources=resources) | extra)
    assert rasterise(by_number) == rasterise(by_character)


def test_template_lies_under_the_page_and_annotations_over_it() -> None:
    template = '<ofd:TemplatePage ID="8" BaseLoc="Tpls/T.xml"/>'
    blue = (
        RED_BOX.replace("255 0 0", "0 0 255")
        .replace('"10 10 20 10"', '"10 10 80 10"')
        .replace("20 0 L 20 10", "80 0 L 80 10")
    )
    files = package_files(RED_BOX, page_attributes='<ofd:Template TemplateID="8"/>', document=template)
    files["Doc_0/Tpls/T.xml"] = xml(
        f'<ofd:Page {NS}><ofd:Content><ofd:Layer ID="9" Type="Background">{blue}</ofd:Layer>'
        f"</ofd:Content></ofd:Page>"
    )
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"</ofd:Document>", b"<ofd:Annotations>Annots/A.xml</ofd:Annotations></ofd:Document>"
    )
    files["Doc_0/Annots/A.xml"] = xml(
        f'<ofd:Annotations {NS}><ofd:Page PageID="1"><ofd:FileLoc>P.xml</ofd:FileLoc></ofd:Page>'
        f"</ofd:Annotations>"
    )
    green = RED_BOX.replace("255 0 0", "0 255 0").replace('"10 10 20 10"', '"0 0 20 10"')
    files["Doc_0/Annots/P.xml"] = xml(
        f'<ofd:PageAnnot {NS}><ofd:Annot ID="11" Type="Stamp" Creator="x" LastModDate="2026-01-01">'
        f"<ofd:Appearance "
        f'Boundary="60 10 20 10">{green}</ofd:Appearance></ofd:Annot></ofd:PageAnnot>'
    )
    image = pixels(draw(files))
    assert colour_at(image, 20, 15) == RED
    assert colour_at(image, 50, 15) == (0, 0, 255)
    assert colour_at(image, 70, 15) == (0, 255, 0)


@pytest.mark.parametrize(
    "namespace", ['xmlns:ofd="http://www.ofdspec.org"', 'xmlns:ofd="http://www.ofdspec.org/2016"']
)
def test_package_of_either_namespace_is_drawn(namespace: str) -> None:
    assert colour_at(pixels(draw(package_files(RED_BOX, namespace=namespace))), 20, 15) == RED


def test_package_with_absolute_and_climbing_locations_is_drawn() -> None:
    files = package_files(RED_BOX)
    files["OFD.xml"] = files["OFD.xml"].replace(b">Doc_0/Document.xml<", b">/Doc_0/Document.xml<")
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b'BaseLoc="Pages/Page_0/Content.xml"', b'BaseLoc="./Pages/../Pages/Page_0/Content.xml"'
    )
    assert colour_at(pixels(draw(files)), 20, 15) == RED


def test_package_with_names_in_gbk_is_drawn() -> None:
    files = package_files(RED_BOX)
    files["Doc_0/页面/第一页.xml"] = files.pop("Doc_0/Pages/Page_0/Content.xml")
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(
        b"Pages/Page_0/Content.xml", "页面/第一页.xml".encode()
    )
    assert colour_at(pixels(draw(pack_gbk(files))), 20, 15) == RED


def test_pages_are_counted_over_several_bodies() -> None:
    files = package_files(RED_BOX)
    for name, content in package_files(RED_BOX.replace("255 0 0", "0 0 255")).items():
        if name != "OFD.xml":
            files[name.replace("Doc_0", "Doc_1")] = content
    body = files["OFD.xml"].split(b"<ofd:DocBody>")[1].split(b"</ofd:DocBody>")[0]
    second = b"<ofd:DocBody>" + body.replace(b"Doc_0", b"Doc_1") + b"</ofd:DocBody></ofd:OFD>"
    files["OFD.xml"] = files["OFD.xml"].replace(b"</ofd:OFD>", second)
    assert count_pages(OfdPackage.parse(pack(files))) == 2
    assert colour_at(pixels(draw(files, number=2)), 20, 15) == (0, 0, 255)


@pytest.mark.parametrize("number", [0, -1, 2, 10**9])
def test_page_that_there_is_not_is_refused(number: int) -> None:
    with pytest.raises(PageMissing):
        draw(package_files(RED_BOX), number=number)


def test_watermark_covers_the_page_and_changes_nothing_else() -> None:
    plain = pixels(draw(package_files(RED_BOX)))
    marked = pixels(
        draw(package_files(RED_BOX), watermark=Watermark(text="仅供测试\n2026年11月", opacity=0.6))
    )
    quarters = [(0, 0, 50, 25), (50, 0, 100, 25), (0, 25, 50, 50), (50, 25, 100, 50)]
    for box in quarters[1:]:
        assert darkness(plain, box) == 0
        assert darkness(marked, box) > 0.003


@pytest.mark.parametrize("text", ["", "  ", "x" * 121, "a\nb\nc\nd", "a\n\nb", "a\x07b"])
def test_watermark_that_is_no_text_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        Watermark(text=text)


def test_watermark_with_unknown_character_names_it() -> None:
    with pytest.raises(GlyphMissing, match="U\\+20BB7"):
        draw(package_files(RED_BOX), watermark=Watermark(text="𠮷"))


@pytest.mark.parametrize("width", [0, 15, 4097])
def test_picture_of_an_absurd_width_is_refused(width: int) -> None:
    with pytest.raises(BadInput):
        rasterise(draw(package_files(RED_BOX)), width_px=width)


def test_picture_of_a_page_like_a_ribbon_is_refused() -> None:
    files = package_files(RED_BOX)
    files["Doc_0/Document.xml"] = files["Doc_0/Document.xml"].replace(b"0 0 100 50", b"0 0 1 99999")
    with pytest.raises(PageTooComplex):
        rasterise(draw(files), width_px=400)


def test_page_with_nested_composites_without_end_is_bounded() -> None:
    resources = (
        '<ofd:CompositeGraphicUnits><ofd:CompositeGraphicUnit ID="5" Width="9" Height="9"><ofd:Content>'
        '<ofd:CompositeObject ID="6" ResourceID="5" Boundary="0 0 9 9"/>'
        '<ofd:CompositeObject ID="7" ResourceID="5" Boundary="0 0 9 9"/>'
        "</ofd:Content></ofd:CompositeGraphicUnit></ofd:CompositeGraphicUnits>"
    )
    content = '<ofd:CompositeObject ID="3" ResourceID="5" Boundary="0 0 9 9"/>'
    page = draw(package_files(content, resources=resources))
    assert any("too many objects" in note for note in page.notes)
    assert len(page.svg) < 8_000_000


def test_page_with_a_hundred_thousand_runs_of_advances_is_bounded() -> None:
    resources = '<ofd:Fonts><ofd:Font ID="5" FontName="x"/></ofd:Fonts>'
    content = (
        '<ofd:TextObject ID="3" Boundary="0 0 9 9" Font="5" Size="3"><ofd:TextCode X="0" Y="3" '
        'DeltaX="g 999999999 1 g 999999999 1">甲乙</ofd:TextCode></ofd:TextObject>'
    )
    assert draw(package_files(content, resources=resources)).svg


@pytest.mark.parametrize("data", ["M 1e999 0 L nan inf", "L 1 1", "Q 1", "M 0 0 X 5 5", "A 1 2 3", ""])
def test_path_data_that_is_broken_is_drawn_as_far_as_it_goes(data: str) -> None:
    assert rasterise(draw(package_files(path('Boundary="0 0 10 10"', data))))


def test_svg_holds_nothing_that_reaches_outside_of_it() -> None:
    resources = (
        '<ofd:Fonts><ofd:Font ID="5" FontName="&lt;image href=&quot;http://x&quot;/&gt;"/></ofd:Fonts>'
    )
    content = (
        '<ofd:PathObject ID="3" Boundary="0 0 9 9" Join="&quot;/&gt;&lt;script/&gt;">'
        "<ofd:AbbreviatedData>M 0 0 L 9 9"
        "</ofd:AbbreviatedData></ofd:PathObject>"
        '<ofd:TextObject ID="4" Boundary="0 0 9 9" Font="5" Size="3"><ofd:TextCode X="0" Y="3">'
        "&lt;&amp;</ofd:TextCode>"
        "</ofd:TextObject>"
    )
    svg = draw(package_files(content, resources=resources)).svg
    assert "script" not in svg
    assert "http://x" not in svg
    assert svg.count("http") == 2


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of others lie beside the clone, and are not there"
)
@pytest.mark.parametrize("name", ["SESV4SignDoc", "V4RideRight", "allprotected", "h"])
def test_file_of_another_producer_is_drawn_with_its_seal(name: str) -> None:
    package = OfdPackage.parse((SAMPLES / f"{name}.ofd").read_bytes())
    with_seal = render_page(package, number=1, fonts=load_fonts())
    without = render_page(package, number=1, fonts=load_fonts(), shows_seals=False)
    assert with_seal.width_mm == 210
    assert rasterise(with_seal, width_px=300) != rasterise(without, width_px=300)


@pytest.mark.skipif(
    not SAMPLES.is_dir(), reason="the sample files of others lie beside the clone, and are not there"
)
def test_straddle_seal_shows_a_strip_on_every_page() -> None:
    package = OfdPackage.parse((SAMPLES / "V4RideRight.ofd").read_bytes())
    for number in range(1, count_pages(package) + 1):
        page = render_page(package, number=number, fonts=load_fonts())
        image = Image.open(io.BytesIO(rasterise(page, width_px=420))).convert("RGB")
        strip = image.crop((image.width - 16, 0, image.width, image.height))
        assert any(
            red > 180 and green < 120 for red, green, _ in zip(*[iter(strip.tobytes())] * 3, strict=True)
        )
