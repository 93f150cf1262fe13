"""The rules of evolution: additions at once, everything else as a rehearsed new major version."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from core.caller import Caller
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import (
    Conflict,
    FieldError,
    NotFound,
    PreconditionFailed,
    SchemaViolation,
)
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.service import CatalogueService, verify_description
from exchange.catalogue.wire import DescriptionIn, build_resource
from exchange.evolution import store
from exchange.evolution.impact import find_broken
from exchange.evolution.model import LoadFollowers, Misfit, Rehearsal
from exchange.quality import store as quality_store
from exchange.revisions import store as revisions
from exchange.revisions.diff import compare
from exchange.revisions.model import Change, ChangeKind

Result = TypeVar("Result")
TRIES = 60
PAUSE_S = 0.25
_MAJOR = re.compile(r"(?P<family>.+)_v[0-9]+")
_COUNTED = frozenset(
    {
        ChangeKind.FORMAT_NARROWED,
        ChangeKind.FORMAT_CHANGED,
        ChangeKind.CODES_CHANGED,
        ChangeKind.REQUIREMENT_ADDED,
    }
)


class EvolutionService:
    """Changes published resources. `followers` loads the subscriptions that another package keeps."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        catalogue: CatalogueService,
        now: Callable[[], datetime],
        followers: LoadFollowers,
    ) -> None:
        self._database = database
        self._log = log
        self._catalogue = catalogue
        self._now = now
        self._followers = followers

    async def rehearse(self, resource: Resource, *, caller: Caller) -> Rehearsal:
        """Tell what a new description would change and whom it would break. Changes nothing."""
        async with self._database.transaction() as connection:
            held = await self._load_published(connection, resource.code, caller=caller)
            verified = await verify_description(connection, resource)
            return await self._rehearse(connection, held, verified)

    async def evolve(
        self, resource: Resource, *, caller: Caller, close: bool = False
    ) -> tuple[Resource, tuple[Change, ...]]:
        """Give a published resource a wider description at once; return it and what changed.

        New items become columns without a rewrite. Readers wait at most for one short lock; where a long
        reader or a batch holds the table, this waits and tries again, for about half a minute. Raises
        PreconditionFailed for changes that break somebody (closing an item needs only `close`), Conflict
        where the table stays busy.
        """

        async def work(connection: Connection) -> tuple[Resource, tuple[Change, ...]]:
            return await self.evolve_in(connection, resource, caller=caller, close=close)

        return await self.patiently(work)

    async def patiently(self, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do work in a transaction that waits only briefly for locks, again and again. Raises Conflict."""
        for _ in range(TRIES):
            try:
                async with (
                    self._database.transaction() as connection,
                    store.waiting_briefly(connection),
                ):
                    return await work(connection)
            except store.TableBusy:
                await asyncio.sleep(PAUSE_S)
        msg = "a batch or a long query holds the resource's rows; nothing was changed; try again later"
        raise Conflict(msg)

    async def release(
        self, resource: Resource, *, caller: Caller, rehearsal: str, readable_until: date
    ) -> Resource:
        """Release a breaking description as the next major version, with a code and tables of its own.

        `rehearsal` is the digest of the newest rehearsal: who breaks is known. Once it is published, the
        predecessor stays readable through `readable_until`, and every grant that does not break is carried
        over.
        """
        if readable_until < china_day(self._now()):
            detail = "the predecessor stays readable until a day that is not past"
            error = FieldError(pointer="/readable_until", code="PAST", detail=detail)
            raise SchemaViolation(detail, errors=(error,))
        async with self._database.transaction() as connection:
            held = await self._load_published(connection, resource.code, caller=caller)
            verified = await verify_description(connection, replace(resource, external_codes={}))
            resource = replace(verified, external_codes=resource.external_codes)
            report = await self._rehearse(connection, held, resource)
            if report.digest != rehearsal:
                msg = "this is not what was rehearsed, or who would break has changed; rehearse again"
                raise PreconditionFailed(msg)
            if not report.is_breaking:
                msg = "nothing here breaks anybody; change the resource at once instead"
                raise Conflict(msg)
            rules = await quality_store.load_rules(connection, resource_code=held.code)
            successor = replace(
                resource,
                rules=tuple(rule for rule in rules if all(resource.item(name) for name in rule.items)),
                code=_next_code(held),
                major=held.major + 1,
                supersedes=held.code,
                external_codes={
                    s: c for s, c in resource.external_codes.items() if s not in held.external_codes
                },
            )
            draft = await self._catalogue.register_in(connection, successor, caller=caller, draft=True)
            await store.plan_takeover(connection, code=draft.code, predecessor_until=readable_until)
            return await self._catalogue.submit_in(connection, draft, caller=caller)

    async def load_revisions(self, code: str, *, caller: Caller) -> list[dict[str, Any]]:
        """Load the numbers and times of a resource's revisions. Raises NotFound."""
        await self._catalogue.load(code, caller=caller)
        async with self._database.acquire() as connection:
            found = await revisions.load_revisions(connection, code=code)
        return [{"revision": number, "at": at.isoformat()} for number, at in found]

    async def load_revision(self, code: str, revision: int, *, caller: Caller) -> Resource:
        """Load a resource as a revision described it. Raises NotFound."""
        held = await self._catalogue.load(code, caller=caller)
        async with self._database.acquire() as connection:
            found = await revisions.load_revision(connection, code=code, revision=revision)
            if found is None:
                msg = f"there is no revision {revision} of this resource"
                raise NotFound(msg)
            described = await catalogue_store.with_registered_codes(
                connection, build_resource(DescriptionIn(**found), provider_code=held.provider_code)
            )
        return replace(described, schema_version=revision)

    async def diff(
        self, code: str, *, first: int, second: int, other_code: str | None = None, caller: Caller
    ) -> list[Change]:
        """Tell what differs between two revisions, of one resource or of it and another. Raises NotFound."""
        old = await self.load_revision(code, first, caller=caller)
        new = await self.load_revision(other_code or code, second, caller=caller)
        return compare(old, new)

    async def _load_published(self, connection: Connection, code: str, *, caller: Caller) -> Resource:
        held = await self._catalogue.load_own(connection, code, caller=caller)
        if held.state is not ResourceState.PUBLISHED or held.superseded_by is not None:
            msg = f"only a published resource without a successor evolves; this one is {held.state}"
            raise Conflict(msg)
        return held

    async def evolve_in(
        self,
        connection: Connection,
        resource: Resource,
        *,
        caller: Caller,
        close: bool = False,
        coming: frozenset[str] = frozenset(),
    ) -> tuple[Resource, tuple[Change, ...]]:
        """Do what `evolve` does in a transaction of the caller's, where resources `coming` follow."""
        held = await self._load_published(connection, resource.code, caller=caller)
        resource = replace(resource, external_codes=held.external_codes | resource.external_codes)
        resource = await verify_description(connection, resource, coming=coming)
        changes = tuple(compare(held, resource))
        _verify_additive(changes, close=close)
        bounded = await store.load_bounded_columns(connection, code=held.code)
        if any(change.kind is ChangeKind.FORMAT_WIDENED and change.item in bounded for change in changes):
            msg = "this table was made with bounded decimals; a wider one needs a new major version"
            raise PreconditionFailed(msg)
        if not changes:
            return held, ()
        evolved = replace(
            held,
            title=resource.title,
            summary=resource.summary,
            theme=resource.theme,
            update_cycle=resource.update_cycle,
            items=resource.items,
            external_codes=resource.external_codes,
            metadata=resource.metadata,
            schema_version=held.schema_version + 1,
        )
        await self._catalogue.keep_revision(connection, held)
        await catalogue_store.update_resource(connection, resource=evolved)
        await self._catalogue.keep_revision(connection, evolved)
        await self._log.append(
            connection,
            event=Event.RESOURCE_EVOLVED,
            caller=caller,
            resource_code=held.code,
            details={
                "revision": evolved.schema_version,
                "changes": [f"{each.kind} {each.item or each.field}" for each in changes],
            },
        )
        added = [item for item in resource.items if held.item(item.name) is None]
        if added:
            await store.add_columns(connection, code=held.code, items=added)
        return evolved, changes

    async def _rehearse(self, connection: Connection, held: Resource, resource: Resource) -> Rehearsal:
        resource = replace(resource, external_codes=held.external_codes | resource.external_codes)
        changes = compare(held, resource)
        readers = await store.load_readers(connection, code=held.code, at=self._now())
        broken = find_broken(changes, readers, await self._followers(connection, held.code))
        hit: set[UUID] = {each.reader.grant_id for each in broken}
        return Rehearsal(
            resource_code=held.code,
            changes=tuple(changes),
            broken=tuple(broken),
            unbroken=tuple(reader.grant_id for reader in readers if reader.grant_id not in hit),
            misfits=tuple(await self._count_misfits(connection, held, resource, changes)),
        )

    async def _count_misfits(
        self, connection: Connection, held: Resource, resource: Resource, changes: Sequence[Change]
    ) -> list[Misfit]:
        found = []
        for change in changes:
            item = resource.item(change.item) if change.item else None
            if change.kind not in _COUNTED or item is None or held.item(item.name) is None:
                continue
            codes = None if item.code_list is None else [each.code for each in item.codes]
            rows = await store.count_misfits(connection, code=held.code, item=item, codes=codes)
            found.append(Misfit(item=item.name, kind=str(change.kind), rows=rows))
        return found


def _verify_additive(changes: Sequence[Change], *, close: bool) -> None:
    breaking = [
        change
        for change in changes
        if change.is_breaking and not (close and change.kind is ChangeKind.SHARING_CLOSED)
    ]
    if breaking:
        msg = "these changes break rows or readers; rehearse them and release a new major version"
        raise PreconditionFailed(
            msg,
            errors=tuple(
                FieldError(
                    pointer=f"/items/{change.item}" if change.item else f"/{change.field}",
                    code=change.kind.upper().replace("_", "-"),
                    detail=f"{change.field}: {change.before} → {change.after}",
                )
                for change in breaking
            ),
        )


def _next_code(held: Resource) -> str:
    found = _MAJOR.fullmatch(held.code)
    family = found["family"] if found and held.major > 1 else held.code
    return f"{family}_v{held.major + 1}"
