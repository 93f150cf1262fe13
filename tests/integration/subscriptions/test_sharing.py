"""Sharing over a directory."""

from __future__ import annotations

from tests.hubs import RunningHub
from tests.sharing_behaviour import FIRST, SharingBehaviour
from tests.sharing_world import open_sharing_world


class TestSharingOverADirectory(SharingBehaviour):
    """The behaviour suite over a directory."""


async def test_table_that_is_not_written_yet_is_unavailable_and_not_an_error(hub: RunningHub) -> None:
    hub.services.lake.writer._default = "off"
    world = await open_sharing_world(hub)
    for method, path in (("GET", "/version"), ("POST", "/query")):
        answer = await world.call(method, path, **({"json": {}} if method == "POST" else {}))
        assert answer.status_code == 503, answer.text


async def test_suspended_system_stops_its_profiles(hub: RunningHub) -> None:
    world = await open_sharing_world(hub)
    await world.publish(FIRST)
    async with hub.services.database.transaction() as connection:
        await connection.execute(
            "UPDATE core.system SET status = 'suspended' WHERE organisation_code = $1",
            hub.members["police"].code,
        )
    assert (await world.call("POST", "/query", json={})).status_code == 401
