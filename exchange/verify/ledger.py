"""What verifications read and write: subjects' rows, counts of mismatches, leaves, and who holds what."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from core.caller import Caller, Purpose
from core.database import Connection
from core.log.writer import LogWriter
from exchange.access.holdings import leaf_names_rows, row_salt
from exchange.access.store_ground import Claim
from exchange.query.store import save_holders
from exchange.verify import store
from exchange.verify.checks import ReadCheck
from exchange.verify.judge import items_to_read
from exchange.verify.model import Finding, Outcome
from exchange.verify.record import describe_finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Mismatches that were charged to a subject's budget on a day, for values that are yet to be judged."""

    counted_on: date
    number: int


class Ledger:
    """Reads and writes on the connection of a verification's transaction."""

    def __init__(self, log: LogWriter) -> None:
        self._log = log

    async def load(
        self,
        connection: Connection,
        caller: Caller,
        checks: Sequence[ReadCheck],
        today: date,
        *,
        charged: int = 0,
    ) -> dict[int, store.SubjectRows]:
        """Load what is on record, by the check's identity: a statement per resource, grant and kind.

        `charged` are mismatches that were charged for the only check, and do not count against it.
        """
        groups: dict[tuple[object, ...], list[ReadCheck]] = defaultdict(list)
        for check in checks:
            assert check.read is not None
            groups[check.resource.code, check.read.grant.id, tuple(sorted(check.subject))].append(check)
        found: dict[int, store.SubjectRows] = {}
        for group in groups.values():
            loaded = await self._load_group(connection, caller, group, today)
            found |= {
                id(check): replace(rows, mismatches=rows.mismatches - charged)
                for check, rows in zip(group, loaded, strict=True)
            }
        return found

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
        return (await self._load_group(connection, caller, [check], today, claim=claim, bid=bid))[0]

    async def _load_group(
        self,
        connection: Connection,
        caller: Caller,
        group: Sequence[ReadCheck],
        today: date,
        *,
        claim: Claim | None = None,
        bid: store.Bid | None = None,
    ) -> list[store.SubjectRows]:
        first = group[0]
        assert first.read is not None
        resource = first.resource
        return await store.load_subjects(
            connection,
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

    async def record(
        self,
        connection: Connection,
        *,
        caller: Caller,
        purpose: Purpose,
        checks: Sequence[ReadCheck],
        findings: Sequence[Finding],
        found: Mapping[int, store.SubjectRows],
    ) -> None:
        """Write a leaf for each check and, where it does not name the row, who holds what of it now."""
        leaves = [
            describe_finding(caller, purpose, check, finding)
            for check, finding in zip(checks, findings, strict=True)
        ]
        owners = {each.resource.code: str(each.resource.provider_code) for each in checks}
        await self._log.append_all(connection, leaves, owners=owners)
        for check, finding in zip(checks, findings, strict=True):
            rows = found.get(id(check))
            matched = [each.item for each in finding.judgements if each.outcome is Outcome.MATCH]
            if rows is None or rows.digest is None or not matched or finding.grant_id is None:
                continue
            await save_holders(
                connection,
                resource_code=finding.resource_code,
                grant_id=finding.grant_id,
                version=rows.version,
                digests=[rows.digest],
                items=[matched],
            )
