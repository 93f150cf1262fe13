"""Put together what publishing needs around its service: uploads, single rows, accounting, pruning."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter

import exchange.accounting.api
import exchange.publish.rows_api
import exchange.publish.upload_api
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from core.objects import ObjectStore
from core.settings import Settings
from exchange.accounting.accountant import Accountant
from exchange.accounting.reconcile import FurtherStation, ReconcileService
from exchange.publish.publish import PublishService
from exchange.publish.retention import Needed, Retention
from exchange.publish.rows import RowWriter
from exchange.publish.uploads import UploadService


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeServices:
    """What takes data in beside whole batches, and keeps account of it."""

    uploads: UploadService
    rows: RowWriter
    accountant: Accountant
    reconciler: ReconcileService
    retention: Retention

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as the hub: name → coroutine function."""
        return {"accountant": self.accountant.run, "retention": self.retention.run}


def assemble(
    *,
    settings: Settings,
    database: Database,
    objects: ObjectStore,
    log: LogWriter,
    publisher: PublishService,
    needed_after: Needed,
    now: Callable[[], datetime],
    stations: Sequence[FurtherStation] = (),
) -> IntakeServices:
    """Build the services; `needed_after` tells how far all subscribers of a resource have read.

    `stations` are further ones that reconciliation compares with.
    """
    uploads = UploadService(
        database=database,
        objects=objects,
        spool_dir=settings.spool_dir,
        max_bytes=settings.max_batch_bytes,
        now=now,
    )
    accountant = Accountant(
        database=database, spool_dir=settings.spool_dir, interval_s=settings.accounting_interval_s
    )
    return IntakeServices(
        uploads=uploads,
        rows=RowWriter(database=database, publisher=publisher),
        accountant=accountant,
        reconciler=ReconcileService(
            database=database,
            log=log,
            accountant=accountant,
            spool_dir=settings.spool_dir,
            now=now,
            further=stations,
        ),
        retention=Retention(
            database=database,
            log=log,
            uploads=uploads,
            spool_dir=settings.spool_dir,
            keep_days=settings.change_retention_days,
            needed_after=needed_after,
            now=now,
        ),
    )


def build_routers(
    services: IntakeServices,
    *,
    publisher: PublishService,
    settings: Settings,
    authentication: Authentication,
) -> list[APIRouter]:
    """Build the routes."""
    return [
        exchange.publish.upload_api.build_router(
            uploads=services.uploads,
            publisher=publisher,
            part_bytes=settings.max_body_bytes,
            authentication=authentication,
        ),
        exchange.publish.rows_api.build_router(
            writer=services.rows, publisher=publisher, authentication=authentication
        ),
        exchange.accounting.api.build_router(
            reconciler=services.reconciler, publisher=publisher, authentication=authentication
        ),
    ]
