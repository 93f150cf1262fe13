"""The rules of reading a share: its versions, its description, its files, its changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from core.database import Connection, Database
from core.errors import BadInput, GrantMissing, RateLimited, Unavailable
from core.log.chain import name_mass_reading
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.masks import Masker
from exchange.access.quota import take_quota
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource
from exchange.access.row_filter import parse_row_filter
from exchange.access.store import load_mask_rules
from signing import sm3
from subscriptions.lake import store as lake_store
from subscriptions.lake.model import LakeVersion
from subscriptions.lake.place import LakePlace
from subscriptions.lake.table import LakeTable
from subscriptions.sharing import store
from subscriptions.sharing.access import Doorkeeper
from subscriptions.sharing.disputes import Marks, find_marks
from subscriptions.sharing.hints import Predicate, may_hold
from subscriptions.sharing.maker import FileMaker
from subscriptions.sharing.model import Access, Profile, SharedFile, VersionFiles
from subscriptions.sharing.view import View, build_view, terms_digest
from subscriptions.store import load_past_filters

MAX_VERSIONS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A version asked for: by number, or as of a time; neither is the newest."""

    version: int | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a query is answered with. `terms` goes into the tickets of the files, `disputed` beside them."""

    version: int
    view: View
    terms: bytes
    parts: tuple[VersionFiles, ...]
    disputed: Marks = ()


class SharingService:
    """Answers the queries of Delta Sharing. Table versions are the hub's own versions."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        doorkeeper: Doorkeeper,
        maker: FileMaker,
        masker: Masker,
        place: LakePlace,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._doorkeeper = doorkeeper
        self._maker = maker
        self._masker = masker
        self._place = place
        self._now = now

    async def find_version(self, access: Access, *, since: datetime | None = None) -> int:
        """Return the newest version, or the first that was committed at `since` or later. Raises BadInput."""
        versions = await self._load_versions(access)
        if since is None:
            return versions[-1].version
        return _first_since(versions, since).version

    async def describe(self, access: Access, *, asked: Asked) -> Answer:
        """Describe the table; no data is given out. Raises BadInput or Unavailable."""
        entry = _choose(await self._load_versions(access), asked)
        async with self._database.transaction() as connection:
            view, terms = await self._build_view(connection, access)
        return Answer(version=entry.version, view=view, terms=terms, parts=())

    async def query(
        self, access: Access, *, asked: Asked, hints: Sequence[Predicate], limit_rows: int | None
    ) -> Answer:
        """Give the files of a version; hints and limit leave out files that need not be read.

        Raises BadInput for a version that is not kept, RateLimited, GrantMissing or Unavailable.
        """
        entry = _choose(await self._load_versions(access), asked)
        async with self._database.transaction() as connection:
            view, terms = await self._build_view(connection, access)
        table = await self._open(access)
        paths = [
            file.path for file in await asyncio.to_thread(table.list_files, entry.delta_version) if file.rows
        ]
        made = await self._maker.snapshot(view, access.resource.code, paths)
        files = [file for file in made if file.rows and may_hold(file, hints, view.schema)]
        part = VersionFiles(
            version=entry.version, committed_at=entry.committed_at, files=_limit(files, limit_rows)
        )
        answer = Answer(version=entry.version, view=view, terms=terms, parts=(part,))
        return await self._give(access, answer, kind="snapshot")

    async def changes(self, access: Access, *, start: Asked, end: Asked) -> Answer:
        """Give the files of the changes from a version to another, both included.

        Where the grant had another row filter when the version before them was the newest, the first
        version's changes tell along what left it and what entered it. Raises BadInput for versions whose
        changes are not kept, RateLimited, GrantMissing or Unavailable.
        """
        versions = await self._load_versions(access)
        chosen = _range(versions, start, end)
        async with self._database.transaction() as connection:
            view, terms = await self._build_view(connection, access)
            former = await self._build_former(connection, access, view, first=chosen[0].version)
        table = await self._open(access)
        parts: tuple[VersionFiles, ...] = ()
        if former is not None:
            base = _find_before(versions, chosen[0])
            parts = (await self._announce(table, (view, former), access.resource.code, base, chosen[0]),)
        changed = [entry for entry in chosen[len(parts) :] if entry.changed_rows]
        made = await self._maker.changes(view, table, [entry.delta_version for entry in changed])
        parts += tuple(_part(entry, file) for entry, file in zip(changed, made, strict=True))
        answer = Answer(version=chosen[-1].version, view=view, terms=terms, parts=parts)
        return await self._give(access, answer, kind="changes")

    async def _announce(
        self, table: LakeTable, views: tuple[View, View], code: str, before: LakeVersion, first: LakeVersion
    ) -> VersionFiles:
        view, former = views
        made = await self._maker.transition(
            view,
            former,
            table,
            code=code,
            base=before.delta_version,
            delta_version=first.delta_version if first.changed_rows else None,
        )
        return _part(first, made)

    async def _build_former(
        self, connection: Connection, access: Access, view: View, *, first: int
    ) -> View | None:
        """Build the view under which the version before `first` was shown; None where it is the same."""
        past = await load_past_filters(connection, grant_id=access.grant.id)
        shown = next((each for each in past if each.until_version >= first - 1), None)
        if shown is None or first < 1:
            return None
        row_filter = parse_row_filter(access.resource, shown.row_filter)
        own = await store.load_own_values(connection, row_filter=row_filter)
        values = repr([row_filter, sorted(own.items())]).encode()
        digest = sm3.digest_parts([view.digest, values])
        return replace(view, row_filter=row_filter, own=own, digest=digest)

    async def _give(self, access: Access, answer: Answer, *, kind: str) -> Answer:
        """Count, mark and record what is given, once the grant is seen to hold still, in one transaction."""
        files = [file for part in answer.parts for file in part.files]
        rows = sum(file.rows for file in files)
        profile, resource = access.profile, access.resource
        watch = self._refusals.watch(
            caller=access.caller, purpose=profile.purpose, resource_code=resource.code, action="share.read"
        )
        async with watch, self._database.transaction() as connection:
            grant = await self._doorkeeper.require_grant(connection, profile)
            if await digest_terms(connection, self._doorkeeper, profile) != answer.terms:
                msg = "the grant was changed while the files were made; query again"
                raise GrantMissing(msg)
            taken = await take_quota(connection, grant=grant, at=self._now(), row_count=rows)
            if taken.row_count < rows:
                msg = f"the grant's quota of rows for today has no room for {rows}; ask for fewer with hints"
                raise RateLimited(msg)
            await self._log.append(
                connection,
                event=Event.SHARE_READ,
                caller=access.caller,
                purpose=profile.purpose,
                resource_code=resource.code,
                grant_id=grant.id,
                subject=name_mass_reading(resource.code),
                details={
                    "profile": str(profile.id),
                    "kind": kind,
                    "from": min((part.version for part in answer.parts), default=answer.version),
                    "to": answer.version,
                    "items": answer.view.schema.names,
                    "masked": sorted(answer.view.masks) or None,
                    "rows": rows,
                    "files": len(files),
                },
            )
            marks = await find_marks(connection, resource=resource, grant=grant, view=answer.view)
        return replace(answer, disputed=marks)

    async def _build_view(self, connection: Connection, access: Access) -> tuple[View, bytes]:
        await store.begin_snapshot(connection)
        grant, resource, profile = access.grant, access.resource, access.profile
        rules = await load_mask_rules(connection, resource_code=resource.code)
        own = await store.load_own_values(
            connection, row_filter=parse_row_filter(resource, grant.terms.row_filter)
        )
        service_item, organisation = profile.purpose.service_item, profile.organisation_code
        view = build_view(
            resource,
            grant,
            rules,
            masker=self._masker,
            service_item=service_item,
            organisation=organisation,
            own=own,
        )
        terms = terms_digest(resource, grant, rules, service_item=service_item, organisation=organisation)
        return view, terms

    async def _load_versions(self, access: Access) -> list[LakeVersion]:
        async with self._database.acquire() as connection:
            versions = await lake_store.load_versions(connection, code=access.resource.code)
        if not versions:
            msg = "the table of this resource is not written yet; try again soon"
            raise Unavailable(msg)
        return versions

    async def _open(self, access: Access) -> LakeTable:
        table = await asyncio.to_thread(LakeTable.open, self._place, access.resource.code)
        if table is None:
            msg = "the table of this resource is being written anew; try again soon"
            raise Unavailable(msg)
        return table


async def digest_terms(connection: Connection, doorkeeper: Doorkeeper, profile: Profile) -> bytes:
    """Digest the terms of a profile's grant as they are now. Raises GrantMissing or Closed."""
    grant = await doorkeeper.require_grant(connection, profile)
    resource = await load_known_resource(connection, code=grant.resource_code)
    return terms_digest(
        resource,
        grant,
        await load_mask_rules(connection, resource_code=resource.code),
        service_item=profile.purpose.service_item,
        organisation=profile.organisation_code,
    )


def _find_before(versions: Sequence[LakeVersion], first: LakeVersion) -> LakeVersion:
    found = next((entry for entry in versions if entry.version == first.version - 1), None)
    if found is None:
        msg = (
            f"the grant's row filter changed, and without version {first.version - 1}, which is not kept, it"
            " cannot be told what left it; load the whole table anew"
        )
        raise BadInput(msg)
    return found


def _part(entry: LakeVersion, file: SharedFile) -> VersionFiles:
    files = (file,) if file.rows else ()
    return VersionFiles(version=entry.version, committed_at=entry.committed_at, files=files)


def _limit(files: Sequence[SharedFile], limit_rows: int | None) -> tuple[SharedFile, ...]:
    """Leave out files beyond those that hold `limit_rows` rows."""
    if limit_rows is None:
        return tuple(files)
    chosen, rows = [], 0
    for file in files:
        if rows >= limit_rows:
            break
        chosen.append(file)
        rows += file.rows
    return tuple(chosen)


def _choose(versions: Sequence[LakeVersion], asked: Asked) -> LakeVersion:
    if asked.version is not None:
        found = next((entry for entry in versions if entry.version == asked.version), None)
    elif asked.at is not None:
        at = asked.at
        found = next((entry for entry in reversed(versions) if entry.committed_at <= at), None)
    else:
        found = versions[-1]
    if found is None:
        raise BadInput(_kept(versions))
    return found


def _first_since(versions: Sequence[LakeVersion], since: datetime) -> LakeVersion:
    found = next((entry for entry in versions if entry.committed_at >= since), None)
    if found is None:
        msg = "no version was committed at that time or later"
        raise BadInput(msg)
    return found


def _range(versions: Sequence[LakeVersion], start: Asked, end: Asked) -> list[LakeVersion]:
    first = _first_since(versions, start.at) if start.at is not None else _choose(versions, start)
    last = _choose(versions, end)
    chosen = [entry for entry in versions if first.version <= entry.version <= last.version]
    if not chosen:
        msg = "the range of versions ends before it begins"
        raise BadInput(msg)
    if len(chosen) > MAX_VERSIONS:
        msg = f"ask for the changes of at most {MAX_VERSIONS} versions at a time"
        raise BadInput(msg)
    lacking = [entry.version for entry in chosen if not entry.has_changes]
    if lacking:
        msg = f"the changes of version {lacking[-1]} are not kept; begin with version {lacking[-1] + 1}"
        raise BadInput(msg)
    return chosen


def _kept(versions: Sequence[LakeVersion]) -> str:
    return f"that version is not kept; there are the versions {versions[0].version} to {versions[-1].version}"
