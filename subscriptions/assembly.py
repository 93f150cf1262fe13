"""Put the services of subscriptions together, and their routes: what an application wires in two calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter

import subscriptions.api
import subscriptions.delivery.api
import subscriptions.feed.api
import subscriptions.leads.api
import subscriptions.operations.api
import subscriptions.push.api
from core.database import Database
from core.http.authentication import Authentication
from core.log.writer import LogWriter
from core.settings import Settings
from exchange.access.masks import Masker
from exchange.access.refusal import RefusalLog
from exchange.verify.receipts import BatchReceiptIssuer
from signing.merkle.receipts_async import Batcher
from signing.signer import Signer
from subscriptions.cursor import CursorSeal
from subscriptions.delivery.acknowledge import Acknowledger
from subscriptions.delivery.keeper import DeliveryKeeper
from subscriptions.delivery.manifest import ManifestMaker
from subscriptions.feed.load import PageLoader
from subscriptions.feed.read import FeedReader
from subscriptions.feed.replay import LakeReplay
from subscriptions.feed.wake import Waker
from subscriptions.ground import Grounds
from subscriptions.lake.place import find_place
from subscriptions.leads.keeper import LeadKeeper
from subscriptions.leads.service import LeadService
from subscriptions.operations.service import OperationsService
from subscriptions.push.assembly import PushServices
from subscriptions.push.assembly import assemble as assemble_push
from subscriptions.service import SubscriptionService


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionServices:
    """Everything that subscriptions need in a running hub."""

    subscriptions: SubscriptionService
    feed: FeedReader
    acknowledger: Acknowledger
    waker: Waker
    refusals: RefusalLog
    push: PushServices
    leads: LeadService
    lead_keeper: LeadKeeper
    operations: OperationsService
    delivery_keeper: DeliveryKeeper
    now: Callable[[], datetime]

    @property
    def background(self) -> dict[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run as long as the hub does, by name."""
        return {
            "waker": self.waker.run,
            "pusher": self.push.pusher.run,
            "lead-keeper": self.lead_keeper.run,
            "delivery-keeper": self.delivery_keeper.run,
        }


def assemble(
    *,
    database: Database,
    database_url: str | None,
    log: LogWriter,
    refusals: RefusalLog,
    masker: Masker,
    batcher: Batcher,
    derive_key: Callable[[str], bytes],
    signer: Signer,
    certificate_pem: str,
    settings: Settings,
    now: Callable[[], datetime],
) -> SubscriptionServices:
    """Build the services. `database_url` is for the connection that listens; None: nobody does.

    `signer` signs what webhooks get; `certificate_pem` is its certificate.
    """
    seal = CursorSeal(derive_key("cursor")[:16])
    waker, grounds = Waker(database_url), Grounds()
    service = SubscriptionService(
        database=database, log=log, refusals=refusals, seal=seal, grounds=grounds, now=now
    )
    feed = FeedReader(
        database=database,
        log=log,
        refusals=refusals,
        seal=seal,
        masker=masker,
        manifests=ManifestMaker(signer=BatchReceiptIssuer(batcher), now=now),
        loader=PageLoader(replay=LakeReplay(place=find_place(settings))),
        grounds=grounds,
        waker=waker,
        now=now,
    )
    return SubscriptionServices(
        subscriptions=service,
        feed=feed,
        leads=LeadService(
            database=database, log=log, refusals=refusals, subscriptions=service, feed=feed, now=now
        ),
        operations=OperationsService(database=database, now=now),
        delivery_keeper=DeliveryKeeper(
            database=database, log=log, keep_days=settings.delivery_retention_days, now=now
        ),
        lead_keeper=LeadKeeper(database=database, log=log, seal=seal, waker=waker, now=now),
        now=now,
        push=assemble_push(
            database=database,
            log=log,
            refusals=refusals,
            subscriptions=service,
            feed=feed,
            waker=waker,
            secret_key=derive_key("target"),
            signer=signer,
            certificate_pem=certificate_pem,
            settings=settings,
            now=now,
        ),
        acknowledger=Acknowledger(
            database=database, log=log, refusals=refusals, seal=seal, grounds=grounds, now=now
        ),
        waker=waker,
        refusals=refusals,
    )


def build_routers(services: SubscriptionServices, *, authentication: Authentication) -> list[APIRouter]:
    """Build the routes of all rooms."""
    return [
        subscriptions.api.build_router(
            subscriptions=services.subscriptions, refusals=services.refusals, authentication=authentication
        ),
        subscriptions.feed.api.build_router(
            feed=services.feed, refusals=services.refusals, authentication=authentication
        ),
        subscriptions.delivery.api.build_router(
            subscriptions=services.subscriptions,
            acknowledger=services.acknowledger,
            authentication=authentication,
        ),
        subscriptions.push.api.build_router(
            targets=services.push.targets,
            refusals=services.refusals,
            authentication=authentication,
            key_id=services.push.key_id,
            certificate_pem=services.push.certificate_pem,
        ),
        subscriptions.operations.api.build_router(
            operations=services.operations, authentication=authentication
        ),
        subscriptions.leads.api.build_router(
            leads=services.leads,
            refusals=services.refusals,
            authentication=authentication,
            now=services.now,
        ),
    ]
