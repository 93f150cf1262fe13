"""Put together what tells the credit dataset of undertakings, and its routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter

import evidence.credit.api
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from evidence.cases.sealing import OrderSeal
from evidence.credit.dataset import CreditDatasetDesk
from evidence.credit.publisher import BreachPublisher
from evidence.credit.rows import CreditDesk, RowBuilder
from exchange.publish.publish import PublishService


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditServices:
    """What tells the credit dataset of undertakings."""

    desk: CreditDesk
    dataset: CreditDatasetDesk
    breaches: BreachPublisher


def assemble_credit(
    *,
    database: Database,
    log: LogWriter,
    publisher: PublishService,
    seal: OrderSeal,
    spool_dir: Path,
    interval_s: float,
    now: Callable[[], datetime],
) -> CreditServices:
    """Build the services. `interval_s` is how often it is looked for what is to be published."""
    rows = RowBuilder(seal)
    return CreditServices(
        desk=CreditDesk(database=database, log=log, rows=rows),
        dataset=CreditDatasetDesk(database=database, log=log, publisher=publisher, now=now),
        breaches=BreachPublisher(
            database=database,
            log=log,
            publisher=publisher,
            rows=rows,
            spool_dir=spool_dir,
            interval_s=interval_s,
            now=now,
        ),
    )


def build_credit_router(services: CreditServices, *, authentication: Authentication) -> APIRouter:
    """Build the routes."""
    return evidence.credit.api.build_router(
        credit=services.desk, dataset=services.dataset, authentication=authentication
    )
