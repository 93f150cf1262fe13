"""Put the services of the exchange together, and their routes: what an application wires in two calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import exchange.access.api
import exchange.access.grants_api
import exchange.access.rules_api
import exchange.catalogue.api
import exchange.codes.api
import exchange.elements.api
import exchange.evolution.api
import exchange.guard.api
import exchange.interchange.api
import exchange.notices.api
import exchange.objections.api
import exchange.publish.api
import exchange.quality.api
import exchange.query.api
import exchange.verify.api
from core.database import Database
from core.http.authentication import Authentication
from core.log.group import LeafGroup
from core.log.writer import LogWriter
from core.settings import Settings
from exchange.access.grants import GrantService
from exchange.access.ground import GroundReader
from exchange.access.masks import Masker
from exchange.access.refusal import RefusalLog
from exchange.access.rules import RuleService
from exchange.access.service import AccessService
from exchange.catalogue.service import CatalogueService
from exchange.codes.service import CodeListService
from exchange.elements.service import ElementService
from exchange.evolution.model import LoadFollowers
from exchange.evolution.service import EvolutionService
from exchange.evolution.takeover import Takeover
from exchange.guard.desk import GuardDesk
from exchange.guard.gate import Gate
from exchange.guard.service import Guard
from exchange.housekeeping import Housekeeper
from exchange.interchange.service import InterchangeService
from exchange.notices.service import NoticeService
from exchange.objections.corrections import CorrectionService
from exchange.objections.service import ObjectionService
from exchange.publish.publish import PublishService
from exchange.publish.quarantine import Quarantine
from exchange.quality.service import QualityService
from exchange.query.cursor import CursorSeal
from exchange.query.reading import QuestionReader
from exchange.query.service import QueryService
from exchange.search.service import SearchService
from exchange.verify.receipts import BatchReceiptIssuer
from exchange.verify.service import VerifyService
from signing.merkle.receipts_async import Batcher


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeServices:
    """Everything that datasets need in a running hub."""

    catalogue: CatalogueService
    search: SearchService
    evolution: EvolutionService
    interchange: InterchangeService
    elements: ElementService
    codes: CodeListService
    publisher: PublishService
    quarantine: Quarantine
    quality: QualityService
    refusals: RefusalLog
    access: AccessService
    grants: GrantService
    rules: RuleService
    notices: NoticeService
    grounds: GroundReader
    query: QueryService
    verify: VerifyService
    objections: ObjectionService
    corrections: CorrectionService
    guard: Guard
    guard_desk: GuardDesk
    housekeeper: Housekeeper
    masker: Masker

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run as long as the hub does, by name."""
        return {"guard": self.guard.run, "housekeeper": self.housekeeper.run}


def assemble(
    *,
    database: Database,
    log: LogWriter,
    batcher: Batcher,
    derive_key: Callable[[str], bytes],
    now: Callable[[], datetime],
    followers: LoadFollowers,
    public_url: str,
    catalogue_review: bool = False,
) -> ExchangeServices:
    """Build the services.

    `batcher` signs the receipts of verifications, `derive_key` gives keys by use, `followers` loads
    subscriptions.
    """
    gate = Gate(database=database, now=now)
    guard = Guard(database=database, log=log, gate=gate, key=derive_key("guard"), now=now)
    refusals = RefusalLog(database=database, log=log, gate=gate)
    masker = Masker(derive_key("mask"))
    grounds = GroundReader()
    query, verify = _assemble_answers(
        database=database,
        log=log,
        refusals=refusals,
        grounds=grounds,
        masker=masker,
        cursors=CursorSeal(derive_key("query-cursor")),
        receipts=BatchReceiptIssuer(batcher),
        watcher=guard,
        now=now,
    )
    objections = ObjectionService(database=database, log=log, refusals=refusals, now=now)
    catalogue, evolution = _assemble_catalogue(
        database=database, log=log, now=now, followers=followers, review=catalogue_review
    )
    codes = CodeListService(database=database, log=log, now=now)
    return ExchangeServices(
        catalogue=catalogue,
        search=SearchService(database=database),
        evolution=evolution,
        elements=ElementService(database=database, log=log, catalogue=catalogue, now=now),
        codes=codes,
        interchange=InterchangeService(
            database=database,
            catalogue=catalogue,
            evolution=evolution,
            codes=codes,
            public_url=public_url,
            now=now,
        ),
        publisher=PublishService(database=database, log=log),
        quarantine=Quarantine(database=database, log=log),
        quality=QualityService(database=database, log=log, now=now),
        refusals=refusals,
        access=AccessService(database=database, log=log, refusals=refusals, now=now),
        grants=GrantService(database=database, log=log, now=now),
        rules=RuleService(database=database, log=log),
        notices=NoticeService(database=database, now=now),
        grounds=grounds,
        query=query,
        verify=verify,
        objections=objections,
        corrections=CorrectionService(database=database, log=log, refusals=refusals, masker=masker, now=now),
        guard=guard,
        guard_desk=GuardDesk(database=database, log=log, gate=gate, now=now),
        housekeeper=Housekeeper(database=database, log=log, objections=objections, now=now),
        masker=masker,
    )


def _assemble_catalogue(
    *,
    database: Database,
    log: LogWriter,
    now: Callable[[], datetime],
    followers: LoadFollowers,
    review: bool,
) -> tuple[CatalogueService, EvolutionService]:
    takeover = Takeover(log=log, now=now)
    catalogue = CatalogueService(database=database, log=log, now=now, on_takeover=takeover, review=review)
    evolution = EvolutionService(
        database=database, log=log, catalogue=catalogue, now=now, followers=followers
    )
    return catalogue, evolution


def _assemble_answers(
    *,
    database: Database,
    log: LogWriter,
    refusals: RefusalLog,
    grounds: GroundReader,
    masker: Masker,
    cursors: CursorSeal,
    receipts: BatchReceiptIssuer,
    watcher: Guard,
    now: Callable[[], datetime],
) -> tuple[QueryService, VerifyService]:
    leaves = LeafGroup(database=database, log=log)
    query = QueryService(
        database=database,
        log=log,
        leaves=leaves,
        refusals=refusals,
        grounds=grounds,
        reader=QuestionReader(log=log, masker=masker, cursors=cursors, watcher=watcher),
        now=now,
    )
    verify = VerifyService(
        database=database,
        log=log,
        leaves=leaves,
        refusals=refusals,
        receipts=receipts,
        grounds=grounds,
        watcher=watcher,
        now=now,
    )
    return query, verify


def build_busy_routers(services: ExchangeServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes of query and verification. Routes are tried in order: let these come first."""
    return [
        exchange.query.api.build_router(
            query=services.query, refusals=services.refusals, authentication=authentication
        ),
        exchange.verify.api.build_router(
            verify=services.verify, refusals=services.refusals, authentication=authentication
        ),
    ]


def build_routers(
    services: ExchangeServices, *, settings: Settings, authentication: Authentication
) -> list[APIRouter]:
    """Build the routes of all other rooms; the catalogue's last, whose paths are the most general."""
    return [
        exchange.publish.api.build_router(
            publisher=services.publisher,
            quarantine=services.quarantine,
            settings=settings,
            authentication=authentication,
        ),
        exchange.quality.api.build_router(
            quality=services.quality, publisher=services.publisher, authentication=authentication
        ),
        exchange.access.api.build_router(access=services.access, authentication=authentication),
        exchange.access.grants_api.build_router(
            access=services.access, grants=services.grants, authentication=authentication
        ),
        exchange.access.rules_api.build_router(rules=services.rules, authentication=authentication),
        exchange.notices.api.build_router(notices=services.notices, authentication=authentication),
        exchange.objections.api.build_router(
            objections=services.objections,
            corrections=services.corrections,
            refusals=services.refusals,
            authentication=authentication,
        ),
        exchange.guard.api.build_router(desk=services.guard_desk, authentication=authentication),
        exchange.elements.api.build_router(elements=services.elements, authentication=authentication),
        exchange.codes.api.build_router(codes=services.codes, authentication=authentication),
        exchange.interchange.api.build_router(
            interchange=services.interchange, authentication=authentication
        ),
        exchange.evolution.api.build_router(evolution=services.evolution, authentication=authentication),
        exchange.catalogue.api.build_router(
            catalogue=services.catalogue, search=services.search, authentication=authentication
        ),
    ]
