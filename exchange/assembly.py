"""Put the services of the exchange together, and their routes: what an application wires in two calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import exchange.access.api
import exchange.catalogue.api
import exchange.publish.api
import exchange.quality.api
import exchange.query.api
import exchange.verify.api
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from core.settings import Settings
from exchange.access.refusal import RefusalLog
from exchange.access.service import AccessService
from exchange.catalogue.service import CatalogueService
from exchange.publish.publish import PublishService
from exchange.publish.quarantine import Quarantine
from exchange.quality.service import QualityService
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
    publisher: PublishService
    quarantine: Quarantine
    quality: QualityService
    refusals: RefusalLog
    access: AccessService
    query: QueryService
    verify: VerifyService


def assemble(
    *,
    database: Database,
    log: LogWriter,
    batcher: Batcher,
    now: Callable[[], datetime],
    catalogue_review: bool = False,
) -> ExchangeServices:
    """Build the services; `batcher` signs the receipts of verifications."""
    refusals = RefusalLog(database=database, log=log)
    return ExchangeServices(
        catalogue=CatalogueService(database=database, log=log, now=now, review=catalogue_review),
        search=SearchService(database=database),
        publisher=PublishService(database=database, log=log),
        quarantine=Quarantine(database=database, log=log),
        quality=QualityService(database=database, log=log, now=now),
        refusals=refusals,
        access=AccessService(database=database, log=log, refusals=refusals, now=now),
        query=QueryService(database=database, log=log, refusals=refusals, now=now),
        verify=VerifyService(
            database=database, log=log, refusals=refusals, receipts=BatchReceiptIssuer(batcher), now=now
        ),
    )


def build_routers(
    services: ExchangeServices, *, settings: Settings, authentication: Authentication
) -> list[APIRouter]:
    """Build the routes of all rooms; the catalogue's last, whose paths are the most general."""
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
        exchange.query.api.build_router(
            query=services.query, refusals=services.refusals, authentication=authentication
        ),
        exchange.verify.api.build_router(
            verify=services.verify, refusals=services.refusals, authentication=authentication
        ),
        exchange.catalogue.api.build_router(
            catalogue=services.catalogue, search=services.search, authentication=authentication
        ),
    ]
