"""The rules of verification."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Final

from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Connection, Database
from core.database.gathering import Gathering
from core.database.names import check_resource_code
from core.errors import BadInput, FieldError, NotFound, SchemaViolation, ShuzhengError
from core.log.group import LeafGroup
from core.log.writer import LogWriter
from exchange.access.ground import Ground, GroundReader
from exchange.access.holdings import leaf_names_rows
from exchange.access.model import Mode
from exchange.access.refusal import RefusalLog
from exchange.access.store_ground import GroundChanged
from exchange.guard.model import Watcher
from exchange.verify.answering import Hearing, Judge
from exchange.verify.batch import VerifyBatch
from exchange.verify.budget import refuse_used_up
from exchange.verify.checks import (
    KnownSubject,
    ReadCheck,
    SubjectReader,
    choose_grant,
    place_errors,
    read_lock,
    refuse_counts,
    refuse_repeats,
)
from exchange.verify.judge import judge_check
from exchange.verify.ledger import Charge, Ledger
from exchange.verify.model import (
    Assertion,
    Check,
    Finding,
    JudgedCheck,
    Outcome,
    ReceiptIssuer,
    SignedFindings,
    Verification,
)
from exchange.verify.payload import build_bundle_payload, build_payload
from exchange.verify.record import build_finding, describe_finding, pair_findings

DEFAULT_MISMATCHES_A_DAY: Final = 20
SALT_BYTES: Final = 16


class VerifyService:
    """Checks facts, counts wrong guesses, and has receipts signed."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        leaves: LeafGroup,
        refusals: RefusalLog,
        receipts: ReceiptIssuer,
        grounds: GroundReader,
        watcher: Watcher,
        now: Callable[[], datetime],
        mismatches_a_day: int = DEFAULT_MISMATCHES_A_DAY,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._log = log
        self._leaves = leaves
        self._ledger = Ledger(log)
        self._subjects = SubjectReader(log=log, grounds=grounds)
        self._judge = Judge(ledger=self._ledger, watcher=watcher, mismatches_a_day=mismatches_a_day)
        self._refusals = refusals
        self._receipts = receipts
        self._grounds = grounds
        self._now = now
        self._mismatches_a_day = mismatches_a_day
        self._random_bytes = random_bytes

    async def verify(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        resource_code: str,
        subject: Mapping[str, object],
        assertions: Sequence[Assertion],
    ) -> Verification:
        """Check all assertions about one subject, and answer them all at once (一次性告知).

        1. A grant of mode verify in force: else GrantMissing, in the same words whatever was asked. 2. The
        request is well formed: else SchemaViolation. 3. The budget of wrong guesses about this subject and
        the day's quota are not used up: else RateLimited. 4. The outcomes. 5. The counts and the leaf,
        committed before the answer. 6. The receipt.
        """
        check = Check(resource_code=resource_code, subject=subject, assertions=assertions)
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="verify"
        )
        async with watch:
            answered, charge = await self._answer_at_once(caller, purpose, check)
            if answered is None:
                answered = await self._answer_one(caller, purpose, check, charge=charge)
        read, finding = answered
        salt = self._random_bytes(SALT_BYTES)
        assert finding.grant_id is not None
        assert finding.version is not None
        payload = build_payload(caller, purpose, read, finding, salt=salt)
        return Verification(
            resource_code=finding.resource_code,
            grant_id=finding.grant_id,
            version=finding.version,
            as_of=finding.as_of,
            judgements=finding.judgements,
            opening=salt.hex(),
            receipt_json=await self._receipts.issue(payload),
        )

    async def verify_many(
        self, *, caller: Caller, purpose: Purpose, checks: Sequence[Check]
    ) -> SignedFindings:
        """Check facts about several subjects of several resources: all answered at once, with one receipt.

        As `verify`, but a resource that no grant covers has its assertions answered with not_authorised, and
        one that was recalled with source_unavailable.
        Raises SchemaViolation with a pointer to each check that is wrong, RateLimited naming the checks whose
        subject's budget is used up; then nothing is answered and nothing counted.
        """
        transaction = self._database.transaction()
        read, findings = await self._judge_all(caller, purpose, checks, transaction)
        salt = self._random_bytes(SALT_BYTES)
        payload = build_bundle_payload(caller, purpose, read, findings, salt=salt)
        return SignedFindings(
            findings=tuple(findings),
            opening=salt.hex(),
            receipt_json=await self._receipts.issue(payload),
        )

    async def judge_many(
        self, *, caller: Caller, purpose: Purpose, checks: Sequence[Check]
    ) -> list[JudgedCheck]:
        """Check facts as `verify_many` does, for a caller within the hub.

        It has its own receipt signed, and commits its own transaction before it gives anything out.
        """
        transaction = self._database.unflushed_transaction()
        read, findings = await self._judge_all(caller, purpose, checks, transaction)
        return pair_findings(read, findings)

    def begin(self, *, caller: Caller, purpose: Purpose, checks: Sequence[Check]) -> VerifyBatch:
        """Begin to check facts for a case, read together with whatever else the case asks."""
        refuse_counts(checks)
        return VerifyBatch(
            self._judge, self._subjects, caller=caller, purpose=purpose, checks=checks, at=self._now()
        )

    async def _judge_all(
        self,
        caller: Caller,
        purpose: Purpose,
        checks: Sequence[Check],
        transaction: AbstractAsyncContextManager[Connection],
    ) -> tuple[list[ReadCheck], list[Finding]]:
        refuse_counts(checks)
        watch = self._refusals.watch(caller=caller, purpose=purpose, resource_code=None, action="verify")
        async with watch, transaction as connection:
            read = await self._read_checks(connection, caller, purpose, checks)
            refuse_repeats(read)
            return read, await self._answer(connection, caller, purpose, read, locked=False)

    async def _answer_one(
        self, caller: Caller, purpose: Purpose, check: Check, *, charge: Charge
    ) -> tuple[ReadCheck, Finding]:
        wanted = {each.item for each in check.assertions}
        async with self._database.transaction() as connection:
            ground, known = await self._read_ground(connection, caller, check)
            grant = ground.choose(purpose=purpose, mode=Mode.VERIFY, wanted=wanted)
            read = self._subjects.read_check(ground, grant, check, known=known)
            (finding,) = await self._answer(
                connection, caller, purpose, [read], locked=bool(ground.locked), charge=charge
            )
        return read, finding

    async def _answer_at_once(
        self, caller: Caller, purpose: Purpose, check: Check
    ) -> tuple[tuple[ReadCheck, Finding] | None, Charge]:
        """Answer a check whose ground is known and whose values are right: one statement proves and reads.

        Its leaf goes along with those of other calls. None for other checks and for all that may be refused:
        `_answer_one` says why. Values that seem wrong were charged then, to be judged by `_answer_one`.
        """
        now = self._now()
        today = china_day(now)
        nothing = Charge(counted_on=today, number=0)
        presumed = self._grounds.presume(
            resource_code=check.resource_code, caller=caller, mode=Mode.VERIFY, at=now
        )
        if presumed is None:
            return None, nothing
        ground, claim = presumed
        try:
            wanted = {each.item for each in check.assertions}
            grant = ground.choose(purpose=purpose, mode=Mode.VERIFY, wanted=wanted)
            read = self._subjects.read_check(ground, grant, check)
        except ShuzhengError:
            return None, nothing
        if grant.grant.terms.quotas.is_limited or not leaf_names_rows(ground.resource):
            return None, nothing
        budget = self._mismatches_a_day
        try:
            async with self._database.acquire() as connection:
                rows = await self._ledger.load_at_once(
                    connection, caller, read, today, claim=claim, budget=budget
                )
        except GroundChanged:
            return None, nothing
        found = {id(read): rows}
        refuse_used_up([read], found, now, mismatches_a_day=budget)
        finding = build_finding(read, rows, judge_check(read, rows, today=today))
        if rows.charged or any(each.outcome is Outcome.MISMATCH for each in finding.judgements):
            return None, Charge(counted_on=today, number=rows.charged)
        leaf = describe_finding(caller, purpose, read, finding)
        await self._leaves.append(leaf, owner=str(ground.resource.provider_code))
        self._judge.watch(Hearing(caller=caller, purpose=purpose, checks=[read], at=now, found=found))
        return (read, finding), nothing

    async def _read_ground(
        self, connection: Connection, caller: Caller, check: Check
    ) -> tuple[Ground, KnownSubject | None]:
        """Read the ground of a resource and, where the resource is known here already, lock the subject."""
        resource, known = self._grounds.peek(check.resource_code), self._subjects.guess(check)
        ground = await self._grounds.read(
            connection,
            resource_code=check.resource_code,
            caller=caller,
            mode=Mode.VERIFY,
            at=self._now(),
            locks=() if known is None else (read_lock(known.budget_key),),
        )
        return ground, known if ground.resource is resource else None

    async def _read_checks(
        self, connection: Connection, caller: Caller, purpose: Purpose, checks: Sequence[Check]
    ) -> list[ReadCheck]:
        grounds: dict[str, Ground | None] = {
            **await self._grounds.read_many(
                connection,
                resource_codes={check.resource_code for check in checks},
                caller=caller,
                mode=Mode.VERIFY,
                at=self._now(),
            )
        }
        errors: list[FieldError] = []
        read: list[ReadCheck] = []
        for position, check in enumerate(checks):
            code = check.resource_code
            if code not in grounds:
                grounds[code] = await self._find_ground(connection, caller, code)
            ground = grounds[code]
            if ground is None:
                detail = "there is no resource of that code in the catalogue"
                pointer = f"/checks/{position}/resource"
                errors.append(FieldError(pointer=pointer, code="UNKNOWN-RESOURCE", detail=detail))
                continue
            try:
                read.append(self._subjects.read_check(ground, choose_grant(ground, purpose, check), check))
            except SchemaViolation as wrong:
                errors += place_errors(wrong, position)
        if errors:
            msg = "the checks are not all right; see errors"
            raise SchemaViolation(msg, errors=tuple(errors))
        return read

    async def _find_ground(self, connection: Connection, caller: Caller, code: str) -> Ground | None:
        try:
            return await self._grounds.read(
                connection,
                resource_code=check_resource_code(code),
                caller=caller,
                mode=Mode.VERIFY,
                at=self._now(),
            )
        except (BadInput, NotFound):
            return None

    async def _answer(
        self,
        connection: Connection,
        caller: Caller,
        purpose: Purpose,
        checks: Sequence[ReadCheck],
        *,
        locked: bool,
        charge: Charge | None = None,
    ) -> list[Finding]:
        hearing = Hearing(caller=caller, purpose=purpose, checks=checks, at=self._now())
        await self._judge.admit(connection, hearing, locked=locked)
        gathering = Gathering()
        self._judge.write(gathering, hearing)
        charged = charge.number if charge is not None and charge.counted_on == hearing.today else 0
        await self._judge.conclude(connection, hearing, await gathering.run(connection), charged=charged)
        await hearing.records.save(connection, log=self._log)
        self._judge.watch(hearing)
        return hearing.findings
