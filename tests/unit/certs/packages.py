"""Small OFD packages, and seals set on them step by step, so that each step can be done wrongly."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from certs.verify.document import assess_document
from certs.verify.model import DocumentReport
from signing import sm3
from signing.seals.model import SealVersion
from signing.trust import TrustPolicy
from tests.unit.signing.seals import pki

NS = 'xmlns:ofd="http://www.ofdspec.org/2016"'
LIST = "Doc_0/Signs/Signatures.xml"
EXAMINED = datetime(2026, 6, 2, tzinfo=pki.NOW.tzinfo)
Files = dict[str, bytes]


def xml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode()


def plain_files(metadata: Mapping[str, str] | None = None, *, signed: bool = True) -> Files:
    """A one-page document with a font, an image, an annotation and metadata."""
    custom = "".join(
        f'<ofd:CustomData Name="{name}">{value}</ofd:CustomData>' for name, value in (metadata or {}).items()
    )
    listed = f"<ofd:Signatures>/{LIST}</ofd:Signatures>" if signed else ""
    return {
        "OFD.xml": xml(
            f'<ofd:OFD {NS} Version="1.0" DocType="OFD"><ofd:DocBody><ofd:DocInfo>'
            f"<ofd:DocID>{'0' * 32}</ofd:DocID><ofd:CustomDatas>{custom}</ofd:CustomDatas></ofd:DocInfo>"
            f"<ofd:DocRoot>Doc_0/Document.xml</ofd:DocRoot>{listed}</ofd:DocBody></ofd:OFD>"
        ),
        "Doc_0/Document.xml": xml(
            f"<ofd:Document {NS}><ofd:CommonData><ofd:MaxUnitID>9</ofd:MaxUnitID>"
            "<ofd:PublicRes>PublicRes.xml</ofd:PublicRes></ofd:CommonData>"
            '<ofd:Pages><ofd:Page ID="1" BaseLoc="Pages/Page_0/Content.xml"/></ofd:Pages></ofd:Document>'
        ),
        "Doc_0/PublicRes.xml": xml(
            f'<ofd:Res {NS} BaseLoc="Res"><ofd:Fonts><ofd:Font ID="2" FontName="x">'
            "<ofd:FontFile>font_2.ttf</ofd:FontFile></ofd:Font></ofd:Fonts></ofd:Res>"
        ),
        "Doc_0/Res/font_2.ttf": b"not really a font",
        "Doc_0/Pages/Page_0/Content.xml": xml(f"<ofd:Page {NS}><ofd:Content>甲</ofd:Content></ofd:Page>"),
    }


def list_of(*ids: str) -> bytes:
    """The list of signatures `s001`, … in Sign_0, …"""
    entries = "".join(
        f'<ofd:Signature ID="{name}" Type="Seal" BaseLoc="/Doc_0/Signs/Sign_{number}/Signature.xml"/>'
        for number, name in enumerate(ids)
    )
    return xml(f"<ofd:Signatures {NS}><ofd:MaxSignId>s099</ofd:MaxSignId>{entries}</ofd:Signatures>")


def describe(files: Files, number: int, *, leave_out: tuple[str, ...] = (), **changes: Any) -> bytes:
    """The description of signature `number` over everything in `files` but `leave_out`."""
    method = changes.get("check_method", ' CheckMethod="1.2.156.10197.1.401"')
    page = changes.get("page", "1")
    boundary = changes.get("boundary", "100 100 40 40")
    algorithm = changes.get("algorithm", "1.2.156.10197.1.501")
    references = "".join(
        f'<ofd:Reference FileRef="/{name}"><ofd:CheckValue>'
        f"{base64.b64encode(sm3.digest(content)).decode()}</ofd:CheckValue></ofd:Reference>"
        for name, content in files.items()
        if name not in leave_out
    )
    folder = f"/Doc_0/Signs/Sign_{number}"
    return xml(
        f'<ofd:Signature {NS}><ofd:SignedInfo><ofd:Provider ProviderName="test"/>'
        f"<ofd:SignatureMethod>{algorithm}</ofd:SignatureMethod>"
        f"<ofd:References{method}>{references}{changes.get('more', '')}</ofd:References>"
        f'<ofd:StampAnnot ID="s09{number}" PageRef="{page}" Boundary="{boundary}"/>'
        f"<ofd:Seal><ofd:BaseLoc>{folder}/Seal.esl</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"
        f"<ofd:SignedValue>{folder}/SignedValue.dat</ofd:SignedValue></ofd:Signature>"
    )


def sign(
    files: Files,
    *,
    number: int = 0,
    lock: bool = False,
    seal: bytes | None = None,
    leave_out: tuple[str, ...] = (),
    signature_changes: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Files:
    """Set one more seal on `files`, as GB/T 33190 chapter 18 says, but for what is asked for."""
    folder = f"Doc_0/Signs/Sign_{number}"
    seal = pki.seal_of(SealVersion.V4) if seal is None else seal
    signed = dict(files)
    signed[LIST] = list_of(*(f"s00{n}" for n in range(1, number + 2)))
    signed[f"{folder}/Seal.esl"] = seal
    out = leave_out if lock else (*leave_out, LIST)
    description = describe(signed, number, leave_out=out, **changes)
    value = pki.sign(
        seal=seal,
        data_hash=sm3.digest(description),
        property_info=f"/{folder}/Signature.xml",
        **(signature_changes or {}),
    )
    return signed | {f"{folder}/Signature.xml": description, f"{folder}/SignedValue.dat": value}


def pack(files: Mapping[str, bytes]) -> bytes:
    """Zip files in their order, reproducibly."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 6, 1, 0, 0, 0)), content)
    return target.getvalue()


@cache
def _sealed() -> tuple[tuple[str, bytes], ...]:
    return tuple(sign(plain_files({"ZZMC": "营业执照"})).items())


def sealed() -> Files:
    """A document under one good seal."""
    return dict(_sealed())


def assess(files: Mapping[str, bytes] | bytes, **changes: Any) -> DocumentReport:
    """Examine files under our own trust."""
    data = files if isinstance(files, bytes) else pack(files)
    trust: TrustPolicy = changes.pop("trust", None) or pki.pki().trust(**changes)
    return assess_document(data, trust=trust, at=EXAMINED)


def codes(report: DocumentReport) -> set[str]:
    """All codes of errors, warnings and unknowns."""
    found = [*report.findings, *(each for one in report.signatures for each in one.findings)]
    return {str(finding.code) for finding in found if finding.severity != "info"}
