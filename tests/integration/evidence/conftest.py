"""Fixtures of evidence tests."""

from __future__ import annotations

import pytest

from tests.evidence_world import EvidenceWorld
from tests.hubs import RunningHub


@pytest.fixture
async def world(hub: RunningHub) -> EvidenceWorld:
    """A hub with persons and firms published, and nothing granted yet."""
    return await EvidenceWorld.open(hub)
