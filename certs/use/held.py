"""What a case may use of a holder's certificates: looked up and opened in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from certs.authorise.service import AuthoriseService
from certs.issue import store
from certs.issue.model import Certificate, CertificateStatus
from certs.types.kept import KeptTypes
from certs.types.model import CertificateType, HolderCodeType
from certs.use.rule import UseBasis, find_basis
from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Connection, Database
from core.database.gathering import Gathering, Row
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
        self._types = KeptTypes()
        self._now = now

    def begin(
        self, sought: Sequence[Sought], *, codes: Sequence[str], caller: Caller, purpose: Purpose
    ) -> HeldBatch:
        """Begin to open certificates for a case, read together with whatever else the case asks."""
        return HeldBatch(
            self._types,
            self._authorise,
            sought,
            codes=codes,
            caller=caller,
            purpose=purpose,
            today=china_day(self._now()),
        )

    async def open_held(
        self, sought: Sequence[Sought], *, codes: Sequence[str], caller: Caller, purpose: Purpose
    ) -> list[Held]:
        """Open, for each search, the newest certificate that is valid today and that the case may use.

        `codes` are authorisation codes (用证码) of holders, each tried where no rule covers the case. Where
        the case may not use the type it is not told whether a certificate is there. For a caller within the
        hub that commits its own transaction before it gives anything out.
        """
        batch = self.begin(sought, codes=codes, caller=caller, purpose=purpose)
        async with self._database.unflushed_transaction() as connection:
            gathering = Gathering()
            batch.write(gathering)
            await batch.take(connection, await gathering.run(connection))
            await self._log.append_all(connection, batch.leaves)
        return batch.found


class HeldBatch:
    """Searches of one case. Call `write`, `take`, and append `leaves` in the same transaction."""

    def __init__(
        self,
        types: KeptTypes,
        authorise: AuthoriseService,
        sought: Sequence[Sought],
        *,
        codes: Sequence[str],
        caller: Caller,
        purpose: Purpose,
        today: date,
    ) -> None:
        self._types = types
        self._authorise = authorise
        self._sought = sought
        self._codes = codes
        self._caller = caller
        self._purpose = purpose
        self._today = today
        self._kinds_at = 0
        self._held_at: list[int] = []
        self.found: list[Held] = []
        self.leaves: list[NewLeaf] = []

    def write(self, gathering: Gathering) -> None:
        """Write the statements that read the types and the holders' certificates."""
        if not self._sought:
            return
        self._kinds_at = self._types.write(gathering, codes=[each.type_code for each in self._sought])
        self._held_at = [
            store.write_by_holder(
                gathering,
                holder_code=each.holder_code,
                holder_code_type=each.holder_code_type,
                type_code=each.type_code,
                limit=MAX_HELD,
            )
            for each in self._sought
        ]

    async def take(self, connection: Connection, found: Sequence[Sequence[Row]]) -> None:
        """Open what may be opened of what the statements found, and count the uses of codes."""
        if not self._sought:
            return
        kinds = await self._types.take(connection, found[self._kinds_at])
        for sought, place in zip(self._sought, self._held_at, strict=True):
            kind = kinds.get(sought.type_code)
            held, leaf = await self._open(connection, sought, kind, store.read_certificates(found[place]))
            self.found.append(held)
            self.leaves.append(leaf)

    async def _open(
        self,
        connection: Connection,
        sought: Sought,
        kind: CertificateType | None,
        held: list[Certificate],
    ) -> tuple[Held, NewLeaf]:
        if kind is None:
            return Held(outcome=HeldOutcome.UNKNOWN_TYPE), self._leaf(sought)
        held.sort(key=lambda each: each.status_on(self._today) is not CertificateStatus.ACTIVE)
        for certificate in held:
            basis = find_basis(
                caller=self._caller, purpose=self._purpose, issuer_code=certificate.issuer_code, kind=kind
            )
            basis = basis or await self._use_code(connection, certificate)
            if basis is not None:
                status = certificate.status_on(self._today)
                valid = status is CertificateStatus.ACTIVE
                answer = Held(
                    outcome=HeldOutcome.OPENED if valid else HeldOutcome.NOT_VALID,
                    type_name=kind.name,
                    certificate=certificate if valid else _without_data(certificate),
                    status=status,
                )
                return answer, self._leaf(sought, certificate, basis=basis, status=status)
        may_use = kind.may_be_used_for(self._purpose.service_item)
        outcome = HeldOutcome.NOT_HELD if may_use else HeldOutcome.REFUSED
        return Held(outcome=outcome, type_name=kind.name), self._leaf(sought, refused=not may_use)

    async def _use_code(self, connection: Connection, certificate: Certificate) -> UseBasis | None:
        for code in self._codes:
            found, _ = await self._authorise.find(
                connection,
                code,
                identifier=certificate.identifier,
                caller=self._caller,
                purpose=self._purpose,
            )
            if found is not None:
                await self._authorise.count(connection, found)
                return UseBasis(found.mode)
        return None

    def _leaf(
        self,
        sought: Sought,
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
            caller=self._caller,
            purpose=self._purpose,
            certificate_id=None if certificate is None else certificate.identifier,
            owner=None if certificate is None else str(certificate.issuer_code),
            subject=sought.holder_code,
            details=details,
        )


def _without_data(certificate: Certificate) -> Certificate:
    """Leave the items on the face out: what is not valid supplies nothing."""
    return replace(certificate, data={})
