"""The list of signatures of a document, as far as one who adds a signature must know it.

Source: GB/T 33190-2016 chapter 18 and annex A.7, A.8.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from certs.ofd.errors import DocumentInvalid, DocumentLocked
from certs.ofd.locations import resolve_location
from certs.ofd.package import Body, OfdPackage
from certs.ofd.xml_reader import text_of
from certs.ofd.xml_writer import document, element
from signing.errors import DecodeError

_NUMBER = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSignature:
    """One line of the list, as written; `path` is where its description lies."""

    id: str
    type: str
    location: str
    path: str
    relative: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureList:
    """The list: its path, its lines, and the highest number that signatures and stamps have used."""

    path: str
    signatures: tuple[ListedSignature, ...]
    max_number: int


def read_signature_list(package: OfdPackage, body: Body) -> SignatureList | None:
    """Read the list of a body; None where it has none. Raises DocumentInvalid."""
    if body.signatures_path is None:
        return None
    path = body.signatures_path
    root = package.xml(path)
    numbers = [_number_of(text_of(each)) for each in root.findall("MaxSignId")]
    signatures = []
    for each in root.findall("Signature"):
        location = each.get("BaseLoc", "").strip()
        try:
            resolved = resolve_location(location, base=path)
        except DecodeError as error:
            raise DocumentInvalid(error.detail) from error
        signatures.append(
            ListedSignature(
                id=each.get("ID", ""),
                type=each.get("Type", "Seal"),
                location=location,
                path=resolved,
                relative=each.get("Relative"),
            )
        )
        numbers.append(_number_of(each.get("ID", "")))
        numbers += [_number_of(stamp) for stamp in _stamp_ids(package, resolved)]
    return SignatureList(path=path, signatures=tuple(signatures), max_number=max(numbers, default=0))


def _stamp_ids(package: OfdPackage, path: str) -> list[str]:
    if path not in package:
        msg = "the list of signatures names a description that is missing; the document cannot be signed on"
        raise DocumentInvalid(msg)
    return [each.get("ID", "") for each in package.xml(path).findall("SignedInfo/StampAnnot")]


def _number_of(identifier: str) -> int:
    """Read the number of an ID such as `s001` by dropping what is no digit."""
    digits = "".join(_NUMBER.findall(identifier))[:9]
    return int(digits) if digits else 0


def require_unlocked(package: OfdPackage, signatures: SignatureList) -> None:
    """Raise DocumentLocked where an earlier signature protects the list itself."""
    for each in signatures.signatures:
        for reference in package.xml(each.path).findall("SignedInfo/References/Reference"):
            try:
                referred = resolve_location(reference.get("FileRef", "").strip(), base=each.path)
            except DecodeError:
                continue
            if referred == signatures.path:
                msg = f"the signature {each.id[:20]} locked the document; nobody can sign it after that"
                raise DocumentLocked(msg)


def write_signature_list(signatures: SignatureList) -> bytes:
    """Write the list, in the order of the schema."""
    return document(
        "Signatures",
        None,
        element("MaxSignId", None, f"s{signatures.max_number:03d}"),
        *[
            element(
                "Signature",
                {"ID": each.id, "Type": each.type, "BaseLoc": each.location, "Relative": each.relative},
            )
            for each in signatures.signatures
        ],
    )
