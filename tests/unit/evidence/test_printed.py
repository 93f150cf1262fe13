"""Receipts as documents: any number of materials, any words, on as many pages as it takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certs.ofd.errors import GlyphMissing, PackageRefused
from certs.ofd.font_search import load_fonts
from certs.ofd.package import OfdPackage
from core.errors import BadInput
from evidence.proof.printed import BOTTOM, LEFT, PAGE, compose, print_receipt, read_printed, require_glyphs
from signing.canonical_json import build_canonical_json
from signing.errors import DecodeError
from signing.merkle.receipts import BatchSigner
from signing.sm2 import PrivateKey

AT = datetime(2026, 11, 30, 16, 30, tzinfo=UTC)
SIGNER = BatchSigner(signer=PrivateKey.from_scalar(0x1357), issuer="数证 hub.example", clock=lambda: AT)
WORDS = st.text(alphabet="材料证明文件（）、Ab1 ", min_size=1, max_size=60)


def sign(payload: Any) -> bytes:
    """Sign a payload and embed it, as the hub does."""
    canonical = build_canonical_json(payload)
    receipt = json.loads(next(iter(SIGNER.sign([canonical]))))
    return json.dumps(receipt | {"payload": payload}, ensure_ascii=False).encode()


def build_payload(*, count: int = 2, title: str = "营业执照", **changes: Any) -> dict[str, Any]:
    source = {"kind": "dataset", "source": "fr_jbxx", "version": 3, "as_of": None}
    because = {"fact": title, "reason": "DATA", "words": "已由共享数据核验", "sources": [source]}
    spared = [
        {"code": f"M{number:02d}", "title": title, "outcome": "supplied", "because": [because]}
        for number in range(count)
    ]
    return {
        "kind": "shuzheng-not-requested/1",
        "case": "1",
        "case_number": "2026-1",
        "service_item": "食品经营许可",
        "title": title,
        "organisation": "11990000MA0000004P",
        "organisation_name": "示例市行政审批局",
        "run": 1,
        "not_requested": spared,
        "not_required": [{"code": "N1", "title": title}] * (count % 3),
        "may_follow": [],
        "still_needed": [{"code": "S1", "title": title}] * (count % 2),
    } | changes


@settings(max_examples=20)
@given(count=st.integers(0, 40), title=WORDS)
def test_what_was_printed_is_read_back_and_nothing_stands_outside_the_page(count: int, title: str) -> None:
    receipt = sign(build_payload(count=count, title=title))
    printed = print_receipt(receipt, fonts=load_fonts())
    assert read_printed(printed) == receipt
    package = OfdPackage.parse(printed)
    pages = package.pages(package.bodies[0])
    assert (len(pages) > 1) is (count > 20 or len(pages) > 1)
    for page in pages:
        for item in package.xml(page.path).iter("TextObject"):
            x, y, width, height = map(float, item.get("Boundary", "").split())
            assert x >= LEFT - 1
            assert x + width <= PAGE[0] - LEFT + 3
            assert y + height <= BOTTOM + 3


def test_time_on_the_page_is_that_of_china() -> None:
    texts = [each.text for each in compose(build_payload(), signed_at=AT)]
    assert "出具时间：2026年12月01日 00:30:00（北京时间）" in texts


def test_other_words_or_another_attachment_are_refused() -> None:
    fonts = load_fonts()
    receipt = sign(build_payload())
    package = OfdPackage.parse(print_receipt(receipt, fonts=fonts))
    page = package.pages(package.bodies[0])[0].path
    attached = "/Doc_0/Attachs/Files/receipt.json"
    other = sign(build_payload(still_needed=[{"code": "S9", "title": "体检报告"}]))
    changed = (
        {page: package.read(page).replace("营业".encode(), "开业".encode())},
        {attached: other},
        {attached: sign({"about": "something else"})},
        {attached: b"{}"},
    )
    for change in changed:
        with pytest.raises((BadInput, DecodeError)):
            read_printed(package.with_files(change))
    bare = OfdPackage.parse(print_receipt(receipt, fonts=fonts).replace(b"receipt.json", b"receipt.jsom"))
    with pytest.raises((BadInput, PackageRefused)):
        read_printed(bare.with_files({}))
    with pytest.raises(PackageRefused):
        read_printed(b"PK\x03\x04 no archive")


def test_characters_that_no_font_has_are_named_before_anything_is_signed() -> None:
    payload = build_payload(title="\U000e0001")
    with pytest.raises(GlyphMissing, match="U\\+E0001"):
        require_glyphs(payload, signed_at=AT, fonts=load_fonts())
