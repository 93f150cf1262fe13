"""The rules of interchange: what leaves the catalogue, and how a document enters it, whole or not at all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from pydantic import ValidationError

from core.caller import Caller
from core.database import Connection, Database
from core.errors import BadInput, FieldError, SchemaViolation
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Resource, ResourceState
from exchange.catalogue.service import CatalogueService
from exchange.catalogue.wire import DescriptionIn, build_resource, describe
from exchange.codes.model import CodeList
from exchange.codes.service import CodeListService
from exchange.codes.store import load_code_lists
from exchange.codes.wire import NamedCodeListIn
from exchange.evolution.service import EvolutionService
from exchange.interchange import store
from exchange.interchange.dcat_read import read_dcat
from exchange.interchange.dcat_write import write_dcat
from exchange.interchange.excel import read_excel, write_excel
from exchange.interchange.json_form import read_json, write_json
from exchange.interchange.model import (
    MAX_ENTRIES,
    Document,
    DocumentFormat,
    Entry,
    ImportResult,
    ListEntry,
)
from signing.errors import ShuzhengError

_READERS: Final[dict[DocumentFormat, Callable[[bytes], Document]]] = {
    DocumentFormat.JSON: read_json,
    DocumentFormat.EXCEL: read_excel,
    DocumentFormat.DCAT: read_dcat,
}


Told = TypeVar("Told", Entry, ListEntry)
Built = TypeVar("Built")


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
        codes: CodeListService,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._evolution = evolution
        self._codes = codes
        self._public_url = public_url
        self._now = now

    async def export(
        self, form: DocumentFormat, *, codes: Sequence[str] = (), provider_code: str | None = None
    ) -> bytes:
        """Write published resources, by code; all of them where no codes are named.

        Each form carries the code lists that departments keep and these resources name.
        """
        async with self._database.transaction(read_only=True) as connection:
            found = await store.load_published_codes(connection, codes=codes, provider_code=provider_code)
            resources = [
                resource
                for code in found
                if (resource := await catalogue_store.load_resource(connection, code=code)) is not None
            ]
            named = {item.code_list for each in resources for item in each.items if item.code_list}
            lists = await load_code_lists(connection, names=sorted(named))
            names = await store.load_names(connection, codes=[each.provider_code for each in resources])
        if form is DocumentFormat.JSON:
            return await asyncio.to_thread(write_json, resources, lists)
        if form is DocumentFormat.EXCEL:
            return await asyncio.to_thread(write_excel, resources, lists)
        return await asyncio.to_thread(
            write_dcat, resources, lists, public_url=self._public_url, providers=names, at=self._now()
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
        document = await asyncio.to_thread(_READERS[form], data)
        if max(len(document.entries), len(document.code_lists)) > MAX_ENTRIES:
            msg = f"a document has at most {MAX_ENTRIES} resources and as many code lists"
            raise BadInput(msg)
        resources = _build(document.entries, caller=caller)
        lists = _build_lists(document.code_lists)
        result: list[ImportResult] = []

        async def bring(connection: Connection) -> None:
            result[:] = [await self._bring(connection, resources, lists, caller=caller, draft=draft)]
            if dry_run:
                raise _DryRun

        with suppress(_DryRun):
            await self._evolution.patiently(bring)
        return result[0]

    async def _bring(
        self,
        connection: Connection,
        resources: Sequence[tuple[Entry, Resource]],
        lists: Sequence[tuple[ListEntry, CodeList]],
        *,
        caller: Caller,
        draft: bool,
    ) -> ImportResult:
        outcomes: dict[str, list[str]] = {"created": [], "changed": [], "unchanged": []}
        errors: list[FieldError] = []
        for place, held in lists:
            try:
                async with connection.transaction():
                    await self._codes.bring_in(connection, held, caller=caller)
            except ShuzhengError as wrong:
                errors += _place(place, wrong)
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

    def build(entry: Entry) -> Resource:
        body = DescriptionIn.model_validate(entry.description)
        return build_resource(body, provider_code=caller.organisation_code)

    return _build_all(entries, build, pointer="/code", name_of=lambda built: built.code, what="resources")


def _build_lists(entries: Sequence[ListEntry]) -> list[tuple[ListEntry, CodeList]]:
    """Check the form of every code list. Raises SchemaViolation with every place that is wrong."""

    def build(entry: ListEntry) -> CodeList:
        body = NamedCodeListIn.model_validate(entry.description)
        return body.build(body.name)

    return _build_all(entries, build, pointer="/name", name_of=lambda built: built.name, what="code lists")


def _build_all(
    entries: Sequence[Told],
    build: Callable[[Told], Built],
    *,
    pointer: str,
    name_of: Callable[[Built], str],
    what: str,
) -> list[tuple[Told, Built]]:
    built: list[tuple[Told, Built]] = []
    errors: list[FieldError] = []
    for entry in entries:
        try:
            built.append((entry, build(entry)))
        except ValidationError as wrong:
            errors += _read_errors(entry, wrong)
    counted = Counter(name_of(each) for _, each in built)
    detail = f"two {what} have this {pointer[1:]}"
    errors += [
        FieldError(pointer=entry.locate(pointer), code="DUPLICATE", detail=detail)
        for entry, each in built
        if counted[name_of(each)] > 1
    ]
    if errors:
        msg = f"the document does not describe its {what} rightly; errors lists every place"
        raise SchemaViolation(msg, errors=tuple(errors))
    return built


def _read_errors(entry: Entry | ListEntry, wrong: ValidationError) -> list[FieldError]:
    return [
        FieldError(
            pointer=entry.locate("".join(f"/{part}" for part in error["loc"])),
            code=error["type"].upper().replace("_", "-"),
            detail=error["msg"],
        )
        for error in wrong.errors(include_url=False, include_input=False)
    ]


def _place(entry: Entry | ListEntry, wrong: ShuzhengError) -> list[FieldError]:
    if not wrong.errors:
        return [FieldError(pointer=entry.locate("/code"), code=wrong.code, detail=wrong.detail)]
    return [replace(each, pointer=entry.locate(each.pointer)) for each in wrong.errors]
