"""Put the parts of the lake together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.database import Database
from core.log.writer import LogWriter
from core.settings import Settings
from subscriptions.lake.place import LakePlace, find_place
from subscriptions.lake.service import LakeService
from subscriptions.lake.station import LakeStation
from subscriptions.lake.upkeep import LakeKeeper
from subscriptions.lake.writer import LakeWriter


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeServices:
    """Everything of the lake in a running hub."""

    place: LakePlace
    service: LakeService
    writer: LakeWriter
    keeper: LakeKeeper
    station: LakeStation

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as the hub: name → coroutine function."""
        return {"lake writer": self.writer.run, "lake keeper": self.keeper.run}


def assemble(
    *, settings: Settings, database: Database, log: LogWriter, now: Callable[[], datetime]
) -> LakeServices:
    """Build the services."""
    place, keep = find_place(settings), timedelta(days=settings.lake_retention_days)
    writer = LakeWriter(
        database=database,
        log=log,
        place=place,
        spool_dir=settings.spool_dir,
        default=settings.lake,
        interval_s=settings.lake_interval_s,
        keep=keep,
        now=now,
    )
    return LakeServices(
        place=place,
        service=LakeService(database=database, log=log, default=settings.lake, now=now),
        writer=writer,
        keeper=LakeKeeper(database=database, log=log, place=place, writer=writer, keep=keep, now=now),
        station=LakeStation(place=place, spool_dir=settings.spool_dir),
    )
