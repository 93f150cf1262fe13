"""What verifications read and write: subjects' rows, counts of mismatches, leaves, and who holds what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from core.caller import Caller, Purpose
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.log.writer import LogWriter
from exchange.access.holdings import leaf_names_rows, row_salt
from exchange.access.store_ground import Claim
from exchange.query.records import Records
from exchange.query.store import Holder
from exchange.verify import store
from exchange.verify.checks import ReadCheck
from exchange.verify.judge import items_to_read
from exchange.verify.model import Finding, Outcome
from exchange.verify.record import describe_finding

WrittenGroup = tuple[store.WrittenSubjects, Sequence[ReadCheck]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Mismatches that were charged to a subject's budget on a day, for values that are yet to be judged."""

    counted_on: date
    number: int


class Ledger:
    """Reads and writes on the connection of a verification's transaction."""

    def __init__(self, log: LogWriter) -> None:
        self._log = log

    def write(
        self, gathering: Gathering, caller: Caller, checks: Sequence[ReadCheck], today: date
    ) -> list[WrittenGroup]:
        """Write the reading of what is on record; a statement per resource, grant and kind of subject."""
        groups: dict[tuple[object, ...], list[ReadCheck]] = defaultdict(list)
        for check in checks:
            assert check.read is not None
            groups[check.resource.code, check.read.grant.id, tuple(sorted(check.subject))].append(check)
        return [(self._write_group(gathering, caller, each, today), each) for each in groups.values()]

    async def load_at_once(
        self,
        connection: Connection,
        caller: Caller,
        check: ReadCheck,
        today: date,
        *,
        claim: Claim,
        budget: int,
    ) -> store.SubjectRows:
        """Load what one check needs as the database proves the claim, what seems wrong charged to its budget.

        Raises GroundChanged.
        """
        assert check.read is not None
        pairs = zip(check.check.assertions, check.values, strict=True)
        asserted = {each.item: value for each, value in pairs if each.item in check.read.items}
        bid = store.Bid(asserted=asserted, lock=check.lock, budget=budget)
        gathering = Gathering()
        written = self._write_group(gathering, caller, [check], today, claim=claim, bid=bid)
        return store.read_subjects(written, await gathering.run(connection))[0]

    def _write_group(
        self,
        gathering: Gathering,
        caller: Caller,
        group: Sequence[ReadCheck],
        today: date,
        *,
        claim: Claim | None = None,
        bid: store.Bid | None = None,
    ) -> store.WrittenSubjects:
        first = group[0]
        assert first.read is not None
        resource = first.resource
        return store.write_subjects(
            gathering,
            resource=resource,
            names=sorted(first.subject),
            subjects=[check.subject for check in group],
            items=sorted(set().union(*map(items_to_read, group))),
            row_filter=first.read.row_filter,
            system_id=caller.system_id,
            budget_keys=[check.budget_key for check in group],
            counted_on=today,
            with_disputes=first.ground.has_disputes,
            row_salt=None if leaf_names_rows(resource) else row_salt(self._log, resource.code),
            claim=claim,
            bid=bid,
        )

    async def count(
        self,
        connection: Connection,
        caller: Caller,
        checks: Sequence[ReadCheck],
        findings: Sequence[Finding],
        today: date,
        *,
        charged: int = 0,
    ) -> None:
        """Add what did not match to today's counts, less what was `charged` for the only check."""
        counts: Counter[bytes] = Counter()
        for check, finding in zip(checks, findings, strict=True):
            wrong = sum(each.outcome is Outcome.MISMATCH for each in finding.judgements)
            if wrong != charged:
                counts[check.budget_key] += wrong - charged
        if counts:
            await store.add_mismatches(
                connection, system_id=caller.system_id, counted_on=today, counts=counts
            )

    def describe(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        checks: Sequence[ReadCheck],
        findings: Sequence[Finding],
        found: Mapping[int, store.SubjectRows],
    ) -> Records:
        """Describe a leaf for each check and, where it does not name the row, who holds what of it now."""
        records = Records(owners={each.resource.code: str(each.resource.provider_code) for each in checks})
        for check, finding in zip(checks, findings, strict=True):
            records.leaves.append(describe_finding(caller, purpose, check, finding))
            rows = found.get(id(check))
            matched = tuple(each.item for each in finding.judgements if each.outcome is Outcome.MATCH)
            if rows is None or rows.digest is None or not matched or finding.grant_id is None:
                continue
            records.holders.append(
                Holder(
                    resource_code=finding.resource_code,
                    digest=rows.digest,
                    grant_id=finding.grant_id,
                    version=rows.version,
                    items=matched,
                )
            )
        return records


def read_groups(
    written: Sequence[WrittenGroup], found: Sequence[Sequence[Row]]
) -> dict[int, store.SubjectRows]:
    """Read what the statements of `Ledger.write` found, by the check's identity."""
    return {
        id(check): rows
        for subjects, group in written
        for check, rows in zip(group, store.read_subjects(subjects, found), strict=True)
    }
