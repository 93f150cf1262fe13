"""The lake on a directory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from core.database import Database
from core.settings import Settings
from tests.lake_behaviour import LakeBehaviour, LakeWorld, open_lake_world


class TestLakeInADirectory(LakeBehaviour):
    """The behaviour suite over a directory."""

    @pytest.fixture
    async def lake(self, database: Database, hub_settings: Settings) -> AsyncIterator[LakeWorld]:
        async with open_lake_world(database, hub_settings) as opened:
            yield opened
