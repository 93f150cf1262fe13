"""Read the signature files of an OFD package: the list, and the description of each signature.

Read by name, never by position: producers differ in order, attributes and namespace.
Source: GB/T 33190-2016 chapter 18 and annex A.7, A.8; GM/T 0099-2020 annex B.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

from certs.ofd.locations import resolve_location
from certs.ofd.xml_reader import text_of
from signing.errors import DecodeError

MAX_SIGNATURES: Final = 100
MAX_REFERENCES: Final = 20_000
MAX_STAMPS: Final = 2_000
SEAL_TYPE: Final = "Seal"
SIGN_TYPE: Final = "Sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureEntry:
    """One line of the list: `path` is where its description lies; `relative` the ID of its base signature."""

    id: str
    type: str
    path: str
    relative: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One protected file: its location as written and as resolved, and the digest it had when signed."""

    written: str
    path: str
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One appearance of a seal on a page; `boundary` is x, y, width, height in mm, None where malformed."""

    id: str
    page_id: str
    boundary: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureDescription:
    """A signature's description file, as written. Methods are None where absent."""

    path: str
    check_method: str | None
    signature_method: str | None
    references: tuple[Reference, ...]
    stamps: tuple[Stamp, ...]
    value_path: str
    seal_path: str | None


def read_signature_list(
    root: Element, *, path: str, limit: int = MAX_SIGNATURES
) -> tuple[SignatureEntry, ...]:
    """Read `Signatures.xml`, in its order. Raises DecodeError, also for more than `limit` signatures."""
    if root.tag != "Signatures":
        msg = "the root element is not Signatures"
        raise DecodeError(msg)
    elements = root.findall("Signature")
    if len(elements) > limit:
        msg = f"a document has at most {MAX_SIGNATURES} signatures"
        raise DecodeError(msg)
    entries = tuple(_read_entry(element, path) for element in elements)
    if len({entry.path for entry in entries}) != len(entries):
        msg = "two signatures have one and the same description"
        raise DecodeError(msg)
    return entries


def _read_entry(element: Element, list_path: str) -> SignatureEntry:
    identifier = element.get("ID", "").strip()
    location = element.get("BaseLoc", "").strip()
    if not identifier or not location:
        msg = "a Signature lacks its ID or BaseLoc"
        raise DecodeError(msg)
    kind = element.get("Type", SEAL_TYPE).strip()
    if kind not in {SEAL_TYPE, SIGN_TYPE}:
        msg = "a Signature has a Type other than Seal and Sign"
        raise DecodeError(msg)
    return SignatureEntry(
        id=identifier,
        type=kind,
        path=resolve_location(location, base=list_path),
        relative=element.get("Relative"),
    )


def read_description(root: Element, *, path: str) -> SignatureDescription:
    """Read a signature's description file. Raises DecodeError."""
    if root.tag != "Signature":
        msg = "the root element is not Signature"
        raise DecodeError(msg)
    info = _only(root, "SignedInfo")
    references = _only(info, "References")
    seal = info.find("Seal")
    return SignatureDescription(
        path=path,
        check_method=references.get("CheckMethod"),
        signature_method=_optional_text(info, "SignatureMethod"),
        references=_read_references(references, path),
        stamps=_read_stamps(info),
        value_path=resolve_location(text_of(_only(root, "SignedValue")), base=path),
        seal_path=None if seal is None else resolve_location(text_of(_only(seal, "BaseLoc")), base=path),
    )


def _read_references(parent: Element, path: str) -> tuple[Reference, ...]:
    elements = parent.findall("Reference")
    if not elements or len(elements) > MAX_REFERENCES:
        msg = f"there must be 1 to {MAX_REFERENCES} references"
        raise DecodeError(msg)
    return tuple(_read_reference(element, path) for element in elements)


def _read_reference(element: Element, path: str) -> Reference:
    written = element.get("FileRef", "").strip()
    if not written:
        msg = "a Reference lacks its FileRef"
        raise DecodeError(msg)
    value = "".join(text_of(_only(element, "CheckValue")).split())
    try:
        digest = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "a CheckValue is not base64"
        raise DecodeError(msg) from error
    return Reference(written=written, path=resolve_location(written, base=path), digest=digest)


def _read_stamps(info: Element) -> tuple[Stamp, ...]:
    elements = info.findall("StampAnnot")
    if len(elements) > MAX_STAMPS:
        msg = f"more than {MAX_STAMPS} stamps"
        raise DecodeError(msg)
    return tuple(
        Stamp(
            id=element.get("ID", "").strip(),
            page_id=element.get("PageRef", "").strip(),
            boundary=_read_box(element.get("Boundary", "")),
        )
        for element in elements
    )


def _read_box(text: str) -> tuple[float, float, float, float] | None:
    try:
        x, y, width, height = (float(part) for part in text.split())
    except ValueError:
        return None
    box = (x, y, width, height)
    if not all(-1e6 < number < 1e6 for number in box) or width <= 0 or height <= 0:
        return None
    return box


def _only(parent: Element, name: str) -> Element:
    found = parent.findall(name)
    if len(found) != 1:
        msg = f"there must be exactly one {name}"
        raise DecodeError(msg)
    return found[0]


def _optional_text(parent: Element, name: str) -> str | None:
    found = parent.findall(name)
    if len(found) > 1:
        msg = f"there is more than one {name}"
        raise DecodeError(msg)
    return text_of(found[0]) if found else None
