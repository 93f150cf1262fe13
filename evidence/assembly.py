"""Put the services of the material engine together, and their routes."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import evidence.rules.api
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from evidence.rules.service import RuleService


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceServices:
    """Everything that the material engine needs in a running hub."""

    rules: RuleService

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run as long as the hub does, by name."""
        return {}


def assemble(*, database: Database, log: LogWriter, now: Callable[[], datetime]) -> EvidenceServices:
    """Build the services."""
    return EvidenceServices(rules=RuleService(database=database, log=log, now=now))


def build_routers(services: EvidenceServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes of all rooms."""
    return [evidence.rules.api.build_router(rules=services.rules, authentication=authentication)]
