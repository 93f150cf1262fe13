"""What rests on a row or a certificate: facts of open cases, and certificates by issuers' rules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from core.database import Connection
from core.log.writer import LogWriter
from evidence.cascade import store
from evidence.cascade.match import find_holder, hash_identities, is_about
from evidence.cascade.model import (
    Action,
    Affected,
    AffectedCase,
    AffectedCertificate,
    CertificateSource,
    KeptRule,
    RowChange,
    RowSource,
)
from evidence.rules.model import CreditWay, DatasetWay, VerificationWay, Way
from evidence.rules.service import RuleService
from exchange.catalogue.model import Resource

AT_ONCE = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What there is to look for in a resource: by which items cases rest on it, and the rules about it."""

    resource: Resource
    identities: frozenset[frozenset[str]]
    rules: tuple[KeptRule, ...]

    @property
    def keys(self) -> frozenset[str]:
        """The key items."""
        return frozenset(each.name for each in self.resource.key_items)

    @property
    def names(self) -> tuple[str, ...]:
        """The items that have to be read of each change."""
        found = {name for each in self.identities for name in each}
        for kept in self.rules:
            assert isinstance(kept.rule.source, RowSource)
            found |= {each.item for each in kept.rule.source.when}
            if kept.rule.source.holder is None:
                found |= self.keys
            else:
                found.add(kept.rule.source.holder)
        return tuple(sorted(name for name in found if self.resource.item(name) is not None))


class Finder:
    """Finds what a change affects."""

    def __init__(self, *, log: LogWriter, rules: RuleService) -> None:
        self._log = log
        self._rules = rules

    async def watch(self, connection: Connection, resource: Resource) -> Watch:
        """Say what to look for in a resource."""
        found: set[frozenset[str]] = set()
        for item, version, fact, number in await store.load_asked(connection, resource_code=resource.code):
            rules = await self._rules.load_kept(connection, item, version)
            found.add(_identity(rules.item.fact(fact).ways[number]))
        known = {each.name for each in resource.items}
        kept = [
            each
            for each in await store.load_rules(connection)
            if isinstance(each.rule.source, RowSource) and each.rule.source.resource == resource.code
        ]
        return Watch(
            resource=resource,
            identities=frozenset(each for each in found if each and each <= known),
            rules=tuple(kept),
        )

    async def find_in(
        self,
        connection: Connection,
        watch: Watch,
        changes: AsyncIterator[RowChange],
        *,
        before_version: int | None,
        today: date,
    ) -> Affected:
        """Find what changes of a resource affect; cases that rest on a version before `before_version`."""
        cases: dict[tuple[UUID, str], AffectedCase] = {}
        certificates: dict[tuple[str, str], AffectedCertificate] = {}
        batch: list[RowChange] = []
        async for change in changes:
            batch.append(change)
            if len(batch) == AT_ONCE:
                cases |= await self._find_cases(connection, watch, batch, before_version)
                certificates |= await self._find_certificates(connection, watch, batch, today)
                batch = []
        cases |= await self._find_cases(connection, watch, batch, before_version)
        certificates |= await self._find_certificates(connection, watch, batch, today)
        return Affected(cases=tuple(cases.values()), certificates=tuple(certificates.values()))

    async def find_by_certificate(
        self, connection: Connection, *, identifier: str, type_code: str, holder_code: str, status: str
    ) -> Affected:
        """Find what rests on a certificate that gets a status."""
        found = await store.load_cases_on_certificate(connection, identifier=identifier)
        cases = await self._with_actions(connection, found)
        certificates: list[AffectedCertificate] = []
        for kept in await store.load_rules(connection):
            source = kept.rule.source
            if (
                isinstance(source, CertificateSource)
                and source.type_code == type_code
                and status in source.statuses
            ):
                certificates += await _held(connection, kept, {holder_code})
        return Affected(cases=tuple(cases), certificates=tuple(certificates))

    async def _find_cases(
        self, connection: Connection, watch: Watch, batch: Sequence[RowChange], before_version: int | None
    ) -> dict[tuple[UUID, str], AffectedCase]:
        keys: set[bytes] = set()
        for change in batch:
            keys |= hash_identities(self._log, watch.resource.code, change, watch.identities)
        if not keys:
            return {}
        found = await store.load_cases_on_rows(
            connection, resource_code=watch.resource.code, row_keys=keys, before_version=before_version
        )
        return {(each.case_id, each.fact): each for each in await self._with_actions(connection, found)}

    async def _find_certificates(
        self, connection: Connection, watch: Watch, batch: Sequence[RowChange], today: date
    ) -> dict[tuple[str, str], AffectedCertificate]:
        found: dict[tuple[str, str], AffectedCertificate] = {}
        for kept in watch.rules:
            source = kept.rule.source
            assert isinstance(source, RowSource)
            changes = [each for each in batch if is_about(source, each, today=today)]
            if source.holder is None:
                keys = self._hash_rows(watch, changes)
                affected = await _issued_from(connection, kept, watch.resource.code, keys)
            else:
                holders = {find_holder(source.holder, each) for each in changes} - {None}
                affected = await _held(connection, kept, {str(code) for code in holders})
            found |= {(kept.rule.code, each.identifier): each for each in affected}
        return found

    def _hash_rows(self, watch: Watch, changes: Sequence[RowChange]) -> set[bytes]:
        names = {watch.keys}
        return set[bytes]().union(
            *(hash_identities(self._log, watch.resource.code, each, names) for each in changes)
        )

    async def _with_actions(
        self, connection: Connection, cases: Sequence[AffectedCase]
    ) -> list[AffectedCase]:
        """Say what follows for each case, by the rules that it began under."""
        found = []
        for case in cases:
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
            action = Action(rules.item.fact(case.fact).on_change)
            found.append(replace(case, action=action))
        return found


async def _held(
    connection: Connection, kept: KeptRule, holder_codes: Collection[str]
) -> list[AffectedCertificate]:
    if not holder_codes:
        return []
    found = await store.load_held(
        connection,
        holder_codes=holder_codes,
        type_code=kept.rule.target,
        issuer_code=kept.organisation_code,
    )
    return [AffectedCertificate(identifier=each, kept=kept) for each in found]


async def _issued_from(
    connection: Connection, kept: KeptRule, resource_code: str, row_keys: Collection[bytes]
) -> list[AffectedCertificate]:
    if not row_keys:
        return []
    found = await store.load_issued_from(
        connection,
        resource_code=resource_code,
        row_keys=row_keys,
        type_code=kept.rule.target,
        issuer_code=kept.organisation_code,
    )
    return [AffectedCertificate(identifier=each, kept=kept) for each in found]


def _identity(way: Way) -> frozenset[str]:
    match way:
        case DatasetWay():
            return frozenset(way.keys)
        case VerificationWay():
            return frozenset(way.subject)
        case CreditWay():
            return frozenset(way.where)
    return frozenset()
