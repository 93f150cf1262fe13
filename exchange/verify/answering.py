"""Judging checks that were read: what the database is asked for, what comes of it, what is recorded of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime

from core.caller import Caller, Purpose
from core.china_time import china_day
from core.database import Connection
from core.database.gathering import Gathering, Row
from exchange.access.quota import take_quota
from exchange.access.values import name_subject
from exchange.guard.model import Sighting, Watcher
from exchange.query.records import Records
from exchange.verify import store
from exchange.verify.budget import refuse_used_up
from exchange.verify.checks import ReadCheck
from exchange.verify.judge import judge_check, refuse_all
from exchange.verify.ledger import Ledger, WrittenGroup, read_groups
from exchange.verify.model import Finding
from exchange.verify.record import build_finding


@dataclass(slots=True, kw_only=True)
class Hearing:
    """Checks of one call, from their reading to what is recorded of them."""

    caller: Caller
    purpose: Purpose
    checks: Sequence[ReadCheck]
    at: datetime
    written: Sequence[WrittenGroup] = ()
    found: dict[int, store.SubjectRows] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    records: Records = field(default_factory=Records)

    @property
    def today(self) -> date:
        """The day that budgets and dates are counted by (Beijing time)."""
        return china_day(self.at)

    @property
    def covered(self) -> list[ReadCheck]:
        """The checks for which something is looked up."""
        return [each for each in self.checks if each.read is not None and each.ground.closed is None]


class Judge:
    """Judges checks within the budgets of mismatches, which are held against other calls meanwhile."""

    def __init__(self, *, ledger: Ledger, watcher: Watcher, mismatches_a_day: int) -> None:
        self._ledger = ledger
        self._watcher = watcher
        self._mismatches_a_day = mismatches_a_day

    async def admit(self, connection: Connection, hearing: Hearing, *, locked: bool) -> None:
        """Lock the subjects, where that was not done with the grounds, and take the quotas of the grants."""
        covered = hearing.covered
        if not locked and covered:
            await store.lock_subjects(connection, locks=sorted({check.lock for check in covered}))
        grants = {check.read.grant.id: check.read.grant for check in covered if check.read is not None}
        for _, grant in sorted(grants.items()):
            await take_quota(connection, grant=grant, at=hearing.at, row_count=0)

    def write(self, gathering: Gathering, hearing: Hearing) -> None:
        """Write what is to be looked up, in one statement per resource, grant and kind of subject."""
        hearing.written = self._ledger.write(gathering, hearing.caller, hearing.covered, hearing.today)

    async def conclude(
        self,
        connection: Connection,
        hearing: Hearing,
        found: Sequence[Sequence[Row]],
        *,
        charged: int = 0,
    ) -> None:
        """Judge by what was found, and count mismatches. Raises RateLimited where a budget is used up.

        `charged` are mismatches that were charged for the only check, and do not count against it.
        """
        hearing.found = read_groups(hearing.written, found)
        if charged:
            hearing.found = {
                check: replace(rows, mismatches=rows.mismatches - charged)
                for check, rows in hearing.found.items()
            }
        refuse_used_up(hearing.checks, hearing.found, hearing.at, mismatches_a_day=self._mismatches_a_day)
        today = hearing.today
        for check in hearing.checks:
            rows = hearing.found.get(id(check))
            judgements = refuse_all(check) if rows is None else judge_check(check, rows, today=today)
            hearing.findings.append(build_finding(check, rows, judgements))
        await self._ledger.count(
            connection, hearing.caller, hearing.checks, hearing.findings, today, charged=charged
        )
        hearing.records = self._ledger.describe(
            caller=hearing.caller,
            purpose=hearing.purpose,
            checks=hearing.checks,
            findings=hearing.findings,
            found=hearing.found,
        )

    def watch(self, hearing: Hearing) -> None:
        """Tell the watcher of what was looked up, once it is committed."""
        by_resource: dict[str, list[ReadCheck]] = defaultdict(list)
        for check in hearing.covered:
            by_resource[check.resource.code].append(check)
        for code, group in by_resource.items():
            resource = group[0].resource
            named = [(name_subject(resource.key_items, dict(each.subject)), each) for each in group]
            self._watcher.note(
                Sighting(
                    caller=hearing.caller,
                    purpose=hearing.purpose,
                    resource_code=code,
                    provider_code=resource.provider_code,
                    subjects=tuple(
                        (subject, bool(hearing.found[id(each)].rows))
                        for subject, each in named
                        if subject is not None
                    ),
                    rows=0,
                )
            )
