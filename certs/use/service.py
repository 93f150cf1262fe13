"""Find and fetch certificates, for a case; every use, also a refused one, is in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from certs.authorise.model import AuthorisationMode
from certs.authorise.service import AuthoriseService
from certs.authorise.store import is_copies_only
from certs.face.payload import read_face
from certs.identifiers import parse_identifier
from certs.issue import store
from certs.issue.model import Certificate, CertificateStatus
from certs.types.model import HolderCodeType
from certs.types.store import load_type, load_types
from certs.use.rule import UseBasis, UseRefused, find_basis, may_have_original, refuse_use
from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import BadInput, Conflict, Forbidden, Unavailable
from core.log.model import Event
from core.log.recorded import mark_recorded
from core.log.writer import LogWriter
from core.objects import ObjectStore
from signing import sm3

MAX_FOUND: Final = 200
ORIGINAL: Final = "file"
ONLY_COPIES: Final = (
    "the original does not go out for this case; POST /v1/certificates/{identifier}/copies makes a copy"
)


class CertificateNotValid(Conflict):
    """The certificate is not valid today."""

    code = "CERT-NOT-VALID"
    title = "Certificate not valid"

    def __init__(self, status: CertificateStatus) -> None:
        super().__init__(
            f"the certificate is {status}; ask with allow_invalid=true if the case needs it all the same"
        )
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A certificate with its file, the bytes that were sealed."""

    certificate: Certificate
    data: bytes = field(repr=False)


class UseService:
    """Hands certificates out to those who may have them."""

    def __init__(
        self,
        *,
        database: Database,
        objects: ObjectStore,
        log: LogWriter,
        authorise: AuthoriseService,
        now: Callable[[], datetime],
    ) -> None:
        self._authorise = authorise
        self._database = database
        self._objects = objects
        self._log = log
        self._now = now

    async def search(
        self,
        *,
        holder_code: str,
        holder_code_type: HolderCodeType,
        type_code: str | None,
        caller: Caller,
        purpose: Purpose,
    ) -> list[Certificate]:
        """Find the certificates of a holder that this caller may use for this case, newest first.

        At most 200. Certificates of types that the case's service item may not use are left out, so that
        a search does not tell that they exist.
        """
        async with self._database.transaction() as connection:
            found = await store.load_by_holder(
                connection,
                holder_code=holder_code,
                holder_code_type=holder_code_type,
                type_code=type_code,
                limit=MAX_FOUND,
            )
            usable = await _keep_usable(connection, found, caller=caller, purpose=purpose)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED,
                caller=caller,
                purpose=purpose,
                subject=holder_code,
                details={"act": "search", "type": type_code, "found": len(usable)},
            )
            return usable

    async def look_up(
        self, *, type_code: str | None, number: str | None, qr: str | None, caller: Caller, purpose: Purpose
    ) -> list[Certificate]:
        """Find certificates by number, or by the QR code on a face. Raises BadInput for neither or both.

        Like `search`, it leaves out what the case may not use.
        """
        if (number is None) == (qr is None):
            msg = "look a certificate up by number or by qr, one of the two"
            raise BadInput(msg)
        async with self._database.transaction() as connection:
            if qr is not None:
                held = await store.find_certificate(connection, identifier=read_face(qr).identifier)
                found = [] if held is None else [held]
            else:
                found = await store.load_by_number(
                    connection, type_code=type_code, number=number or "", limit=MAX_FOUND
                )
            usable = await _keep_usable(connection, found, caller=caller, purpose=purpose)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED,
                caller=caller,
                purpose=purpose,
                certificate_id=usable[0].identifier if usable else None,
                details={"act": "look-up", "type": type_code, "found": len(usable)},
            )
            return usable

    async def fetch_data(
        self,
        identifier: str,
        *,
        allow_invalid: bool,
        caller: Caller,
        purpose: Purpose,
        code: str | None = None,
        act: str = "data",
    ) -> Certificate:
        """Return a certificate with its data. `code` is an authorisation code. Raises as `fetch_file`."""
        return await self._open(
            identifier, act=act, allow_invalid=allow_invalid, caller=caller, purpose=purpose, code=code
        )

    async def fetch_file(
        self,
        identifier: str,
        *,
        allow_invalid: bool,
        caller: Caller,
        purpose: Purpose,
        code: str | None = None,
    ) -> FetchedFile:
        """Return a certificate with its original file, whose digest was checked against the register.

        Raises NotFound, UseRefused where no rule covers the case or only a copy may go out,
        AuthorisationRefused for a code that does not cover this use, CertificateNotValid unless
        `allow_invalid`, Unavailable where the object store lost or altered the file.
        """
        certificate = await self._open(
            identifier, act=ORIGINAL, allow_invalid=allow_invalid, caller=caller, purpose=purpose, code=code
        )
        return FetchedFile(certificate=certificate, data=await self.read_file(certificate))

    async def read_file(self, certificate: Certificate) -> bytes:
        """Read the registered file of a certificate that was opened. Raises Unavailable."""
        data = await asyncio.to_thread(
            self._objects.get_range,
            certificate.object_key,
            certificate.object_offset,
            certificate.size_bytes,
        )
        if sm3.digest(data) != certificate.digest_sm3:
            msg = "the stored file is not the one that was registered; its issuer should issue it again"
            raise Unavailable(msg)
        return data

    async def _open(
        self,
        identifier: str,
        *,
        act: str,
        allow_invalid: bool,
        caller: Caller,
        purpose: Purpose,
        code: str | None,
    ) -> Certificate:
        parse_identifier(identifier)
        refusal: Forbidden | Conflict | None
        async with self._database.transaction() as connection:
            certificate = await store.load_certificate(connection, identifier=identifier)
            kind = await load_type(connection, code=certificate.type_code)
            basis = find_basis(caller=caller, purpose=purpose, issuer_code=certificate.issuer_code, kind=kind)
            copies_only = await is_copies_only(
                connection, type_code=certificate.type_code, service_item=purpose.service_item
            )
            has_original = may_have_original(basis, copies_only=copies_only)
            status = certificate.status_on(china_day(self._now()))
            authorisation, refusal = None, None
            if code is not None:
                authorisation, refusal = await self._authorise.find(
                    connection, code, identifier=identifier, caller=caller, purpose=purpose
                )
            if authorisation is not None:
                by_rule = authorisation.mode is not AuthorisationMode.FUNCTION  # whose rule may have changed
                covered = by_rule or kind.may_be_used_for(purpose.service_item)
                basis = UseBasis(authorisation.mode) if covered else basis
                has_original |= authorisation.original and covered and (by_rule or not copies_only)
            refusal = refusal or _find_refusal(basis, status, purpose=purpose, allow_invalid=allow_invalid)
            if refusal is None and act == ORIGINAL and not has_original:
                refusal = UseRefused(ONLY_COPIES)
            if refusal is None and authorisation is not None:
                await self._authorise.count(connection, authorisation)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED if refusal is None else Event.ACCESS_REFUSED,
                caller=caller,
                purpose=purpose,
                certificate_id=identifier,
                subject=certificate.holder.code,
                details={"act": act, "basis": basis, "status": status, "refusal": refusal and refusal.code},
            )
        if refusal is not None:
            raise mark_recorded(refusal)
        return certificate


async def _keep_usable(
    connection: Connection, found: Sequence[Certificate], *, caller: Caller, purpose: Purpose
) -> list[Certificate]:
    kinds = {kind.code: kind for kind in await load_types(connection)}
    return [
        each
        for each in found
        if find_basis(
            caller=caller, purpose=purpose, issuer_code=each.issuer_code, kind=kinds[each.type_code]
        )
    ]


def _find_refusal(
    basis: UseBasis | None, status: CertificateStatus, *, purpose: Purpose, allow_invalid: bool
) -> Forbidden | Conflict | None:
    if basis is None:
        return refuse_use(purpose)
    if status is not CertificateStatus.ACTIVE and not allow_invalid:
        return CertificateNotValid(status)
    return None
