"""The operations of the sharing services, put together from those of the native API."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NoReturn

from certs.copies.model import AnnotatedCopy
from certs.copies.service import CopyService
from certs.issue.metadata import describe_metadata
from certs.issue.model import Certificate, CertificateStatus, Holder
from certs.ofd.package import OfdPackage
from certs.preview.service import PreviewFormat, PreviewService
from certs.sharing.errors import HolderTypeWrong, InputEmpty, TypeUnknown
from certs.sharing.model import Asked, FileResult
from certs.types.model import CertificateType, HolderCodeType
from certs.types.service import TypeService
from certs.use.service import UseService
from certs.use.verdict import Statement, StatementService, result_of
from certs.verify.model import DocumentStatus
from certs.verify.register import Verification
from certs.verify.service import VerifyService
from core.caller import Caller, Purpose
from core.china_time import CHINA_TIME, china_day
from core.codes import citizen, credit
from core.errors import BadInput, FieldError, NotFound

FILE_TYPES: Final = ("ofd", "png")
_STATEMENT: Final = frozenset({"holder", "holderCode", "holderTypeCode", "certNo"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who asks, and for which case."""

    caller: Caller
    purpose: Purpose


class SharingService:
    """Answers the calls of the sharing services. What it hands out, the native rooms decide and log."""

    def __init__(
        self,
        *,
        use: UseService,
        copies: CopyService,
        statements: StatementService,
        verify: VerifyService,
        types: TypeService,
        previews: PreviewService,
        public_url: str,
        max_file_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._use = use
        self._copies = copies
        self._statements = statements
        self._verify = verify
        self._types = types
        self._previews = previews
        self._public_url = public_url
        self._max_file_bytes = max_file_bytes
        self._now = now

    async def search(self, asked: Asked, asking: Asking) -> list[dict[str, Any]]:
        """Find the certificates of a holder, of one type (证照检索)."""
        found = await self._find_held(asked, asking)
        return [self._summarise(each) for each in found]

    async def search_by_number(self, asked: Asked, asking: Asking) -> list[dict[str, Any]]:
        """Find certificates by their number (证照查询)."""
        found = await self._use.look_up(
            type_code=asked.certTypeCode or None,
            number=_need(asked, "certNo"),
            qr=None,
            caller=asking.caller,
            purpose=asking.purpose,
        )
        return [self._summarise(each) for each in found]

    async def fetch_metadata(self, asked: Asked, asking: Asking) -> dict[str, str]:
        """Return the metadata of a certificate (证照信息获取), of those short names that are asked for."""
        identifier = _need(asked, "certificateIdentifier")
        _need(asked, "useCause")
        return await self._metadata_of(identifier, asked, asking)

    async def fetch_by_qr(self, asked: Asked, asking: Asking) -> dict[str, str]:
        """Return the metadata of the certificate whose face shows this QR code."""
        _need(asked, "useCause")
        found = await self._use.look_up(
            type_code=None,
            number=None,
            qr=_need(asked, "qrCode"),
            caller=asking.caller,
            purpose=asking.purpose,
        )
        _require_found(found)
        return await self._metadata_of(found[0].identifier, asked, asking)

    async def fetch_by_holder(self, asked: Asked, asking: Asking) -> list[dict[str, str]]:
        """Return the metadata of a holder's valid certificates of one type."""
        _need(asked, "useCause")
        found = self._only_valid(await self._find_held(asked, asking))
        return [await self._metadata_of(each.identifier, asked, asking) for each in found]

    async def download(self, asked: Asked, asking: Asking) -> dict[str, Any]:
        """Return a file in the answer (下载文件): an annotated copy with a cause, the original without."""
        identifier, form = _need(asked, "certificateIdentifier"), asked.fileType.lower()
        if form not in FILE_TYPES:
            _refuse_value("fileType", "must be ofd or png")
        if not asked.useCause and form == "png":
            _refuse_empty("useCause")
        if asked.useCause:
            copy = await self._make_copy(identifier, asked, asking)
            data = (await self._copies.fetch(copy.id, caller=asking.caller)).data
            metadata = dict(OfdPackage.parse(data).bodies[0].metadata)
            if form == "png":
                data = await self._previews.draw_file(data, page=1, form=PreviewFormat.PNG)
        else:
            fetched = await self._use.fetch_file(
                identifier, allow_invalid=False, caller=asking.caller, purpose=asking.purpose
            )
            data, metadata = fetched.data, dict(OfdPackage.parse(fetched.data).bodies[0].metadata)
        return {
            "contentType": "base64",
            "fileType": form,
            "content": base64.b64encode(data).decode(),
            "metadata": metadata,
        }

    async def download_url(self, asked: Asked, asking: Asking) -> dict[str, Any]:
        """Return an address from which an annotated copy can be fetched once (下载地址)."""
        return await self._url_of(_need(asked, "certificateIdentifier"), asked, asking)

    async def download_urls_by_holder(self, asked: Asked, asking: Asking) -> list[dict[str, Any]]:
        """Return one-time addresses of copies of a holder's valid certificates of one type."""
        found = self._only_valid(await self._find_held(asked, asking))
        return [await self._url_of(each.identifier, asked, asking) for each in found]

    async def verify_data(self, asked: Asked, asking: Asking) -> dict[str, Any]:
        """Verify what somebody says about a certificate (信息验证): results 0 to 6, never the true values."""
        _need(asked, "useCause")
        said = asked.certificateData
        code = said.get("holderCode", "").strip()
        kind = _holder_type(said.get("holderTypeCode") or None, code) if code else HolderCodeType.OTHER_PERSON
        verdict = await self._statements.verify(
            Statement(
                type_code=_need(asked, "certTypeCode"),
                number=said.get("certNo", "").strip(),
                holder=Holder(name=said.get("holder", "").strip(), code=code, code_type=kind),
                data={name: value for name, value in said.items() if name not in _STATEMENT},
            ),
            caller=asking.caller,
            purpose=asking.purpose,
        )
        return {
            "verifyResult": int(verdict.result),
            "nationalResult": verdict.national,
            "certificateIdentifier": verdict.identifier,
            "wrong": list(verdict.wrong),
        }

    async def verify_file(self, asked: Asked, asking: Asking) -> dict[str, Any]:
        """Verify a file (文件验证): 0 passed, 1 the seal does not hold, 2 the file does not."""
        if asked.contentType != "base64":
            _refuse_value("contentType", "must be base64")
        try:
            data = base64.b64decode(_need(asked, "content"), validate=True)
        except (ValueError, binascii.Error):
            _refuse_value("content", "is not base64")
        if len(data) > self._max_file_bytes:
            _refuse_value("content", f"is more than {self._max_file_bytes} bytes")
        found = await self._verify.verify(data, caller=asking.caller, purpose=asking.purpose)
        return {
            "verifyResult": int(_file_result(found)),
            "status": found.status,
            "registerStatus": found.register.status,
            "certificateIdentifier": found.register.identifier,
        }

    async def list_items(self, asked: Asked) -> list[dict[str, Any]]:
        """Return what `verify_data` may be asked about certificates of a type (照面信息)."""
        kind = await self._type_of(_need(asked, "certTypeCode"))
        fixed = [("holder", "持证主体"), ("holderCode", "持证主体代码"), ("certNo", "证照编号")]
        return [{"name": name, "title": title, "required": True} for name, title in fixed] + [
            {"name": item.name, "title": item.title, "required": False}
            for item in kind.items
            if not item.is_photo
        ]

    async def _type_of(self, code: str) -> CertificateType:
        try:
            return await self._types.get_type(code)
        except NotFound as unknown:
            raise TypeUnknown(unknown.detail) from unknown

    async def _find_held(self, asked: Asked, asking: Asking) -> list[Certificate]:
        code, type_code = _need(asked, "holderCode"), _need(asked, "certTypeCode")
        await self._type_of(type_code)
        found = await self._use.search(
            holder_code=code,
            holder_code_type=_holder_type(asked.holderTypeCode, code),
            type_code=type_code,
            caller=asking.caller,
            purpose=asking.purpose,
        )
        found = [
            each
            for each in found
            if (not asked.holder or each.holder.name == asked.holder)
            and (not asked.certNo or each.number == asked.certNo)
        ]
        _require_found(found)
        return found

    def _only_valid(self, found: Sequence[Certificate]) -> list[Certificate]:
        today = china_day(self._now())
        valid = [each for each in found if each.status_on(today) is CertificateStatus.ACTIVE]
        _require_found(valid)
        return valid

    async def _metadata_of(self, identifier: str, asked: Asked, asking: Asking) -> dict[str, str]:
        certificate = await self._use.fetch_data(
            identifier, allow_invalid=False, caller=asking.caller, purpose=asking.purpose
        )
        kind = await self._types.get_version(certificate.type_code, certificate.type_version)
        return _choose(describe_metadata(certificate, kind), kind, asked.metadataRange)

    async def _make_copy(self, identifier: str, asked: Asked, asking: Asking) -> AnnotatedCopy:
        own = asking.caller.organisation_name
        if asked.copyMaker and asked.copyMaker != own:
            _refuse_value("copyMaker", f"must be the organisation of the token, {own}, or be left out")
        return await self._copies.make(
            identifier,
            cause=_need(asked, "useCause"),
            expires_at=_read_moment(_need(asked, "copyExpiry")),
            code=None,
            caller=asking.caller,
            purpose=asking.purpose,
        )

    async def _url_of(self, identifier: str, asked: Asked, asking: Asking) -> dict[str, Any]:
        copy = await self._make_copy(identifier, asked, asking)
        token, expires_at = await self._copies.open_download(copy.id, caller=asking.caller)
        return {
            "certificateIdentifier": identifier,
            "contentType": self._public_url.partition(":")[0],
            "content": f"{self._public_url}/v1/downloads/{token}",
            "expires": _write_moment(expires_at),
        }

    def _summarise(self, certificate: Certificate) -> dict[str, Any]:
        status = certificate.status_on(china_day(self._now()))
        return {
            "certificateIdentifier": certificate.identifier,
            "certificateName": certificate.type_name,
            "certTypeCode": certificate.type_code,
            "certNo": certificate.number,
            "issueDept": certificate.issuer_name,
            "state": int(result_of(status)),
        }


def _file_result(found: Verification) -> FileResult:
    """A file that cannot be read, or that the seal does not cover, fails as a file; else its seal does."""
    if found.status in {DocumentStatus.VALID, DocumentStatus.VALID_WITH_WARNINGS}:
        return FileResult.PASSED
    if found.document.signatures and not all(each.is_intact for each in found.document.signatures):
        return FileResult.FILE_REFUSED
    return FileResult.SEAL_REFUSED if found.document.signatures else FileResult.FILE_REFUSED


def _choose(metadata: Mapping[str, str], kind: CertificateType, wanted: str | None) -> dict[str, str]:
    """Return the elements of these short names. Raises BadInput for names that there are not."""
    names = [name.strip() for name in (wanted or "").split(",") if name.strip()]
    if not names:
        return dict(metadata)
    known = {*metadata, *(item.metadata_name for item in kind.items), *OPTIONAL}
    unknown = [name for name in names if name not in known]
    if unknown:
        _refuse_value("metadataRange", f"names elements that there are not: {', '.join(unknown)[:100]}")
    return {name: metadata[name] for name in names if name in metadata}


OPTIONAL: Final = frozenset({"ZZYXQQSRQ", "ZZYXQJZRQ", "GLZZBZ", "ZZQZMC", "ZZQZSJ", "CJSJ"})
"""Elements that a certificate may be without."""


def _holder_type(written: str | None, code: str) -> HolderCodeType:
    """Read a holder-code type; where none is sent, tell it by the code's own form."""
    if not written:
        if credit.is_check_valid(code):
            return HolderCodeType.CREDIT_CODE
        if citizen.is_check_valid(code):
            return HolderCodeType.CITIZEN_NUMBER
    try:
        return HolderCodeType(written or "")
    except ValueError as error:
        detail = "must be a code of GB/T 36903-2018 annex A, such as 001 or 111"
        raise HolderTypeWrong(detail, errors=(_error("holderTypeCode", "HOLDER-TYPE", detail),)) from error


def _need(asked: Asked, name: str) -> str:
    value = str(getattr(asked, name) or "").strip()
    if not value:
        _refuse_empty(name)
    return value


def _refuse_empty(name: str) -> NoReturn:
    detail = f"data.{name} must be sent"
    raise InputEmpty(detail, errors=(_error(name, "REQUIRED", detail),))


def _refuse_value(name: str, problem: str) -> NoReturn:
    msg = f"data.{name} {problem}"
    raise BadInput(msg, errors=(_error(name, "VALUE", problem),))


def _error(name: str, code: str, detail: str) -> FieldError:
    return FieldError(pointer=f"/data/{name}", code=code, detail=detail)


def _require_found(found: Sequence[Certificate]) -> None:
    if not found:
        msg = "no certificate that this case may use was found"
        raise NotFound(msg)


def _read_moment(written: str) -> datetime:
    try:
        return datetime.strptime(written, "%Y%m%d%H%M%S").replace(tzinfo=CHINA_TIME)
    except ValueError:
        _refuse_value("copyExpiry", "must be YYYYMMDDhhmmss, in China time")


def _write_moment(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y%m%d%H%M%S")
