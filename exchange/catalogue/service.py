"""The life of a resource in the catalogue: written, reviewed, published, recalled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from core.caller import Caller, Scope
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from exchange.catalogue import store
from exchange.catalogue.check import check_resource
from exchange.catalogue.metadata import NATIONAL_SCHEME
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.wire import describe
from exchange.quality import store as quality_store
from exchange.revisions import store as revisions

MAX_REASON_CHARACTERS = 500


class OnTakeover(Protocol):
    """What is to be done when a new major version is published, in the same transaction."""

    async def __call__(self, connection: Connection, successor: Resource, *, caller: Caller) -> None:
        """Put `successor` in the place of the resource that it supersedes."""
        ...


class CatalogueService:
    """Brings resources into the catalogue and out of it. `review` says whether another system must agree."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        now: Callable[[], datetime],
        on_takeover: OnTakeover,
        review: bool = False,
    ) -> None:
        self._database = database
        self._log = log
        self._now = now
        self._on_takeover = on_takeover
        self._review = review

    async def register(self, resource: Resource, *, caller: Caller, draft: bool = False) -> Resource:
        """Register a resource, all or nothing: as a draft, before its reviewer, or at once in the catalogue.

        Raises SchemaViolation with every field that is wrong, or Conflict where a code is taken.
        """
        async with self._database.transaction() as connection:
            return await self.register_in(connection, resource, caller=caller, draft=draft)

    async def register_in(
        self,
        connection: Connection,
        resource: Resource,
        *,
        caller: Caller,
        draft: bool = False,
        coming: frozenset[str] = frozenset(),
    ) -> Resource:
        """Do what `register` does in a transaction of the caller's, where resources `coming` follow."""
        resource = await verify_description(connection, resource, coming=coming)
        held = replace(resource, state=ResourceState.DRAFT)
        await store.save_resource(connection, resource=held)
        if held.rules:
            await quality_store.replace_rules(connection, resource_code=held.code, rules=held.rules)
        await self.keep_revision(connection, held)
        await self._log.append(
            connection,
            event=Event.RESOURCE_REGISTERED,
            caller=caller,
            resource_code=resource.code,
            details={"items": [item.name for item in resource.items]},
        )
        if draft:
            return await self._bring(connection, held, ResourceState.DRAFT, caller=caller)
        return await self._advance(connection, held, caller=caller)

    async def rewrite(self, resource: Resource, *, caller: Caller) -> Resource:
        """Replace the description of a draft of the caller's. Raises Conflict for what is no draft."""
        async with self._database.transaction() as connection:
            return await self.rewrite_in(connection, resource, caller=caller)

    async def rewrite_in(
        self,
        connection: Connection,
        resource: Resource,
        *,
        caller: Caller,
        coming: frozenset[str] = frozenset(),
    ) -> Resource:
        """Do what `rewrite` does in a transaction of the caller's, where resources `coming` follow."""
        held = await self.load_own(connection, resource.code, caller=caller)
        if held.state is not ResourceState.DRAFT:
            msg = f"only a draft is rewritten; this resource is {held.state}"
            raise Conflict(msg)
        resource = await verify_description(connection, resource, coming=coming)
        written = replace(
            resource, state=held.state, schema_version=1, major=held.major, supersedes=held.supersedes
        )
        await store.update_resource(connection, resource=written)
        await self.keep_revision(connection, written)
        return written

    async def discard(self, code: str, *, caller: Caller) -> None:
        """Delete a draft of the caller's. Raises Conflict for what was submitted or published."""
        async with self._database.transaction() as connection:
            held = await self.load_own(connection, code, caller=caller)
            if held.state is not ResourceState.DRAFT or await store.has_tables(connection, code=code):
                msg = "only a draft that was never published can be deleted; recall a published resource"
                raise Conflict(msg)
            await store.delete_resource(connection, code=code)
            await self._log.append(
                connection,
                event=Event.RESOURCE_STATE_CHANGED,
                caller=caller,
                resource_code=code,
                details={"from": str(held.state), "to": "deleted", "reason": ""},
            )

    async def submit(self, code: str, *, caller: Caller) -> Resource:
        """Submit a draft or a recalled resource: it is published, or waits for its reviewer."""
        async with self._database.transaction() as connection:
            held = await self.load_own(connection, code, caller=caller)
            return await self.submit_in(connection, held, caller=caller)

    async def submit_in(self, connection: Connection, held: Resource, *, caller: Caller) -> Resource:
        """Do what `submit` does in a transaction of the caller's, who has loaded the resource."""
        if held.state not in {ResourceState.DRAFT, ResourceState.RECALLED}:
            msg = f"a draft or a recalled resource is submitted; this one is {held.state}"
            raise Conflict(msg)
        return await self._advance(connection, held, caller=caller)

    async def review(self, code: str, *, approve: bool, reason: str, caller: Caller) -> Resource:
        """Publish a submitted resource, or return it to its provider with a reason.

        The caller is an administrator, and not the system that submitted it. Raises Forbidden, Conflict.
        """
        check_reason(reason, required=not approve)
        async with self._database.transaction() as connection:
            held = await store.load_resource(connection, code=code, for_update=True, unpublished=True)
            if held is None:
                raise no_resource()
            if held.state is not ResourceState.IN_REVIEW:
                msg = f"only a submitted resource is reviewed; this one is {held.state}"
                raise Conflict(msg)
            if await store.load_submitter(connection, code=code) == caller.system_id:
                msg = "a resource is reviewed by another system than the one that submitted it"
                raise Forbidden(msg)
            state = ResourceState.PUBLISHED if approve else ResourceState.DRAFT
            return await self._bring(connection, held, state, caller=caller, reason=reason)

    async def recall(self, code: str, *, reason: str, caller: Caller) -> Resource:
        """Recall a published resource as its provider or an administrator.

        It leaves the catalogue; queries, feeds, applications and batches are refused with the reason. The
        rows and the grants stay, and count again once it is published anew.
        """
        check_reason(reason, required=True)
        async with self._database.transaction() as connection:
            held = await self.load_own(connection, code, caller=caller, administrator=True)
            if held.state is not ResourceState.PUBLISHED:
                msg = f"only a published resource is recalled; this one is {held.state}"
                raise Conflict(msg)
            return await self._bring(connection, held, ResourceState.RECALLED, caller=caller, reason=reason)

    async def load(self, code: str, *, caller: Caller | None = None) -> Resource:
        """Load a resource with its items; what is not published only for its provider and administrators.

        Raises NotFound.
        """
        async with self._database.acquire() as connection:
            resource = await store.load_resource(connection, code=code, unpublished=True)
        if resource is None or not _may_see(resource, caller):
            raise no_resource()
        return resource

    async def load_versions(self, code: str, *, caller: Caller | None = None) -> list[dict[str, object]]:
        """Load the accounting of the newest 100 versions. Raises NotFound."""
        await self.load(code, caller=caller)
        async with self._database.acquire() as connection:
            return await store.load_versions(connection, code=code, limit=100)

    async def load_history(self, code: str, *, caller: Caller) -> list[dict[str, Any]]:
        """Load the states that a resource came through, oldest first. Raises NotFound."""
        await self.load(code, caller=caller)
        async with self._database.acquire() as connection:
            return await revisions.load_history(connection, code=code)

    async def load_own(
        self, connection: Connection, code: str, *, caller: Caller, administrator: bool = False
    ) -> Resource:
        """Load a resource of the caller's and hold it. Raises NotFound, or Forbidden for another's."""
        held = await store.load_resource(connection, code=code, for_update=True, unpublished=True)
        if held is None or not _may_see(held, caller):
            raise no_resource()
        allowed = administrator and Scope.ADMIN in caller.scopes
        if held.provider_code != caller.organisation_code and not allowed:
            msg = "only the organisation that provides a resource changes it in the catalogue"
            raise Forbidden(msg)
        return held

    async def keep_revision(self, connection: Connection, resource: Resource) -> None:
        """Keep the description that a resource has now as its revision `schema_version`."""
        await revisions.save_revision(
            connection,
            code=resource.code,
            revision=resource.schema_version,
            description=describe(resource),
            at=self._now(),
        )

    async def _advance(self, connection: Connection, held: Resource, *, caller: Caller) -> Resource:
        state = ResourceState.IN_REVIEW if self._review else ResourceState.PUBLISHED
        return await self._bring(connection, held, state, caller=caller)

    async def _bring(
        self,
        connection: Connection,
        held: Resource,
        state: ResourceState,
        *,
        caller: Caller,
        reason: str = "",
    ) -> Resource:
        """Bring a resource into a state; the first time it is published it gets its tables and its code."""
        now = self._now()
        published_at = held.published_at
        is_first = state is ResourceState.PUBLISHED and not await store.has_tables(connection, code=held.code)
        if is_first:
            held = await self._give_national_code(connection, held)
            await store.create_tables(connection, resource=held)
            published_at = now
        await store.save_state(
            connection,
            code=held.code,
            state=state,
            reason=reason,
            submitted_by=caller.system_id if state is ResourceState.IN_REVIEW else None,
            published_at=published_at,
        )
        await revisions.save_history(
            connection,
            code=held.code,
            state=state,
            reason=reason,
            organisation_code=caller.organisation_code,
            system_id=caller.system_id,
            at=now,
        )
        await self._log.append(
            connection,
            event=Event.RESOURCE_STATE_CHANGED,
            caller=caller,
            resource_code=held.code,
            details={"from": str(held.state), "to": str(state), "reason": reason},
        )
        brought = replace(held, state=state, state_reason=reason, published_at=published_at)
        if is_first and held.supersedes is not None:
            await self._on_takeover(connection, brought, caller=caller)
        return brought

    async def _give_national_code(self, connection: Connection, held: Resource) -> Resource:
        """Number a classified resource that has no national code (类项目细目, a stroke, the sequence)."""
        classification = held.metadata.classification_code
        if not classification or NATIONAL_SCHEME in held.external_codes:
            return held
        number = await store.next_national_number(connection, classification=classification)
        codes = held.external_codes | {NATIONAL_SCHEME: f"{classification}/{number:05d}"}
        coded = replace(held, external_codes=codes)
        await store.update_resource(connection, resource=coded)
        await self.keep_revision(connection, coded)
        return coded


async def verify_description(
    connection: Connection, resource: Resource, *, coming: frozenset[str] = frozenset()
) -> Resource:
    """Let a description pass that is right in itself and beside the others, here or `coming`.

    Returns it with the codes of the lists that departments keep.

    Raises SchemaViolation with every error, or Conflict for external codes that another resource has.
    """
    resource = await store.with_registered_codes(connection, resource)
    errors = check_resource(resource)
    if not errors:
        related = resource.metadata.related_codes
        known = coming | await store.load_known_codes(connection, codes=list(related))
        errors = [
            FieldError(
                pointer=f"/metadata/related_codes/{position}",
                code="UNKNOWN",
                detail="there is no resource of that code in the catalogue",
            )
            for position, code in enumerate(related)
            if code not in known
        ]
    if errors:
        msg = "the resource is not described rightly; see errors for each field"
        raise SchemaViolation(msg, errors=tuple(errors))
    taken = await store.load_taken_codes(connection, resource=resource)
    if taken:
        named = ", ".join(f"{scheme} {code}" for scheme, code in taken)
        msg = f"another resource has the external code {named}"
        raise Conflict(msg)
    return resource


def check_reason(reason: str, *, required: bool) -> None:
    """Check the reason of a decision. Raises SchemaViolation."""
    errors = check_text("/reason", reason, max_characters=MAX_REASON_CHARACTERS, required=required)
    if errors:
        msg = "this decision needs a reason of one line"
        raise SchemaViolation(msg, errors=tuple(errors))


def no_resource() -> NotFound:
    """Build the error for a code that names nothing that the caller may know of."""
    return NotFound("there is no resource of that code in the catalogue")


def _may_see(resource: Resource, caller: Caller | None) -> bool:
    """Everybody sees what is or was published; provider and administrators also what is being written."""
    if resource.state in {ResourceState.PUBLISHED, ResourceState.RECALLED}:
        return True
    if caller is None:
        return False
    return caller.organisation_code == resource.provider_code or Scope.ADMIN in caller.scopes
