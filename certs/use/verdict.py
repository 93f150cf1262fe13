"""Verify what somebody says about a certificate, with the standard's result codes (GB/T 36906-2018)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from certs.issue import store
from certs.issue.model import Certificate, CertificateStatus, Holder, china_day
from core.caller import Caller, Purpose
from core.database import Database
from core.log.model import Event
from core.log.writer import LogWriter, NewLeaf


class InfoResult(IntEnum):
    """What a verification of data ends with; 0 to 5 as deployed platforms agree, 6 as one vendor has it."""

    VALID = 0
    NOT_ACTIVATED = 1
    SUSPENDED = 2
    NO_LONGER_VALID = 3
    INCOMPLETE = 4
    NOT_FOUND = 5
    INCONSISTENT = 6


_RESULT_OF: Final = {
    CertificateStatus.ACTIVE: InfoResult.VALID,
    CertificateStatus.NOT_ACTIVATED: InfoResult.NOT_ACTIVATED,
    CertificateStatus.SUSPENDED: InfoResult.SUSPENDED,
}
_NATIONAL_OF: Final = {
    CertificateStatus.ACTIVE: 0,
    CertificateStatus.NOT_ACTIVATED: 23,
    CertificateStatus.SUSPENDED: 23,
    CertificateStatus.EXPIRED: 22,
}
NATIONAL_NOT_FOUND: Final = 10
NATIONAL_EMPTY: Final = 12
NATIONAL_CANCELLED: Final = 21
NATIONAL_OTHER: Final = 99


def result_of(status: CertificateStatus) -> InfoResult:
    """Return the standard's code for a right statement about a certificate of that status."""
    return _RESULT_OF.get(status, InfoResult.NO_LONGER_VALID)


def national_code(status: CertificateStatus) -> int:
    """Return the national platform's code: 0, 21 cancelled, 22 expired, 23 restricted."""
    return _NATIONAL_OF.get(status, NATIONAL_CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said about a certificate: type, holder and number must be there, further items may be."""

    type_code: str
    number: str
    holder: Holder
    data: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result; the true values are never told. `wrong` names the items that do not agree."""

    result: InfoResult
    national: int
    status: CertificateStatus | None = None
    identifier: str | None = None
    wrong: tuple[str, ...] = ()


class StatementService:
    """Verifies statements against the register."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def verify(self, statement: Statement, *, caller: Caller, purpose: Purpose) -> Verdict:
        """Compare a statement with the newest certificate of that type and number.

        Who does not know holder and number learns nothing: another holder is answered like no certificate.
        """
        async with self._database.transaction() as connection:
            found = await store.load_by_number(
                connection, type_code=statement.type_code, number=statement.number, limit=50
            )
            held = next((each for each in found if _is_holder(each, statement.holder)), None)
            verdict = self._judge(statement, held)
            leaf = NewLeaf(
                event=Event.STATEMENT_VERIFIED,
                caller=caller,
                purpose=purpose,
                certificate_id=verdict.identifier,
                owner=None if held is None else held.issuer_code,
                subject=statement.holder.code or None,
                details={"result": int(verdict.result), "status": verdict.status},
            )
            await self._log.append_all(connection, [leaf])
        return verdict

    def _judge(self, statement: Statement, held: Certificate | None) -> Verdict:
        if not (statement.type_code and statement.number and statement.holder.code and statement.holder.name):
            return Verdict(result=InfoResult.INCOMPLETE, national=NATIONAL_EMPTY)
        if held is None:
            return Verdict(result=InfoResult.NOT_FOUND, national=NATIONAL_NOT_FOUND)
        wrong = [name for name, value in statement.data.items() if held.data.get(name, "") != value]
        if held.holder.name != statement.holder.name:
            wrong.insert(0, "holder.name")
        status = held.status_on(china_day(self._now()))
        if wrong:
            return Verdict(
                result=InfoResult.INCONSISTENT,
                national=NATIONAL_OTHER,
                identifier=held.identifier,
                status=status,
                wrong=tuple(wrong),
            )
        return Verdict(
            result=result_of(status),
            national=national_code(status),
            status=status,
            identifier=held.identifier,
        )


def _is_holder(certificate: Certificate, holder: Holder) -> bool:
    same = hmac.compare_digest(certificate.holder.code.encode(), holder.code.encode("utf-8", "replace"))
    return same and certificate.holder.code_type is holder.code_type
