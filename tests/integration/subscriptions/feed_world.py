"""The services of the feed over a world of grants, without HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.caller import Caller, Purpose
from core.settings import Settings
from exchange.access.masks import Masker
from hub.services import utc_now
from signing.merkle.receipts import BatchSigner
from signing.merkle.receipts_async import Batcher
from signing.sm2 import PrivateKey
from subscriptions.assembly import SubscriptionServices, assemble
from subscriptions.feed.page import Page
from subscriptions.feed.read import Wanted
from subscriptions.model import DEFAULT_CONSUMER, Standing, Start
from tests.exchange_world import PURPOSE, World

HUB_KEY = PrivateKey.generate()


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The services, spoken to in the words of the tests."""

    world: World
    services: SubscriptionServices

    async def create(
        self,
        *,
        caller: Caller,
        purpose: Purpose = PURPOSE,
        grant_id: UUID | None = None,
        resource_code: str | None = None,
        start: Start | int = Start.NOW,
    ) -> Standing:
        """Begin a subscription."""
        return await self.services.subscriptions.create(
            caller=caller, purpose=purpose, grant_id=grant_id, resource_code=resource_code, start=start
        )

    async def list_own(self, *, caller: Caller) -> list[Standing]:
        """List consumers with their lag."""
        return await self.services.subscriptions.list_own(caller=caller)

    async def read(
        self,
        *,
        caller: Caller,
        subscription_id: UUID,
        after: str | None = None,
        limit_rows: int = 1000,
        wait_s: float = 0,
        purpose: Purpose = PURPOSE,
        **changes: object,
    ) -> Page:
        """Read a page."""
        wanted = Wanted(
            subscription_id=subscription_id,
            after=after,
            limit_rows=limit_rows,
            **changes,  # type: ignore[arg-type]
        )
        return await self.services.feed.read(caller=caller, purpose=purpose, wanted=wanted, wait_s=wait_s)

    async def acknowledge(
        self,
        *,
        caller: Caller,
        subscription_id: UUID,
        cursor: str,
        consumer: str = DEFAULT_CONSUMER,
        countersignatures: Mapping[UUID, bytes] | None = None,
    ) -> None:
        """Acknowledge up to a cursor."""
        await self.services.acknowledger.acknowledge(
            caller=caller,
            subscription_id=subscription_id,
            consumer=consumer,
            cursor=cursor,
            countersignatures=countersignatures or {},
        )


@asynccontextmanager
async def open_feed(
    world: World,
    *,
    database_url: str | None = None,
    settings: Settings | None = None,
    now: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Feed]:
    """Assemble the services; with `database_url` they may listen for versions."""
    signer = BatchSigner(signer=HUB_KEY, issuer="hub", clock=now)
    async with Batcher(signer, max_wait_ms=0) as batcher:
        services = assemble(
            database=world.database,
            database_url=database_url,
            log=world.log,
            refusals=world.refusals,
            masker=Masker(b"m" * 32),
            batcher=batcher,
            derive_key=lambda label: label.encode().ljust(32, b"."),
            signer=HUB_KEY,
            certificate_pem="",
            settings=settings or Settings(push_networks="127.0.0.0/8"),
            now=now,
        )
        yield Feed(world=world, services=services)
