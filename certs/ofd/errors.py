"""What laying out, writing and sealing a document may refuse.

ShuzhengError
├── Unavailable
│   └── FontMissing             this machine has no Chinese font that could be embedded
├── SchemaViolation
│   ├── TextOverflow            a text does not fit its box, even at the smallest size allowed
│   └── GlyphMissing            a text has characters that the font cannot draw
├── BadInput
│   ├── PackageRefused          a package that must not be opened; carries the finding
│   ├── PageTooComplex          a page that has more on it than a preview may take
│   └── DocumentInvalid         parts that do not make an OFD document
├── NotFound
│   └── PageMissing             a document has no page of that number
└── Conflict
    └── DocumentLocked          an earlier signature locked the document
"""

from __future__ import annotations

from core.errors import BadInput, Conflict, NotFound, SchemaViolation, Unavailable
from signing.findings import Finding, FindingCode, build_finding


class FontMissing(Unavailable):
    """This machine has no Chinese font that could be embedded."""

    code = "OFD-FONT-MISSING"
    title = "No Chinese font"


class TextOverflow(SchemaViolation):
    """A text does not fit its box, even at the smallest size allowed."""

    code = "OFD-TEXT-OVERFLOW"
    title = "Text does not fit"


class GlyphMissing(SchemaViolation):
    """A text has characters that the font cannot draw."""

    code = "OFD-GLYPH-MISSING"
    title = "Character cannot be drawn"


class DocumentInvalid(BadInput):
    """Parts that do not make an OFD document."""

    code = "OFD-DOCUMENT-INVALID"
    title = "Not an OFD document"


class PackageRefused(BadInput):
    """A package that must not be opened; `finding` says why, under the codes of `signing.findings`."""

    code = "OFD-PACKAGE-REFUSED"
    title = "Package refused"

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message_en)
        self.finding = finding


class PageTooComplex(BadInput):
    """A page that has more on it than a preview may take."""

    code = "OFD-PAGE-TOO-COMPLEX"
    title = "Page too complex"


class PageMissing(NotFound):
    """A document has no page of that number."""

    code = "OFD-PAGE-MISSING"
    title = "No such page"


class DocumentLocked(Conflict):
    """An earlier signature locked the document; nobody can sign it after that."""

    code = "OFD-DOCUMENT-LOCKED"
    title = "Document locked"


def refuse(code: FindingCode, subject: str, *, zh: str = "", en: str = "") -> PackageRefused:
    """Build the refusal of a package, with the particulars of this case."""
    return PackageRefused(build_finding(code, subject[:200], zh=zh, en=en))
