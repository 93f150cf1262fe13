"""What a case may use of a holder's certificates: looked up and opened in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from certs.authorise.service import AuthoriseService
from certs.issue import store
from certs.issue.model import Certificate, CertificateStatus, china_day
from certs.types.model import CertificateType, HolderCodeType
from certs.types.store import load_types_by_code
from certs.use.rule import UseBasis, find_basis
from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf

MAX_HELD = 50


class HeldOutcome(StrEnum):
    """What became of one search. `refused`: no rule and no code lets the case use the type."""

    OPENED = "opened"
    NOT_VALID = "not_valid"
    NOT_HELD = "not_held"
    UNKNOWN_TYPE = "unknown_type"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """A certificate of a type that is looked for, by its holder."""

    type_code: str
    holder_code: str = field(repr=False)
    holder_code_type: HolderCodeType


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The answer to one search: the newest valid certificate, else the newest, with its status today."""

    outcome: HeldOutcome
    type_name: str = ""
    certificate: Certificate | None = None
    status: CertificateStatus | None = None


class HeldService:
    """Finds and opens certificates for a case, under the rules of `UseService`; every use is in the log."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        authorise: AuthoriseService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._authorise = authorise
        self._now = now

    async def open_held(
        self, sought: Sequence[Sought], *, codes: Sequence[str], caller: Caller, purpose: Purpose
    ) -> list[Held]:
        """Open, for each search, the newest certificate that is valid today and that the case may use.

        `codes` are authorisation codes (用证码) of holders, each tried where no rule covers the case. Where
        the case may not use the type it is not told whether a certificate is there. For a caller within the
        hub that commits its own transaction before it gives anything out.
        """
        found, leaves = [], []
        async with self._database.unflushed_transaction() as connection:
            kinds = await load_types_by_code(connection, codes=[each.type_code for each in sought])
            for each in sought:
                kind = kinds.get(each.type_code)
                held, leaf = await self._open(
                    connection, each, kind, codes=codes, caller=caller, purpose=purpose
                )
                found.append(held)
                leaves.append(leaf)
            await self._log.append_all(connection, leaves)
        return found

    async def _open(
        self,
        connection: Connection,
        sought: Sought,
        kind: CertificateType | None,
        *,
        codes: Sequence[str],
        caller: Caller,
        purpose: Purpose,
    ) -> tuple[Held, NewLeaf]:
        if kind is None:
            return Held(outcome=HeldOutcome.UNKNOWN_TYPE), self._leaf(sought, caller, purpose)
        held = await store.load_by_holder(
            connection,
            holder_code=sought.holder_code,
            holder_code_type=sought.holder_code_type,
            type_code=sought.type_code,
            limit=MAX_HELD,
        )
        today = china_day(self._now())
        held.sort(key=lambda each: each.status_on(today) is not CertificateStatus.ACTIVE)
        for certificate in held:
            basis = find_basis(caller=caller, purpose=purpose, issuer_code=certificate.issuer_code, kind=kind)
            basis = basis or await self._use_code(
                connection, certificate, codes=codes, caller=caller, purpose=purpose
            )
            if basis is not None:
                status = certificate.status_on(today)
                valid = status is CertificateStatus.ACTIVE
                answer = Held(
                    outcome=HeldOutcome.OPENED if valid else HeldOutcome.NOT_VALID,
                    type_name=kind.name,
                    certificate=certificate if valid else _without_data(certificate),
                    status=status,
                )
                return answer, self._leaf(sought, caller, purpose, certificate, basis=basis, status=status)
        may_use = kind.may_be_used_for(purpose.service_item)
        outcome = HeldOutcome.NOT_HELD if may_use else HeldOutcome.REFUSED
        return Held(outcome=outcome, type_name=kind.name), self._leaf(
            sought, caller, purpose, refused=not may_use
        )

    async def _use_code(
        self,
        connection: Connection,
        certificate: Certificate,
        *,
        codes: Sequence[str],
        caller: Caller,
        purpose: Purpose,
    ) -> UseBasis | None:
        for code in codes:
            found, _ = await self._authorise.find(
                connection, code, identifier=certificate.identifier, caller=caller, purpose=purpose
            )
            if found is not None:
                await self._authorise.count(connection, found)
                return UseBasis(found.mode)
        return None

    def _leaf(
        self,
        sought: Sought,
        caller: Caller,
        purpose: Purpose,
        certificate: Certificate | None = None,
        *,
        basis: UseBasis | None = None,
        status: CertificateStatus | None = None,
        refused: bool = False,
    ) -> NewLeaf:
        valid = status is CertificateStatus.ACTIVE
        details: dict[str, object] = {"act": "data" if valid else "search", "type": sought.type_code}
        if refused:
            details = {"act": "search", "refusal": "CERT-USE-REFUSED"}
        elif certificate is None:
            details["found"] = 0
        else:
            details |= {"found": 1, "basis": basis, "status": status}
        return NewLeaf(
            event=Event.ACCESS_REFUSED if refused else Event.CERTIFICATE_FETCHED,
            caller=caller,
            purpose=purpose,
            certificate_id=None if certificate is None else certificate.identifier,
            owner=None if certificate is None else str(certificate.issuer_code),
            subject=sought.holder_code,
            details=details,
        )


def _without_data(certificate: Certificate) -> Certificate:
    """Leave the items on the face out: what is not valid supplies nothing."""
    return replace(certificate, data={})
