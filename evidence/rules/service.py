"""Save, check, release, compare, import and export the rules of service items."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.caller import Caller, Scope
from core.database import Connection, Database
from core.errors import Conflict, FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.rules import store
from evidence.rules.against import check_against, load_holdings
from evidence.rules.check import check_item
from evidence.rules.diff import diff_items
from evidence.rules.document import digest_item
from evidence.rules.model import (
    Difference,
    ItemVersion,
    RuleFinding,
    ServiceItem,
    Severity,
    VersionState,
)

MAX_IMPORTED: Final = 200
MAX_KEPT: Final = 2000


class RulesUnsound(SchemaViolation):
    """The model checker found errors in the rules; they are not released."""

    code = "EVIDENCE-RULES-UNSOUND"
    title = "Rules cannot be lived by"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedItem:
    """A draft as saved (or the version it is equal to), with what the model checker says of it."""

    version: ItemVersion
    findings: tuple[RuleFinding, ...]
    changed: bool


class RuleService:
    """Keeps service items. An office writes its own; an administrator writes anybody's."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now
        self._kept: dict[tuple[str, int, str], ItemVersion] = {}

    async def check(self, item: ServiceItem) -> list[RuleFinding]:
        """Return everything that the model checker says of rules, against themselves and the hub."""
        async with self._database.acquire() as connection:
            return await self._check(connection, item)

    async def save(self, item: ServiceItem, *, caller: Caller) -> SavedItem:
        """Save rules as the item's draft; it may be unsound, and says so.

        Rules equal to the released version change nothing. Raises Forbidden for another office's item,
        SchemaViolation where the office is unknown.
        """
        async with self._database.transaction() as connection:
            return await self._save(connection, item, caller=caller, pointer="")

    async def import_items(self, items: Sequence[ServiceItem], *, caller: Caller) -> list[SavedItem]:
        """Save the drafts of many items, all or none. Raises as `save`, with pointers into the list."""
        if not 1 <= len(items) <= MAX_IMPORTED or len({each.code for each in items}) != len(items):
            msg = f"import 1 to {MAX_IMPORTED} items, each code once"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/items", code="COUNT", detail=msg),))
        async with self._database.transaction() as connection:
            return [
                await self._save(connection, item, caller=caller, pointer=f"/items/{number}")
                for number, item in enumerate(items)
            ]

    async def release(self, code: str, *, caller: Caller) -> ItemVersion:
        """Release an item's draft and retire the version before it.

        Raises NotFound, Forbidden, Conflict where there is no draft, RulesUnsound with every error of the
        model checker.
        """
        now = self._now()
        async with self._database.transaction() as connection:
            await self._lock(connection, code, caller)
            draft = await store.load_version(connection, code=code, state=VersionState.DRAFT)
            if draft is None:
                msg = "the item has no draft to release; save one first"
                raise Conflict(msg)
            findings = await self._check(connection, draft.item)
            _refuse_unsound(findings)
            await store.release_draft(connection, code=code, version=draft.version, at=now)
            await self._record(connection, Event.SERVICE_ITEM_RELEASED, draft, caller)
        return await self.load(code, version=draft.version)

    async def retire(self, code: str, *, caller: Caller) -> ItemVersion:
        """Retire an item's released version: no further case is opened under it. Raises as `release`."""
        async with self._database.transaction() as connection:
            await self._lock(connection, code, caller)
            version = await store.retire_released(connection, code=code, at=self._now())
            if version is None:
                msg = "the item has no released version"
                raise Conflict(msg)
            retired = await store.load_version(connection, code=code, version=version)
            assert retired is not None
            await self._record(connection, Event.SERVICE_ITEM_RETIRED, retired, caller)
        return retired

    async def list_items(self, *, office: str | None, after: str, limit: int) -> list[store.ItemHead]:
        """List items by code, from after a code on."""
        async with self._database.acquire() as connection:
            return await store.load_heads(connection, office=office, after=after, limit=limit)

    async def load(self, code: str, *, version: int | None = None) -> ItemVersion:
        """Load a version; without a number the released one, else the newest. Raises NotFound."""
        async with self._database.acquire() as connection:
            found = None
            if version is None:
                found = await store.load_version(connection, code=code, state=VersionState.RELEASED)
            found = found or await store.load_version(connection, code=code, version=version)
        if found is None:
            msg = "there is no service item of that code, or not in that version"
            raise NotFound(msg)
        return found

    async def list_versions(self, code: str) -> list[ItemVersion]:
        """List every version of an item, the newest first. Raises NotFound."""
        async with self._database.acquire() as connection:
            found = await store.load_versions(connection, code=code)
        if not found:
            msg = "there is no service item of that code"
            raise NotFound(msg)
        return found

    async def diff(self, code: str, *, before: int, after: int) -> list[Difference]:
        """List where two versions of an item differ. Raises NotFound."""
        old, new = await self.load(code, version=before), await self.load(code, version=after)
        return diff_items(old.item, new.item)

    async def export_items(self, *, office: str | None) -> list[ItemVersion]:
        """Return every released item, by code; those of one office where it is named."""
        async with self._database.acquire() as connection:
            return await store.load_released(connection, office=office)

    async def load_once(
        self, connection: Connection, code: str, number: tuple[int, str] | None
    ) -> ItemVersion | None:
        """Return a version by its number and digest, parsed once per process; None for None."""
        return None if number is None else await self._load_once(connection, code, *number)

    async def load_kept(self, connection: Connection, code: str, version: int) -> ItemVersion:
        """Return a version that was in force once, which an open case keeps to."""
        return await self._load_once(connection, code, version, "")

    async def _load_once(
        self, connection: Connection, code: str, version: int, digest_sm3: str
    ) -> ItemVersion:
        key = (code, version, digest_sm3)
        if key not in self._kept:
            found = await store.load_version(connection, code=code, version=version)
            assert found is not None
            if len(self._kept) >= MAX_KEPT:
                self._kept.clear()
            self._kept[key] = found
        return self._kept[key]

    async def _check(self, connection: Connection, item: ServiceItem) -> list[RuleFinding]:
        findings = check_item(item)
        if any(each.severity is Severity.ERROR for each in findings):
            return findings
        return findings + check_against(item, await load_holdings(connection, item))

    async def _save(
        self, connection: Connection, item: ServiceItem, *, caller: Caller, pointer: str
    ) -> SavedItem:
        office = await store.lock_item(connection, code=item.code)
        for named in {office, item.office} - {None, caller.organisation_code}:
            if Scope.ADMIN not in caller.scopes:
                msg = f"the rules of {item.code} belong to the office {named}; an office writes its own"
                raise Forbidden(msg)
        if not await store.load_known_organisations(connection, codes=[item.office]):
            detail = "no organisation of this code is registered"
            error = FieldError(pointer=f"{pointer}/office", code="UNKNOWN-ORGANISATION", detail=detail)
            raise SchemaViolation(detail, errors=(error,))
        findings = tuple(await self._check(connection, item))
        digest = digest_item(item)
        released = await store.load_version(connection, code=item.code, state=VersionState.RELEASED)
        if released is not None and released.digest_sm3 == digest:
            return SavedItem(version=released, findings=findings, changed=False)
        draft = await store.load_version(connection, code=item.code, state=VersionState.DRAFT)
        if draft is not None and draft.digest_sm3 == digest:
            return SavedItem(version=draft, findings=findings, changed=False)
        now = self._now()
        await store.save_item(connection, item=item, at=now)
        version = await store.save_draft(connection, item=item, digest_sm3=digest, at=now)
        saved = ItemVersion(
            item=item, version=version, state=VersionState.DRAFT, digest_sm3=digest, saved_at=now
        )
        await self._record(connection, Event.SERVICE_ITEM_SAVED, saved, caller)
        return SavedItem(version=saved, findings=findings, changed=True)

    async def _lock(self, connection: Connection, code: str, caller: Caller) -> None:
        office = await store.lock_item(connection, code=code)
        if office is None:
            msg = "there is no service item of that code"
            raise NotFound(msg)
        if office != caller.organisation_code and Scope.ADMIN not in caller.scopes:
            msg = "the item belongs to another office"
            raise Forbidden(msg)

    async def _record(
        self, connection: Connection, event: Event, version: ItemVersion, caller: Caller
    ) -> None:
        details = {
            "item": version.item.code,
            "version": version.version,
            "office": version.item.office,
            "digest_sm3": version.digest_sm3,
        }
        await self._log.append(connection, event=event, caller=caller, details=details)


def _refuse_unsound(findings: Sequence[RuleFinding]) -> None:
    errors = tuple(
        FieldError(pointer=each.pointer, code=each.code, detail=each.detail)
        for each in findings
        if each.severity is Severity.ERROR
    )
    if errors:
        msg = "the rules cannot be released as they are; see errors"
        raise RulesUnsound(msg, errors=errors)
