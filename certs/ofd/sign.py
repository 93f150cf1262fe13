"""Set a seal on an OFD package, in the order that GB/T 33190-2016 chapter 18 asks for.

1  `Signatures` into OFD.xml (the first signature only)      5  Signature.xml over all digests
2  Seal.esl                                                  6  its SM3, and the seal signature over that
3  numbers for the signature and its stamps                  7  SignedValue.dat
4  the final Signatures.xml, then SM3 of every file

A later signature changes Signatures.xml and adds its own folder; no protected file is touched.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from certs.ofd.blank import SharedFile, share_file
from certs.ofd.errors import DocumentInvalid
from certs.ofd.package import OFD_XML, Body, OfdPackage, Page
from certs.ofd.signatures import (
    ListedSignature,
    SignatureList,
    read_signature_list,
    require_unlocked,
    write_signature_list,
)
from certs.ofd.xml_writer import attribute, document, element, numbers, text
from signing import oids, sm3

LIST_PATH: Final = "/Doc_0/Signs/Signatures.xml"
PROVIDER: Final = "Shuzheng"
_ROOT_NAME: Final = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)OFD[\s>]")
_MAX_FOLDERS: Final = 10_000

SignValue = Callable[[bytes, str], bytes]
"""Signs the SM3 of Signature.xml, given its path, and returns the octets of SignedValue.dat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One appearance of the seal: the page by its position (from 0), and a box in millimetres.

    `clip` is the part of the picture that shows, as x, y, width, height inside the box; None shows all.
    """

    page: int
    x: float
    y: float
    width: float
    height: float
    clip: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedPackage:
    """A package with one more signature; `description_sm3` is the SM3 of that signature's description."""

    data: bytes = field(repr=False)
    signature_id: str
    description_path: str
    description_sm3: bytes


def sign_package(
    package_bytes: bytes,
    *,
    seal_der: bytes | None,
    stamps: Sequence[Stamp],
    sign: SignValue,
    signed_at: datetime,
    provider: str = PROVIDER,
    seal_file: bool = True,
    lock: bool = False,
) -> SignedPackage:
    """Open a package and sign it, as `sign_opened` does. Raises also PackageRefused."""
    return sign_opened(
        OfdPackage.parse(package_bytes),
        seal_der=seal_der,
        stamps=stamps,
        sign=sign,
        signed_at=signed_at,
        provider=provider,
        seal_file=seal_file,
        lock=lock,
    )


def sign_opened(
    package: OfdPackage,
    *,
    seal_der: bytes | None,
    stamps: Sequence[Stamp],
    sign: SignValue,
    signed_at: datetime,
    provider: str = PROVIDER,
    seal_file: bool = True,
    lock: bool = False,
) -> SignedPackage:
    """Sign every file of a package under a seal, and return the package with the signature in it.

    `sign` is called once, with the SM3 of Signature.xml and its absolute path (dataHash and propertyInfo of
    GB/T 38540). `seal_file` lays the seal beside the signature, protected by it. With `lock` the list of
    signatures is protected too, so that nobody can sign after. Raises DocumentLocked where an earlier
    signature did that, DocumentInvalid for a package with several bodies or a stamp on no page.
    """
    body = _only_body(package)
    pages = package.page_ids(body)
    listed = read_signature_list(package, body)
    changes: dict[str, bytes | SharedFile] = {}
    if listed is None:
        changes[OFD_XML] = _insert_signatures(package.read(OFD_XML), LIST_PATH)  # 1
        listed = SignatureList(path=LIST_PATH, signatures=(), max_number=0)
    else:
        require_unlocked(package, listed)
    folder = _free_folder(package, listed.path)
    if seal_file and seal_der is not None:
        changes[f"{folder}/Seal.esl"] = share_file(f"{folder}/Seal.esl".removeprefix("/"), seal_der)  # 2
    entry, listed = _enter(listed, folder, stamps)  # 3
    changes[listed.path] = write_signature_list(listed)  # 4
    description = _describe(
        references=_digests(package, changes, leave_out=() if lock else (listed.path,)),
        stamps=_stamps_xml(stamps, pages, first=listed.max_number - len(stamps) + 1),
        seal_path=f"{folder}/Seal.esl" if seal_file and seal_der is not None else None,
        value_path=f"{folder}/SignedValue.dat",
        provider=provider,
        signed_at=signed_at,
    )  # 5
    digest = sm3.digest(description)
    value = sign(digest, entry.path)  # 6
    changes |= {entry.path: description, f"{folder}/SignedValue.dat": value}  # 7
    return SignedPackage(
        data=package.with_files(changes),
        signature_id=entry.id,
        description_path=entry.path,
        description_sm3=digest,
    )


def straddle_stamps(pages: Sequence[Page], *, width: float, height: float, y: float) -> list[Stamp]:
    """Cut a seal over the right edges of all pages (骑缝章): each page shows one strip of the picture.

    `width` and `height` are those of the seal, `y` is where its top lies. Raises DocumentInvalid for fewer
    than two pages, strips under a millimetre, or a page on which a strip would not find room.
    """
    strip = width / max(len(pages), 1)
    if len(pages) < 2 or strip < 1:
        msg = f"a seal of {width:g} mm can straddle 2 to {int(width)} pages"
        raise DocumentInvalid(msg)
    if any(y < 0 or y + height > page.box[3] or strip > page.box[2] for page in pages):
        msg = "the straddling seal would reach over the upper or lower edge of a page"
        raise DocumentInvalid(msg)
    return [
        Stamp(
            page=number,
            x=page.box[2] - strip * (number + 1),
            y=y,
            width=width,
            height=height,
            clip=(strip * number, 0, strip, height),
        )
        for number, page in enumerate(pages)
    ]


def _only_body(package: OfdPackage) -> Body:
    if len(package.bodies) != 1:
        msg = "a package with several documents is not signed; split it first"
        raise DocumentInvalid(msg)
    return package.bodies[0]


def _insert_signatures(root: bytes, location: str) -> bytes:
    """Put `Signatures` behind DocRoot (and Versions) into OFD.xml, leaving every other octet as it is."""
    found = _ROOT_NAME.search(root)
    prefix = found[1] if found is not None else b""
    end = b"</" + prefix + b"DocBody>"
    if root.count(end) != 1:
        msg = "OFD.xml has no plain end of its DocBody; write it anew before signing"
        raise DocumentInvalid(msg)
    entry = b"<" + prefix + b"Signatures>" + location.encode() + b"</" + prefix + b"Signatures>"
    return root.replace(end, entry + end)


def _free_folder(package: OfdPackage, list_path: str) -> str:
    base = list_path.rpartition("/")[0]
    taken = {path.casefold() for path in package.paths}
    for number in range(_MAX_FOLDERS):
        folder = f"{base}/Sign_{number}"
        start = f"{folder}/".casefold()
        if not any(path.startswith(start) for path in taken):
            return folder
    msg = "the document has too many signatures"
    raise DocumentInvalid(msg)


def _enter(
    listed: SignatureList, folder: str, stamps: Sequence[Stamp]
) -> tuple[ListedSignature, SignatureList]:
    """Give the signature the next number; its stamps take those behind it."""
    path = f"{folder}/Signature.xml"
    number = listed.max_number + 1
    entry = ListedSignature(id=f"s{number:03d}", type="Seal", location=path, path=path, relative=None)
    return entry, replace(listed, signatures=(*listed.signatures, entry), max_number=number + len(stamps))


def _digests(
    package: OfdPackage, changes: dict[str, bytes | SharedFile], *, leave_out: Iterable[str]
) -> list[tuple[str, bytes]]:
    skipped = frozenset(leave_out)
    paths = dict.fromkeys((*package.paths, *changes))
    return [
        (path, _digest_of(changes[path]) if path in changes else package.digest(path))
        for path in paths
        if path not in skipped
    ]


def _digest_of(file: bytes | SharedFile) -> bytes:
    return sm3.digest(file) if isinstance(file, bytes) else file.sm3


def _stamps_xml(stamps: Sequence[Stamp], page_ids: Sequence[str], *, first: int) -> list[str]:
    written = []
    for number, stamp in enumerate(stamps, start=first):
        if not 0 <= stamp.page < len(page_ids):
            msg = f"the document has {len(page_ids)} pages, so there is none at position {stamp.page}"
            raise DocumentInvalid(msg)
        attributes = {
            "ID": f"s{number:03d}",
            "PageRef": page_ids[stamp.page],
            "Boundary": numbers((stamp.x, stamp.y, stamp.width, stamp.height)),
            "Clip": None if stamp.clip is None else numbers(stamp.clip),
        }
        written.append(element("StampAnnot", attributes))
    return written


def _describe(
    *,
    references: list[tuple[str, bytes]],
    stamps: list[str],
    seal_path: str | None,
    value_path: str,
    provider: str,
    signed_at: datetime,
) -> bytes:
    """Write Signature.xml, in the order of the schema."""
    entries = [
        f'<ofd:Reference FileRef="{attribute(path)}"><ofd:CheckValue>'
        f"{base64.b64encode(digest).decode()}</ofd:CheckValue></ofd:Reference>"
        for path, digest in references
    ]
    info = element(
        "SignedInfo",
        None,
        element("Provider", {"ProviderName": provider}),
        element("SignatureMethod", None, oids.SM2_WITH_SM3),
        element("SignatureDateTime", None, signed_at.strftime("%Y%m%d%H%M%SZ")),
        element("References", {"CheckMethod": oids.SM3}, *entries),
        *stamps,
        "" if seal_path is None else element("Seal", None, element("BaseLoc", None, text(seal_path))),
    )
    return document("Signature", None, info, element("SignedValue", None, text(value_path)))
