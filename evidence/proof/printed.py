"""The receipt as a document to hold up: an OFD file (GB/T 33190-2016) with the signed receipt attached.

The pages say in words what the receipt holds. They prove nothing by themselves: `read_printed` takes the
receipt out, and refuses a file whose pages have other words. What else a page may show (pictures, other
glyphs) it does not judge: who verifies reads what the receipt says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from certs.ofd.font_search import FontKind, FontShelf
from certs.ofd.fonts import BOLD, REGULAR
from certs.ofd.layout import Align, TextStyle, break_lines
from certs.ofd.objects import Path, Text
from certs.ofd.package import OfdPackage
from certs.ofd.writer import DocumentBuilder, DocumentFacts, PageLayer
from core.china_time import CHINA_TIME, china_day
from core.errors import BadInput
from signing import sm3
from signing.merkle.receipt_format import parse_receipt

ATTACHMENT: Final = "receipt.json"
_ATTACHED: Final = f"/Doc_0/Attachs/Files/{ATTACHMENT}"
PAGE: Final = (210.0, 297.0)
LEFT: Final = 25.0
TOP: Final = 28.0
BOTTOM: Final = 270.0
WIDTH: Final = PAGE[0] - 2 * LEFT
RULE: Final = (120, 120, 120)
TOGETHER: Final = 14.0
"""How much has to fit below a heading on its page, in millimetres."""
MAX_TOGETHER: Final = 20
"""Longer paragraphs, in lines, are parted between pages."""


class Style(Enum):
    """How a paragraph is set: size, gap before it, indent, and weight."""

    TITLE = (7.0, 0.0, 0.0, BOLD)
    FACT = (4.2, 1.6, 0.0, REGULAR)
    HEADING = (4.6, 6.0, 0.0, BOLD)
    MATERIAL = (4.2, 2.4, 0.0, BOLD)
    BECAUSE = (3.8, 1.2, 6.0, REGULAR)
    NOTE = (3.4, 1.2, 0.0, REGULAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One paragraph of the page."""

    style: Style
    text: str


def compose(payload: dict[str, Any], *, signed_at: datetime) -> Iterator[Paragraph]:
    """Say in words what a receipt's payload holds, in the order of the page."""
    yield Paragraph(style=Style.TITLE, text="免予提交材料告知回执")
    moment = signed_at.astimezone(CHINA_TIME)
    for label, value in (
        ("办理机构", f"{payload['organisation_name']}（{payload['organisation']}）"),
        ("办理事项", f"{payload['title']}（{payload['service_item']}）"),
        ("办件编号", payload["case_number"]),
        ("出具时间", f"{moment:%Y年%m月%d日 %H:%M:%S}（北京时间）"),
    ):
        yield Paragraph(style=Style.FACT, text=f"{label}：{value}")
    if payload["not_requested"]:
        yield Paragraph(style=Style.HEADING, text="以下材料未向申请人收取")
    for each in payload["not_requested"]:
        yield Paragraph(style=Style.MATERIAL, text=f"{each['code']}　{each['title']}")
        for because in each["because"]:
            yield Paragraph(style=Style.BECAUSE, text=f"{because['fact']}：{_explain(because)}")
    for heading, member in (
        ("本次办理不需要的材料", "not_required"),
        ("可以容缺后补的材料", "may_follow"),
        ("仍需申请人提交的材料", "still_needed"),
    ):
        if payload[member]:
            yield Paragraph(style=Style.HEADING, text=heading)
        for each in payload[member]:
            yield Paragraph(style=Style.FACT, text=f"{each['code']}　{each['title']}")
    yield Paragraph(style=Style.HEADING, text="核验方法")
    yield Paragraph(
        style=Style.NOTE,
        text=f"本页由附件 {ATTACHMENT} 生成，附件带有数证枢纽的签名，以附件为准。脱机核验：shuzheng receipt "
        "verify 文件 --ca 根证书。窗口要求提交以上未收取的材料的，申请人可以出示本回执。",
    )


def _explain(because: dict[str, Any]) -> str:
    sources = "、".join(
        each["source"] + (f"（第{each['version']}版）" if each["version"] is not None else "")
        for each in because["sources"]
    )
    return f"{because['words']}。来源：{sources}" if sources else str(because["words"])


def require_glyphs(payload: dict[str, Any], *, signed_at: datetime, fonts: FontShelf) -> None:
    """Let a payload pass that can be printed. Raises GlyphMissing, which names the characters."""
    for each in compose(payload, signed_at=signed_at):
        fonts.chain(each.style.value[-1], FontKind.SONG).require_glyphs(each.text, pointer="/receipt")


def print_receipt(receipt: bytes, *, fonts: FontShelf) -> bytes:
    """Write a receipt of `evidence.proof.statement` as an OFD file. Raises GlyphMissing."""
    parsed = parse_receipt(receipt)
    assert parsed.payload is not None
    signed_at = parsed.head.signed_at
    payload = json.loads(parsed.payload)
    facts = DocumentFacts(
        document_id=sm3.digest(receipt)[:16].hex(),
        title=f"免予提交材料告知回执 {payload['case_number']}",
        created_on=china_day(signed_at),
        author=payload["organisation_name"],
    )
    builder = DocumentBuilder(facts, page_size=PAGE)
    _Pen(builder, fonts).write(compose(payload, signed_at=signed_at))
    builder.attach(ATTACHMENT, receipt, format="json")
    return builder.build()


class _Pen:
    """Sets paragraphs below each other, on as many pages as it takes."""

    def __init__(self, builder: DocumentBuilder, fonts: FontShelf) -> None:
        self._builder = builder
        self._fonts = fonts
        self._page: PageLayer | None = None
        self._y = BOTTOM

    def write(self, paragraphs: Iterable[Paragraph]) -> None:
        """Set paragraphs."""
        for paragraph in paragraphs:
            self._set(paragraph)

    def _set(self, paragraph: Paragraph) -> None:
        size, gap, indent, weight = paragraph.style.value
        chain = self._fonts.chain(weight, FontKind.SONG)
        align = Align.CENTRE if paragraph.style is Style.TITLE else Align.LEFT
        style = TextStyle(font=chain, size=size, min_size=size, align=align)
        lines = break_lines(paragraph.text, width=WIDTH - indent, size=size, style=style)
        assert lines is not None
        kept = TOGETHER if paragraph.style in {Style.HEADING, Style.MATERIAL} else 0.0
        if self._y + gap + len(lines) * size * style.leading + kept > BOTTOM and len(lines) < MAX_TOGETHER:
            self._page = None
        self._y += gap
        for line in lines:
            page = self._take(size * style.leading)
            x = LEFT + indent
            if align is Align.CENTRE:
                x += (WIDTH - chain.measure(line, size)) / 2
            for face, text in chain.runs(line):
                page.add(Text(text=text, x=x, baseline=self._y - size * 0.3, size=size, face=face))
                x += sum(face.advances(text, size))
        if paragraph.style is Style.TITLE:
            self._rule()

    def _take(self, height: float) -> PageLayer:
        """Go down by a line, onto a new page where it has no place."""
        if self._page is None or self._y + height > BOTTOM:
            self._page, self._y = self._builder.add_page(), TOP
        self._y += height
        return self._page

    def _rule(self) -> None:
        assert self._page is not None
        self._y += 2.0
        line = (("M", LEFT, self._y), ("L", LEFT + WIDTH, self._y))
        self._page.add(Path(commands=line, stroke=RULE))
        self._y += 2.0


def read_printed(data: bytes) -> bytes:
    """Take the receipt out of a printed one, as it was signed, where the pages say what it holds.

    Whether the signature is good is not looked at. Raises BadInput, PackageRefused, DecodeError.
    """
    package = OfdPackage.parse(data)
    if _ATTACHED not in package:
        msg = f"the file is no printed receipt: it has no attachment {ATTACHMENT}"
        raise BadInput(msg)
    receipt = package.read(_ATTACHED)
    parsed = parse_receipt(receipt)
    if parsed.payload is None:
        msg = "the attached receipt does not hold what it is about"
        raise BadInput(msg)
    try:
        wanted = [each.text for each in compose(json.loads(parsed.payload), signed_at=parsed.head.signed_at)]
    except (KeyError, TypeError, ValueError) as wrong:
        msg = "the attached receipt is about something else than materials that were not requested"
        raise BadInput(msg) from wrong
    if _squeeze(wanted) != _squeeze(_read_words(package)):
        msg = "the pages do not say what the attached receipt holds; believe the receipt alone"
        raise BadInput(msg)
    return receipt


def _read_words(package: OfdPackage) -> list[str]:
    found = []
    for body in package.bodies:
        for page in package.pages(body):
            found += [code.text or "" for code in package.xml(page.path).iter("TextCode")]
    return found


def _squeeze(texts: Sequence[str]) -> str:
    """Join texts without blanks, which the breaking of lines takes away."""
    return "".join("".join(texts).split())
