"""Verify what somebody says about a certificate, with the standard's result codes (GB/T 36906-2018)."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final

from certs.issue.model import CertificateStatus, Holder
from certs.use.rule import UseRefused, refuse_use
from certs.use.store_statements import Asked, Stated, StatedCertificate, load_stated
from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Database
from core.errors import BadInput
from core.grouping import Grouper
from core.identity.store_standing import StandingChanged, confirm_standing
from core.log.model import Event
from core.log.recorded import mark_recorded
from core.log.store import MAX_IN_STATEMENT
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
GROUPS: Final = 2
MAX_TOGETHER: Final = MAX_IN_STATEMENT
FULL_GROUP: Final = 8


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A statement, with who asks and for which case."""

    statement: Statement
    caller: Caller
    purpose: Purpose

    @property
    def asked(self) -> Asked:
        """What is read for it."""
        return Asked(
            type_code=self.statement.type_code,
            number=self.statement.number,
            service_item=self.purpose.service_item,
            caller=self.caller,
            with_data=bool(self.statement.data),
        )


class StatementService:
    """Verifies statements against the register; those that come at the same time with one reading."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now
        self._together = Grouper(self._verify_group, lanes=GROUPS, max_items=MAX_TOGETHER, full=FULL_GROUP)

    async def verify(self, statement: Statement, *, caller: Caller, purpose: Purpose) -> Verdict:
        """Compare a statement with the newest certificate of that type, number and holder.

        Who does not know holder and number learns nothing: another holder is answered like no certificate.
        Raises UseRefused where the case may use no certificates of the type, unless it is the caller's own
        organisation that issued this one; and StandingChanged for a caller whose token is no longer what it
        was when it let the call in, and BadInput for text that no register holds.
        """
        holder = statement.holder
        if any("\x00" in each for each in (statement.type_code, statement.number, holder.code, holder.name)):
            msg = "type, number and holder of a statement hold no NUL character"
            raise BadInput(msg)
        return await self._together.submit(_Question(statement=statement, caller=caller, purpose=purpose))

    async def _verify_group(self, questions: Sequence[_Question]) -> list[Verdict | Exception]:
        """Judge statements by one reading, which proves those who ask as well, then commit their leaves.

        Reading changes nothing, and the leaves are one statement: neither needs a transaction around it.
        What the log refuses is raised, and nothing is answered.
        """
        async with self._database.acquire() as connection:
            found = await load_stated(connection, asked=[each.asked for each in questions])
            outcomes: list[Verdict | Exception] = []
            leaves = []
            for question, stated in zip(questions, found, strict=True):
                try:
                    confirm_standing(question.caller, stated.mark)
                except StandingChanged as changed:
                    outcomes.append(changed)
                    continue
                outcome, leaf = self._answer(question, stated)
                outcomes.append(outcome)
                leaves.append(leaf)
            await self._log.append_all(connection, leaves)  # at most MAX_TOGETHER: one statement
        return outcomes

    def _answer(self, question: _Question, stated: Stated) -> tuple[Verdict | UseRefused, NewLeaf]:
        own = question.caller.organisation_code
        usable = [each for each in stated.certificates if stated.serves or each.issuer_code == own]
        holder = question.statement.holder
        held = next((each for each in usable if _is_holder(each, holder)), None)
        if held is None and not stated.serves:
            refusal = mark_recorded(refuse_use(question.purpose))
            return refusal, _describe_refusal(question, refusal)
        verdict = self._judge(question.statement, held)
        return verdict, _describe_leaf(question, verdict, held)

    def _judge(self, statement: Statement, held: StatedCertificate | None) -> Verdict:
        if not (statement.type_code and statement.number and statement.holder.code and statement.holder.name):
            return Verdict(result=InfoResult.INCOMPLETE, national=NATIONAL_EMPTY)
        if held is None:
            return Verdict(result=InfoResult.NOT_FOUND, national=NATIONAL_NOT_FOUND)
        wrong = [name for name, value in statement.data.items() if held.data.get(name, "") != value]
        if held.holder_name != statement.holder.name:
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


def _describe_leaf(question: _Question, verdict: Verdict, held: StatedCertificate | None) -> NewLeaf:
    return NewLeaf(
        event=Event.STATEMENT_VERIFIED,
        caller=question.caller,
        purpose=question.purpose,
        certificate_id=verdict.identifier,
        owner=None if held is None else held.issuer_code,
        subject=question.statement.holder.code or None,
        details={"result": int(verdict.result), "status": verdict.status},
    )


def _describe_refusal(question: _Question, refusal: UseRefused) -> NewLeaf:
    return NewLeaf(
        event=Event.ACCESS_REFUSED,
        caller=question.caller,
        purpose=question.purpose,
        subject=question.statement.holder.code or None,
        details={"act": "statement", "refusal": refusal.code},
    )


def _is_holder(certificate: StatedCertificate, holder: Holder) -> bool:
    same = hmac.compare_digest(certificate.holder_code.encode(), holder.code.encode("utf-8", "replace"))
    return same and certificate.holder_code_type == holder.code_type
