"""The rules of interchange: what leaves the catalogue, and how a document enters it, whole or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from core.caller import Caller
from core.database import Connection, Database
from core.errors import BadInput, FieldError, SchemaViolation
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.service import CatalogueService
from exchange.catalogue.wire import DescriptionIn, build_resource, describe
from exchange.evolution.service import EvolutionService
from exchange.interchange import store
from exchange.interchange.dcat_read import read_dcat
from exchange.interchange.dcat_write import write_dcat
from exchange.interchange.excel import read_excel, write_excel
from exchange.interchange.json_form import read_json, write_json
from exchange.interchange.model import MAX_ENTRIES, DocumentFormat, Entry, ImportResult
from signing.errors import ShuzhengError

_READERS: Final[dict[DocumentFormat, Callable[[bytes], list[Entry]]]] = {
    DocumentFormat.JSON: read_json,
    DocumentFormat.EXCEL: read_excel,
    DocumentFormat.DCAT: read_dcat,
}


class _DryRun(Exception):
    """Ends the transaction of a dry run."""


class InterchangeService:
    """Writes catalogues as documents and reads them back."""

    def __init__(
        self,
        *,
        database: Database,
        catalogue: CatalogueService,
        evolution: EvolutionService,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._evolution = evolution
        self._public_url = public_url
        self._now = now

    async def export(
        self, form: DocumentFormat, *, codes: Sequence[str] = (), provider_code: str | None = None
    ) -> bytes:
        """Write published resources, by code; all of them where no codes are named."""
        async with self._database.transaction(read_only=True) as connection:
            found = await store.load_published_codes(connection, codes=codes, provider_code=provider_code)
            resources = [
                resource
                for code in found
                if (resource := await catalogue_store.load_resource(connection, code=code)) is not None
            ]
            names = await store.load_names(connection, codes=[each.provider_code for each in resources])
        if form is DocumentFormat.JSON:
            return await asyncio.to_thread(write_json, resources)
        if form is DocumentFormat.EXCEL:
            return await asyncio.to_thread(write_excel, resources)
        return await asyncio.to_thread(
            write_dcat, resources, public_url=self._public_url, providers=names, at=self._now()
        )

    async def import_document(
        self,
        form: DocumentFormat,
        data: bytes,
        *,
        caller: Caller,
        draft: bool = False,
        dry_run: bool = False,
    ) -> ImportResult:
        """Bring every resource of a document into the catalogue as the caller's own, or none of them.

        New ones are registered, known ones evolve where that breaks nobody, equal ones stay. Raises BadInput
        for a document that cannot be read, SchemaViolation with every row that cannot be taken.
        """
        entries = await asyncio.to_thread(_READERS[form], data)
        if len(entries) > MAX_ENTRIES:
            msg = f"a document has at most {MAX_ENTRIES} resources"
            raise BadInput(msg)
        resources = _build(entries, caller=caller)
        result: list[ImportResult] = []

        async def bring(connection: Connection) -> None:
            result[:] = [await self._bring(connection, resources, caller=caller, draft=draft)]
            if dry_run:
                raise _DryRun

        with suppress(_DryRun):
            await self._evolution.patiently(bring)
        return result[0]

    async def _bring(
        self,
        connection: Connection,
        resources: Sequence[tuple[Entry, Resource]],
        *,
        caller: Caller,
        draft: bool,
    ) -> ImportResult:
        outcomes: dict[str, list[str]] = {"created": [], "changed": [], "unchanged": []}
        errors: list[FieldError] = []
        coming = frozenset(resource.code for _, resource in resources)
        for entry, resource in resources:
            try:
                async with connection.transaction():
                    outcome = await self._bring_one(
                        connection, resource, caller=caller, draft=draft, coming=coming
                    )
                outcomes[outcome].append(resource.code)
            except ShuzhengError as wrong:
                errors += _place(entry, wrong)
        if errors:
            msg = "the document cannot be taken as it is; errors lists every place, and nothing was changed"
            raise SchemaViolation(msg, errors=tuple(errors))
        return ImportResult(**{name: tuple(codes) for name, codes in outcomes.items()})

    async def _bring_one(
        self,
        connection: Connection,
        resource: Resource,
        *,
        caller: Caller,
        draft: bool,
        coming: frozenset[str],
    ) -> str:
        held = await catalogue_store.load_resource(connection, code=resource.code, unpublished=True)
        if held is None:
            await self._catalogue.register_in(connection, resource, caller=caller, draft=draft, coming=coming)
            return "created"
        resource = replace(resource, external_codes=held.external_codes | resource.external_codes)
        if held.provider_code == caller.organisation_code and describe(held) == describe(resource):
            return "unchanged"
        if held.state is ResourceState.DRAFT:
            await self._catalogue.rewrite_in(connection, resource, caller=caller, coming=coming)
        else:
            await self._evolution.evolve_in(connection, resource, caller=caller, coming=coming)
        return "changed"


def _build(entries: Sequence[Entry], *, caller: Caller) -> list[tuple[Entry, Resource]]:
    """Check the form of every entry. Raises SchemaViolation with every place that is wrong."""
    built: list[tuple[Entry, Resource]] = []
    errors: list[FieldError] = []
    for entry in entries:
        try:
            body = DescriptionIn.model_validate(entry.description)
        except ValidationError as wrong:
            errors += [
                FieldError(
                    pointer=entry.locate("".join(f"/{part}" for part in error["loc"])),
                    code=error["type"].upper().replace("_", "-"),
                    detail=error["msg"],
                )
                for error in wrong.errors(include_url=False, include_input=False)
            ]
        else:
            built.append((entry, build_resource(body, provider_code=caller.organisation_code)))
    counted = Counter(resource.code for _, resource in built)
    errors += [
        FieldError(pointer=entry.locate("/code"), code="DUPLICATE", detail="two resources have this code")
        for entry, resource in built
        if counted[resource.code] > 1
    ]
    if errors:
        msg = "the document does not describe its resources rightly; errors lists every place"
        raise SchemaViolation(msg, errors=tuple(errors))
    return built


def _place(entry: Entry, wrong: ShuzhengError) -> list[FieldError]:
    if not wrong.errors:
        return [FieldError(pointer=entry.locate("/code"), code=wrong.code, detail=wrong.detail)]
    return [replace(each, pointer=entry.locate(each.pointer)) for each in wrong.errors]
