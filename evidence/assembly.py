"""Put the services of the material engine together, and their routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter

import evidence.cases.api
import evidence.commitments.api
import evidence.rules.api
import evidence.rules.examples_api
import evidence.workbook.api
from certs.assembly import CertificateServices
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from evidence.assembly_credit import CreditServices, assemble_credit, build_credit_router
from evidence.assembly_duties import Duties, assemble_duties
from evidence.assembly_office import OfficeServices, assemble_office, build_office_routers
from evidence.cases.copies import CopyMaker
from evidence.cases.resolve import Resolver
from evidence.cases.reuse import ReuseDesk
from evidence.cases.saving import CaseSaver
from evidence.cases.sealing import OrderSeal
from evidence.cases.service import EvidenceService
from evidence.commitments.inquiries import InquiryDesk
from evidence.commitments.service import UndertakingService
from evidence.rules.service import RuleService
from evidence.sources.reader import HubSources
from evidence.sources.together import TogetherReader
from exchange.access.refusal import RefusalLog
from exchange.assembly import ExchangeServices
from exchange.verify.model import ReceiptIssuer
from exchange.verify.receipts import BatchReceiptIssuer
from signing.merkle.receipts_async import Batcher
from signing.trust import TrustPolicy

CASES_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceServices:
    """Everything that the material engine needs in a running hub."""

    rules: RuleService
    cases: EvidenceService
    undertakings: UndertakingService
    inquiries: InquiryDesk
    credit: CreditServices
    duties: Duties
    office: OfficeServices
    refusals: RefusalLog

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run as long as the hub does, by name."""
        return self.duties.background | {
            "breaches": self.credit.breaches.run,
            "cascade": self.office.follower.run,
        }


def assemble(
    *,
    database: Database,
    log: LogWriter,
    exchange: ExchangeServices,
    certificates: CertificateServices,
    batcher: Batcher,
    derive_key: Callable[[str], bytes],
    limit_s: float,
    interval_s: float,
    spool_dir: Path,
    trust: Callable[[], Awaitable[TrustPolicy]],
    now: Callable[[], datetime],
) -> EvidenceServices:
    """Build the services. `limit_s` is how long a case may wait for its sources, `interval_s` how
    often open undertakings are verified, and breaches published.
    """
    rules = RuleService(database=database, log=log, now=now)
    sources = HubSources(query=exchange.query, verify=exchange.verify, held=certificates.held, now=now)
    resolver = Resolver(sources=sources, limit_s=limit_s)
    seal = OrderSeal(derive_key("evidence-order"))
    undertakings = UndertakingService(
        database=database, log=log, rules=rules, seal=seal, trust=trust, now=now
    )
    inquiries = InquiryDesk(database=database, log=log, seal=seal, now=now)
    reuse = ReuseDesk(log=log, now=now)
    receipts = BatchReceiptIssuer(batcher)
    saver = CaseSaver(
        log=log,
        reuse=reuse,
        undertakings=undertakings,
        inquiries=inquiries,
        seal=seal,
        mark_key=derive_key("evidence-mark"),
    )
    return EvidenceServices(
        rules=rules,
        cases=_assemble_cases(
            exchange,
            certificates,
            database=database,
            log=log,
            rules=rules,
            resolver=resolver,
            sources=sources,
            reuse=reuse,
            saver=saver,
            receipts=receipts,
            now=now,
        ),
        undertakings=undertakings,
        inquiries=inquiries,
        duties=assemble_duties(
            database=database,
            log=log,
            rules=rules,
            resolver=resolver,
            saver=saver,
            seal=seal,
            interval_s=interval_s,
            now=now,
        ),
        office=assemble_office(
            database=database, log=log, rules=rules, receipts=receipts, lag_s=limit_s + 5.0, now=now
        ),
        credit=assemble_credit(
            database=database,
            log=log,
            now=now,
            publisher=exchange.publisher,
            seal=seal,
            spool_dir=spool_dir,
            interval_s=interval_s,
        ),
        refusals=exchange.refusals,
    )


def _assemble_cases(
    exchange: ExchangeServices,
    certificates: CertificateServices,
    *,
    database: Database,
    log: LogWriter,
    rules: RuleService,
    resolver: Resolver,
    sources: HubSources,
    reuse: ReuseDesk,
    saver: CaseSaver,
    receipts: ReceiptIssuer,
    now: Callable[[], datetime],
) -> EvidenceService:
    together = TogetherReader(
        query=exchange.query,
        verify=exchange.verify,
        held=certificates.held,
        grounds=exchange.grounds,
        now=now,
    )
    return EvidenceService(
        database=database,
        log=log,
        rules=rules,
        resolver=resolver,
        together=together,
        apart=sources,
        reuse=reuse,
        copies=CopyMaker(copies=certificates.copies, now=now),
        saver=saver,
        receipts=receipts,
        at_once=CASES_AT_ONCE,
        now=now,
    )


def build_busy_routers(services: EvidenceServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes of evidence requests. Routes are tried in order: let these come first."""
    return [
        evidence.cases.api.build_busy_router(
            evidence=services.cases, refusals=services.refusals, authentication=authentication
        )
    ]


def build_routers(services: EvidenceServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes of all rooms."""
    return [
        evidence.workbook.api.build_router(rules=services.rules, authentication=authentication),
        evidence.rules.api.build_router(rules=services.rules, authentication=authentication),
        evidence.commitments.api.build_router(
            undertakings=services.undertakings,
            inquiries=services.inquiries,
            refusals=services.refusals,
            authentication=authentication,
        ),
        build_credit_router(services.credit, authentication=authentication),
        evidence.cases.api.build_router(evidence=services.cases, authentication=authentication),
        *build_office_routers(services.office, authentication=authentication),
        evidence.rules.examples_api.build_router(rules=services.rules, authentication=authentication),
    ]
