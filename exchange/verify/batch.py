"""Checks of a case, read together with whatever else it asks, each judged as a call of its own would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from core.caller import Caller, Purpose
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.database.names import check_resource_code
from core.errors import NotFound
from exchange.access.ground import Ground
from exchange.access.resources import UNKNOWN_RESOURCE
from exchange.query.records import Records
from exchange.verify.answering import Hearing, Judge
from exchange.verify.checks import SubjectReader, choose_grant, read_lock, refuse_repeats
from exchange.verify.model import Check, JudgedCheck
from exchange.verify.record import pair_findings


class VerifyBatch:
    """Checks of one case. Call `allow`, `write`, `take`, save `records`, and `tell` after the commit.

    `locks` are to be taken with the grounds. What is wrong with one check is raised, and none is answered.
    """

    def __init__(
        self,
        judge: Judge,
        subjects: SubjectReader,
        *,
        caller: Caller,
        purpose: Purpose,
        checks: Sequence[Check],
        at: datetime,
    ) -> None:
        self._judge = judge
        self._subjects = subjects
        self._checks = checks
        self._known = [subjects.guess(check) for check in checks]
        self._hearing = Hearing(caller=caller, purpose=purpose, checks=(), at=at)

    @property
    def codes(self) -> set[str]:
        """The resources that are asked."""
        return {check.resource_code for check in self._checks}

    @property
    def locks(self) -> list[int]:
        """The advisory locks of the subjects' budgets, as far as they are known yet, in their order."""
        return sorted({read_lock(each.budget_key) for each in self._known if each is not None})

    @property
    def records(self) -> Records:
        """What is to be recorded, once `take` is done."""
        return self._hearing.records

    @property
    def found(self) -> list[JudgedCheck]:
        """The answers, in the order of the checks."""
        return pair_findings(self._hearing.checks, self._hearing.findings)

    async def allow(self, connection: Connection, grounds: Mapping[str, Ground]) -> None:
        """Read the checks against their grounds, and take the quotas of their grants.

        Raises NotFound, SchemaViolation, RateLimited.
        """
        read, locked = [], True
        for check, known in zip(self._checks, self._known, strict=True):
            ground = grounds.get(check_resource_code(check.resource_code))
            if ground is None:
                raise NotFound(UNKNOWN_RESOURCE)
            grant = choose_grant(ground, self._hearing.purpose, check)
            holds = known is not None and bool(ground.locked)
            locked = locked and holds
            read.append(self._subjects.read_check(ground, grant, check, known=known if holds else None))
        refuse_repeats(read)
        self._hearing.checks = read
        await self._judge.admit(connection, self._hearing, locked=locked)

    def write(self, gathering: Gathering) -> None:
        """Write the statements that read the subjects' rows."""
        self._judge.write(gathering, self._hearing)

    async def take(self, connection: Connection, found: Sequence[Sequence[Row]]) -> None:
        """Judge by what the statements found, and count mismatches. Raises RateLimited."""
        await self._judge.conclude(connection, self._hearing, found)

    async def tell(self) -> None:
        """Tell the watcher of what was looked up."""
        self._judge.watch(self._hearing)
