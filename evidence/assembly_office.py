"""Put together what offices and those above them use beside the cases themselves, and its routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import evidence.gaps.api
from core.database import Database
from core.http.authentication import Authentication
from evidence.gaps.service import GapService
from evidence.rules.service import RuleService


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeServices:
    """What offices and those above them use."""

    gaps: GapService


def assemble_office(
    *,
    database: Database,
    rules: RuleService,
    now: Callable[[], datetime],
) -> OfficeServices:
    """Build the services."""
    return OfficeServices(gaps=GapService(database=database, rules=rules, now=now))


def build_office_routers(services: OfficeServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes."""
    return [evidence.gaps.api.build_router(gaps=services.gaps, authentication=authentication)]
