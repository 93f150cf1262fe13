"""The rules of the registry of certificate types."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from certs.types import store
from certs.types.check import check_service_items, check_type
from certs.types.model import CertificateType, Evidence, ServiceItem
from certs.types.shipped import SHIPPED_TYPES
from certs.types.table import Draft
from core.caller import Caller
from core.database import Connection, Database
from core.errors import Conflict, FieldError, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter

MAX_IMPORTED: Final = 5000


class ImportOutcome(StrEnum):
    """What an import does with a type."""

    NEW = "new"
    NEW_VERSION = "new_version"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedType:
    """What an import did, or would do, with one type."""

    code: str
    name: str
    version: int
    outcome: ImportOutcome


class TypeService:
    """The registry. `templates` tells which layouts there are."""

    def __init__(
        self, *, database: Database, log: LogWriter, templates: Callable[[], Collection[str]]
    ) -> None:
        self._database = database
        self._log = log
        self._templates = templates

    async def install_shipped(self) -> int:
        """Register the types that ship and are not there yet, or ship anew; return how many.

        Run at every start. A type that was registered here in a version of its own is left alone.
        """
        added = 0
        async with self._database.transaction() as connection:
            known = {kind.code: kind for kind in await store.load_types(connection)}
            for shipped in SHIPPED_TYPES:
                due = _find_due(shipped, known.get(shipped.code))
                if due is not None and await store.save_type(connection, kind=due):
                    added += 1
            if added:
                await self._log.append(
                    connection,
                    event=Event.CERTIFICATE_TYPE_REGISTERED,
                    caller=None,
                    details={"shipped_types": added},
                )
        return added

    async def list_types(self) -> list[CertificateType]:
        """List every type in its newest version, by code."""
        async with self._database.acquire() as connection:
            return await store.load_types(connection)

    async def get_type(self, code: str) -> CertificateType:
        """Return the newest version of a type. Raises NotFound."""
        async with self._database.acquire() as connection:
            return await store.load_type(connection, code=code)

    async def get_version(self, code: str, version: int) -> CertificateType:
        """Return one version of a type. Raises NotFound."""
        found = next((each for each in await self.list_versions(code) if each.version == version), None)
        if found is None:
            msg = "the certificate type has no such version"
            raise NotFound(msg)
        return found

    async def list_versions(self, code: str) -> list[CertificateType]:
        """Return every version of a type, the newest first. Raises NotFound."""
        async with self._database.acquire() as connection:
            return await store.load_versions(connection, code=code)

    async def register(self, kind: CertificateType, *, actor: Caller) -> CertificateType:
        """Register a type, or a further version of it.

        `kind.version` must be one above the newest; certificates already issued keep the version they
        were issued under. Raises SchemaViolation naming everything wrong, or Conflict.
        """
        if errors := check_type(kind, templates=self._templates()):
            msg = "the certificate type's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            known = {found.code: found.version for found in await store.load_types(connection)}
            expected = known.get(kind.code, 0) + 1
            if kind.version != expected or not await store.save_type(connection, kind=kind):
                msg = f"the next version of this type is {expected}; send that, with the whole type"
                raise Conflict(msg)
            await self._record(connection, kind, actor=actor)
            return await store.load_type(connection, code=kind.code)

    async def _record(self, connection: Connection, kind: CertificateType, *, actor: Caller) -> None:
        """Keep the service items of a version that was saved, and log it."""
        if kind.service_items:
            await store.replace_service_items(connection, type_code=kind.code, items=kind.service_items)
        await self._log.append(
            connection,
            event=Event.CERTIFICATE_TYPE_REGISTERED,
            caller=actor,
            details={"type": kind.code, "version": kind.version, "name": kind.name},
        )

    async def import_types(
        self, drafts: Sequence[Draft], *, errors: Sequence[FieldError], dry_run: bool, actor: Caller
    ) -> list[ImportedType]:
        """Import types, all or none: unknown ones become new, changed ones the next version.

        `errors` are those of reading. Raises SchemaViolation with every error of every row.
        """
        found = [*errors]
        templates = self._templates()
        if len(drafts) > MAX_IMPORTED:
            msg = f"an import has at most {MAX_IMPORTED} types"
            raise SchemaViolation(msg)
        async with self._database.transaction() as connection:
            known = {kind.code: kind for kind in await store.load_types(connection)}
            plan = [(draft, *_plan(draft, known)) for draft in drafts]
            for draft, imported, error in plan:
                found += [] if error is None else [error]
                if imported.outcome is not ImportOutcome.UNCHANGED:
                    found += [_at(draft, each) for each in check_type(draft.kind, templates=templates)]
            if found:
                msg = f"the import has {len(found)} errors, and nothing was changed; see errors for each row"
                raise SchemaViolation(msg, errors=tuple(found))
            if not dry_run:
                await self._apply([imported for _, imported, _ in plan], drafts, actor, connection)
        return [imported for _, imported, _ in plan]

    async def _apply(
        self,
        plan: Sequence[ImportedType],
        drafts: Sequence[Draft],
        actor: Caller,
        connection: Connection,
    ) -> None:
        for imported, draft in zip(plan, drafts, strict=True):
            if imported.outcome is ImportOutcome.UNCHANGED:
                continue
            kind = replace(draft.kind, version=imported.version)
            if not await store.save_type(connection, kind=kind):
                msg = "another import changed the same types at the same time; send it again"
                raise Conflict(msg)
            await self._record(connection, kind, actor=actor)

    async def set_service_items(
        self, *, code: str, items: Sequence[ServiceItem], actor: Caller
    ) -> CertificateType:
        """Say which service items may use certificates of a type by function; `*` means all.

        Raises NotFound or SchemaViolation.
        """
        if errors := check_service_items(items):
            msg = "the service items are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await store.load_type(connection, code=code)
            await store.replace_service_items(connection, type_code=code, items=items)
            await self._log.append(
                connection,
                event=Event.CERTIFICATE_TYPE_REGISTERED,
                caller=actor,
                details={"type": code, "service_items": [item.code for item in items][:100]},
            )
            return await store.load_type(connection, code=code)


def _find_due(shipped: CertificateType, known: CertificateType | None) -> CertificateType | None:
    """Return the version of a shipped type that is due for registration; None where none is."""
    if known is None:
        return shipped
    if known.evidence is Evidence.LOCAL or _is_same(shipped, known):
        return None
    return replace(shipped, version=known.version + 1)


def _is_same(one: CertificateType, other: CertificateType) -> bool:
    """Compare two types but for their version, their evidence and who may use them."""
    return _bare(one) == _bare(other)


def _bare(kind: CertificateType) -> CertificateType:
    return replace(kind, version=1, evidence=Evidence.LOCAL, service_items=())


def _plan(draft: Draft, known: Mapping[str, CertificateType]) -> tuple[ImportedType, FieldError | None]:
    """Say what becomes of a draft, or why it must not be imported."""
    kind, before = draft.kind, known.get(draft.kind.code)
    if before is None:
        outcome, version = ImportOutcome.NEW, 1
    elif _is_same(kind, before) and (kind.service_items or before.service_items) == before.service_items:
        outcome, version = ImportOutcome.UNCHANGED, before.version
    else:
        outcome, version = ImportOutcome.NEW_VERSION, before.version + 1
    error = None
    if draft.version not in {None, version} and outcome is not ImportOutcome.NEW:
        stale = before is not None and draft.version == before.version
        if not (outcome is ImportOutcome.NEW_VERSION and stale):
            detail = f"the next version is {version}; state that, or none"
            error = FieldError(pointer=f"{draft.place}/version", code="VERSION", detail=detail)
    return ImportedType(code=kind.code, name=kind.name, version=version, outcome=outcome), error


def _at(draft: Draft, error: FieldError) -> FieldError:
    return FieldError(pointer=draft.place + error.pointer, code=error.code, detail=error.detail)
