"""Fixtures of push: a world whose consumer is a registered system, the feed over it, a receiver."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.caller import Scope
from core.database import Database
from core.identity import store as identity_store
from core.identity.model import System
from tests.exchange_world import World, open_world
from tests.integration.subscriptions.feed_world import Feed, open_feed
from tests.integration.subscriptions.receiver import Receiver, running_receiver


@pytest.fixture
async def world(database: Database) -> World:
    return await build_push_world(database)


async def build_push_world(database: Database) -> World:
    """Set the world up, its consumer registered as a system."""
    world = await open_world(database)
    async with database.transaction() as connection:
        system = System(
            id=world.consumer.system_id,
            organisation_code=world.consumer.organisation_code,
            name="业务系统",
            scopes=frozenset(Scope) - {Scope.ADMIN, Scope.AUDIT, Scope.SEAL_MANAGE},
        )
        await identity_store.save_system(connection, system=system)
    return world


@pytest.fixture
async def feed(world: World) -> AsyncIterator[Feed]:
    async with open_feed(world) as opened:
        yield opened


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running
