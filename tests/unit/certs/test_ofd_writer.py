"""Documents that we write, held against the rules of GB/T 33190 and read back."""

from __future__ import annotations

import io
from datetime import date

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.ofd.annotations import AnnotationKind
from certs.ofd.errors import DocumentInvalid
from certs.ofd.font_search import load_fonts
from certs.ofd.frame_files import document_file, font_entry, picture_entry, resource_file, tags_file
from certs.ofd.objects import Path, Picture, Text, circle, rectangle
from certs.ofd.package import OfdPackage
from certs.ofd.qr import build_qr
from certs.ofd.render import render_page
from certs.ofd.writer import DocumentBuilder, DocumentFacts
from certs.ofd.xml_writer import name_attribute
from certs.templates import load_template, render_certificate
from tests.unit.certs.ofd_parts import colour_at, pixels
from tests.unit.certs.ofd_rules import check_document
from tests.unit.certs.template_samples import COMMON, METADATA, photo
from tests.unit.certs.test_ofd_render import png

FACTS = DocumentFacts(
    document_id="0" * 32,
    title='甲<&>"',
    created_on=date(2026, 11, 24),
    author="乙",
    metadata={"ZZMC": "丙 & 丁"},
)


def text(words: str = "营业执照", **changes: float) -> Text:
    place = {"x": 10.0, "baseline": 20.0, "size": 5.0} | changes
    return Text(text=words, face=load_fonts().face(400), **place)


def full_document() -> DocumentBuilder:
    """One of everything that the writer can write."""
    builder = DocumentBuilder(FACTS, page_size=(100, 50))
    background = builder.add_background()
    background.add(Path(commands=rectangle(0, 0, 100, 50), fill=(250, 250, 250)))
    first, second = builder.add_page(background), builder.add_page()
    first.add(text(), tag="ZZMC")
    first.add(Path(commands=circle(50, 25, 10), stroke=(255, 0, 0), alpha=99, even_odd=True))
    first.add(Picture(data=png(), x=70, y=10, width=20, height=20))
    first.add(build_qr("https://hub.example/c/1", x=10, y=25, side=20), tags=("ZZBS", "ZZBH"))
    second.add(text("𠮷" if not load_fonts().face(400).find_missing("𠮷") else "二"))
    red = Path(commands=rectangle(0, 0, 10, 10), fill=(255, 0, 0))
    builder.annotate(second, [red], kind=AnnotationKind.STAMP, box=(60, 20, 10, 10), remark="核验 & 通过")
    builder.attach("data.xml", b"<x/>", format="xml")
    return builder


def files_of(data: bytes) -> dict[str, bytes]:
    package = OfdPackage.parse(data)
    return {path.removeprefix("/"): package.read(path) for path in package.paths}


def test_document_with_one_of_everything_keeps_every_rule() -> None:
    assert check_document(full_document().build_files()) == []


@pytest.mark.parametrize("name", sorted(METADATA))
def test_certificate_of_each_template_keeps_every_rule(name: str) -> None:
    data = render_certificate(
        load_template(name),
        metadata={**COMMON, **METADATA[name]},
        qr_payload="https://hub.example/c/1",
        created_on=date(2026, 11, 24),
        fonts=load_fonts(),
        photos={"KZ_ZP": photo()},
    )
    assert check_document(files_of(data)) == []


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("OFD.xml", b"<ofd:DocRoot>Doc_0/Document.xml", b"<ofd:DocRoot>Doc_1/Document.xml"),
        ("OFD.xml", b"<ofd:DocID>0", b"<ofd:DocID>"),
        ("Doc_0/Document.xml", b"<ofd:MaxUnitID>", b"<ofd:MaxUnitID>-"),
        ("Doc_0/Document.xml", b'<ofd:Page ID="', b'<ofd:Page Id="'),
        ("Doc_0/Document.xml", b"0 0 100 50", b"0 0 100 0"),
        ("Doc_0/Pages/Page_0/Content.xml", b' DeltaX="', b' DeltaX="1 '),
        ("Doc_0/Pages/Page_0/Content.xml", b"<ofd:TextCode", b"<ofd:TextCodes"),
        ("Doc_0/Pages/Page_0/Content.xml", b"ResourceID=", b"Font="),
        ("Doc_0/Annots/Page_0/Annotation.xml", b'LastModDate="2026', b'LastModDate="26'),
        ("Doc_0/Tags/Items.xml", b"</ofd:ObjectRef>", b"9</ofd:ObjectRef>"),
    ],
)
def test_checker_of_rules_catches_each_breach(file: str, old: bytes, new: bytes) -> None:
    files = full_document().build_files()
    assert old in files[file]
    closing = {b"<ofd:TextCode": (b"</ofd:TextCode>", b"</ofd:TextCodes>")}.get(old, (b"", b""))
    content = files[file].replace(old, new)
    files[file] = content.replace(*closing) if closing[0] else content
    assert check_document(files)


def test_annotation_is_drawn_where_its_box_says() -> None:
    package = OfdPackage.parse(full_document().build())
    image = pixels(render_page(package, number=2, fonts=load_fonts()))
    assert colour_at(image, 65, 25) == (255, 0, 0)
    assert colour_at(image, 55, 25) != (255, 0, 0)


def test_package_just_written_knows_its_body_as_a_reader_finds_it() -> None:
    written = full_document().build_package()
    read = OfdPackage.parse(written.with_files({}))
    assert written.bodies == read.bodies
    assert written.page_ids(written.bodies[0]) == read.page_ids(read.bodies[0])


def test_document_is_the_same_octets_every_time() -> None:
    assert full_document().build() == full_document().build()


def test_document_is_the_same_whatever_was_written_before_it() -> None:
    """Files that hang on a document's build alone are kept: each must be kept by all that it hangs on."""
    kept = (document_file, font_entry, picture_entry, resource_file, tags_file, name_attribute)
    for each in kept:
        each.cache_clear()
    alone = full_document().build_files()
    for each in kept:
        each.cache_clear()
    for size, tag, glyphs, side in ((50, "ZZBS", "营", 20), (60, "ZZBH", "业执", 20), (50, "ZZBH", "照", 19)):
        builder = DocumentBuilder(FACTS, page_size=(100, size))
        page = builder.add_page()
        page.add(text(glyphs), tag=tag)
        page.add(build_qr("https://hub.example/c/1", x=10, y=25, side=side), tags=("ZZBS", tag))
        files = builder.build_files()
        assert check_document(files) == []
        assert f"0 0 100 {size}".encode() in files["Doc_0/Document.xml"]
        assert f'Name="{tag}"'.encode() in files["Doc_0/Tags/Items.xml"]
        assert builder.build() == builder.build()
    assert full_document().build_files() == alone


def test_embedded_font_has_the_characters_shown_and_no_others() -> None:
    files = full_document().build_files()
    (path,) = [path for path in files if path.endswith(".ttf")]
    font = TTFont(io.BytesIO(files[path]))
    assert set(font.getBestCmap()) == {ord(each) for each in "营业执照二"}
    assert len(files[path]) < 10_000


def test_face_of_numbers_has_all_digits_so_that_it_is_the_same_in_most_documents() -> None:
    fonts = []
    for words in ("证2026", "证1999", "证照1999"):
        builder = DocumentBuilder(FACTS, page_size=(100, 50))
        builder.add_page().add(text(words))
        files = builder.build_files()
        assert check_document(files) == []
        fonts.append(files["Doc_0/Res/font_4.ttf"])
    assert fonts[0] == fonts[1] != fonts[2]
    shown = [set(map(chr, TTFont(io.BytesIO(each)).getBestCmap())) for each in fonts]
    assert shown == [set("证0123456789"), set("证0123456789"), set("证照0123456789")]


def test_attachment_under_a_name_that_climbs_or_comes_twice_is_refused() -> None:
    builder = full_document()
    for name in ("../x", "a/b", "", "DATA.XML", "甲"):
        with pytest.raises(DocumentInvalid):
            builder.attach(name, b"", format="xml")


def test_document_without_pages_is_refused() -> None:
    with pytest.raises(DocumentInvalid):
        DocumentBuilder(FACTS, page_size=(10, 10)).build()


@settings(max_examples=30, deadline=None)
@given(
    words=st.text(alphabet="营业执照名称住所经营范围<>&\"' 0123456789ABCabc（），。", min_size=1, max_size=60)
)
def test_text_of_any_words_keeps_the_rules_and_reads_back(words: str) -> None:
    builder = DocumentBuilder(FACTS, page_size=(100, 50))
    builder.add_page().add(text(words))
    files = builder.build_files()
    assert check_document(files) == []
    package = OfdPackage.parse(builder.build())
    codes = package.xml("/Doc_0/Pages/Page_0/Content.xml").iter("TextCode")
    assert "".join(code.text or "" for code in codes) == words
