"""Find and fetch certificates, for a case; every use, also a refused one, is in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from certs.identifiers import parse_identifier
from certs.issue import store
from certs.issue.model import Certificate, CertificateStatus, china_day
from certs.types.model import HolderCodeType
from certs.types.store import load_type, load_types
from certs.use.rule import UseBasis, find_basis
from core.caller import Caller, Purpose
from core.database import Database
from core.errors import Conflict, Forbidden, Unavailable
from core.log.model import Event
from core.log.recorded import mark_recorded
from core.log.writer import LogWriter
from core.objects import ObjectStore
from signing import sm3

MAX_FOUND: Final = 200


class UseRefused(Forbidden):
    """No rule lets this caller use certificates of this type for this service item."""

    code = "CERT-USE-REFUSED"
    title = "Use of the certificate refused"


class CertificateNotValid(Conflict):
    """The certificate is not valid today."""

    code = "CERT-NOT-VALID"
    title = "Certificate not valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedFile:
    """A certificate with its file, the bytes that were sealed."""

    certificate: Certificate
    data: bytes = field(repr=False)


class UseService:
    """Hands certificates out to those who may have them."""

    def __init__(
        self, *, database: Database, objects: ObjectStore, log: LogWriter, now: Callable[[], datetime]
    ) -> None:
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
            kinds = {kind.code: kind for kind in await load_types(connection)}
            found = await store.load_by_holder(
                connection,
                holder_code=holder_code,
                holder_code_type=holder_code_type,
                type_code=type_code,
                limit=MAX_FOUND,
            )
            usable = [
                certificate
                for certificate in found
                if find_basis(
                    caller=caller,
                    purpose=purpose,
                    issuer_code=certificate.issuer_code,
                    kind=kinds[certificate.type_code],
                )
            ]
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_FETCHED,
                caller=caller,
                purpose=purpose,
                subject=holder_code,
                details={"act": "search", "type": type_code, "found": len(usable)},
            )
            return usable

    async def fetch_data(
        self, identifier: str, *, allow_invalid: bool, caller: Caller, purpose: Purpose
    ) -> Certificate:
        """Return a certificate with its data. Raises as `fetch_file`."""
        return await self._open(
            identifier, act="data", allow_invalid=allow_invalid, caller=caller, purpose=purpose
        )

    async def fetch_file(
        self, identifier: str, *, allow_invalid: bool, caller: Caller, purpose: Purpose
    ) -> FetchedFile:
        """Return a certificate with its file, whose digest was checked against the register.

        Raises NotFound, UseRefused where no rule covers the case, CertificateNotValid unless
        `allow_invalid`, Unavailable where the object store lost or altered the file.
        """
        certificate = await self._open(
            identifier, act="file", allow_invalid=allow_invalid, caller=caller, purpose=purpose
        )
        data = await asyncio.to_thread(self._objects.get, certificate.object_key)
        if sm3.digest(data) != certificate.digest_sm3:
            msg = "the stored file is not the one that was registered; its issuer should issue it again"
            raise Unavailable(msg)
        return FetchedFile(certificate=certificate, data=data)

    async def _open(
        self, identifier: str, *, act: str, allow_invalid: bool, caller: Caller, purpose: Purpose
    ) -> Certificate:
        parse_identifier(identifier)
        async with self._database.transaction() as connection:
            certificate = await store.load_certificate(connection, identifier=identifier)
            kind = await load_type(connection, code=certificate.type_code)
            basis = find_basis(caller=caller, purpose=purpose, issuer_code=certificate.issuer_code, kind=kind)
            status = certificate.status_on(china_day(self._now()))
            refusal = _find_refusal(basis, status, purpose=purpose, allow_invalid=allow_invalid)
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


def _find_refusal(
    basis: UseBasis | None, status: CertificateStatus, *, purpose: Purpose, allow_invalid: bool
) -> Forbidden | Conflict | None:
    if basis is None:
        return UseRefused(
            f"certificates of this type may not be used for the service item {purpose.service_item}; "
            "an administrator can add it to the type"
        )
    if status is not CertificateStatus.ACTIVE and not allow_invalid:
        return CertificateNotValid(
            f"the certificate is {status}; ask with allow_invalid=true if the case needs it all the same"
        )
    return None
