"""Put together what offices and those above them use beside the cases themselves, and its routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import evidence.cascade.api
import evidence.counters.api
import evidence.gaps.api
import evidence.proof.api
from certs.ofd.font_search import load_fonts
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from evidence.cascade.find import Finder
from evidence.cascade.follower import Follower
from evidence.cascade.service import CascadeService
from evidence.counters.service import CounterService
from evidence.gaps.service import GapService
from evidence.proof.service import ProofService
from evidence.rules.service import RuleService
from exchange.verify.model import ReceiptIssuer


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeServices:
    """What offices and those above them use."""

    gaps: GapService
    proof: ProofService
    counters: CounterService
    cascade: CascadeService
    follower: Follower


def assemble_office(
    *,
    database: Database,
    log: LogWriter,
    rules: RuleService,
    receipts: ReceiptIssuer,
    lag_s: float,
    now: Callable[[], datetime],
) -> OfficeServices:
    """Build the services. `lag_s`: a version is followed that long after it was published."""
    finder = Finder(log=log, rules=rules)
    return OfficeServices(
        gaps=GapService(database=database, rules=rules, now=now),
        proof=ProofService(
            database=database, log=log, rules=rules, receipts=receipts, fonts=load_fonts, now=now
        ),
        counters=CounterService(database=database, now=now),
        cascade=CascadeService(database=database, log=log, finder=finder, now=now),
        follower=Follower(database=database, log=log, finder=finder, lag_s=lag_s, now=now),
    )


def build_office_routers(services: OfficeServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes."""
    return [
        evidence.gaps.api.build_router(gaps=services.gaps, authentication=authentication),
        evidence.proof.api.build_router(proof=services.proof, authentication=authentication),
        evidence.counters.api.build_router(counters=services.counters, authentication=authentication),
        evidence.cascade.api.build_router(cascade=services.cascade, authentication=authentication),
    ]
