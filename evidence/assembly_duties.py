"""Put together what the hub does for open cases by itself."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime

from core.database import Database
from core.log.writer import LogWriter
from evidence.cascade.rechecker import Rechecker
from evidence.cases.resolve import Resolver
from evidence.cases.saving import CaseSaver
from evidence.cases.sealing import OrderSeal
from evidence.commitments.verifier import Verifier
from evidence.rules.service import RuleService


@dataclass(frozen=True, slots=True, kw_only=True)
class Duties:
    """Undertakings are verified, and facts checked again where their source has changed."""

    verifier: Verifier
    rechecker: Rechecker

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run as long as the hub does, by name."""
        return {"evidence": self.verifier.run, "rechecks": self.rechecker.run}


def assemble_duties(
    *,
    database: Database,
    log: LogWriter,
    rules: RuleService,
    resolver: Resolver,
    saver: CaseSaver,
    seal: OrderSeal,
    interval_s: float,
    now: Callable[[], datetime],
) -> Duties:
    """Build the duties; each asks its sources again every `interval_s` seconds."""
    return Duties(
        verifier=Verifier(
            database=database,
            log=log,
            rules=rules,
            resolver=resolver,
            seal=seal,
            interval_s=interval_s,
            now=now,
        ),
        rechecker=Rechecker(
            database=database,
            log=log,
            rules=rules,
            resolver=resolver,
            saver=saver,
            seal=seal,
            interval_s=interval_s,
            now=now,
        ),
    )
