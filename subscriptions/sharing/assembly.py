"""Put the parts of sharing together."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter

import subscriptions.sharing.api
import subscriptions.sharing.api_profiles
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from core.objects import ObjectStore
from core.settings import Settings
from exchange.access.masks import Masker
from exchange.access.refusal import RefusalLog
from subscriptions.lake.place import LakePlace
from subscriptions.sharing.access import Doorkeeper
from subscriptions.sharing.files import FileService
from subscriptions.sharing.keeper import ShareKeeper
from subscriptions.sharing.maker import FileMaker
from subscriptions.sharing.profiles import ProfileService
from subscriptions.sharing.service import SharingService


@dataclass(frozen=True, slots=True, kw_only=True)
class SharingServices:
    """Everything of Delta Sharing in a running hub."""

    profiles: ProfileService
    doorkeeper: Doorkeeper
    sharing: SharingService
    files: FileService
    keeper: ShareKeeper
    refusals: RefusalLog
    endpoint: str

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """What runs as long as the hub: name → coroutine function."""
        return {"share keeper": self.keeper.run}


def assemble(
    *,
    settings: Settings,
    database: Database,
    objects: ObjectStore,
    log: LogWriter,
    refusals: RefusalLog,
    masker: Masker,
    place: LakePlace,
    derive_key: Callable[[str], bytes],
    now: Callable[[], datetime],
) -> SharingServices:
    """Build the services; `derive_key` gives keys by use."""
    endpoint = f"{settings.resolve_public_url()}{subscriptions.sharing.api.PREFIX}"
    profiles = ProfileService(
        database=database,
        log=log,
        refusals=refusals,
        key=derive_key("share-profile"),
        life=timedelta(days=settings.share_profile_days),
        now=now,
    )
    doorkeeper = Doorkeeper(database=database, refusals=refusals, profiles=profiles, now=now)
    return SharingServices(
        profiles=profiles,
        doorkeeper=doorkeeper,
        sharing=SharingService(
            database=database,
            log=log,
            refusals=refusals,
            doorkeeper=doorkeeper,
            maker=FileMaker(database=database, objects=objects, now=now),
            masker=masker,
            place=place,
            now=now,
        ),
        files=FileService(
            database=database,
            objects=objects,
            doorkeeper=doorkeeper,
            key=derive_key("share-file"),
            base_url=f"{endpoint}/files",
            life=timedelta(seconds=settings.share_url_ttl_s),
            now=now,
        ),
        keeper=ShareKeeper(
            database=database, objects=objects, keep=timedelta(days=settings.lake_retention_days), now=now
        ),
        refusals=refusals,
        endpoint=endpoint,
    )


def build_routers(services: SharingServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes."""
    return [
        subscriptions.sharing.api_profiles.build_router(
            profiles=services.profiles,
            refusals=services.refusals,
            authentication=authentication,
            endpoint=services.endpoint,
        ),
        subscriptions.sharing.api.build_router(
            sharing=services.sharing,
            files=services.files,
            doorkeeper=services.doorkeeper,
            authentication=authentication,
        ),
    ]
