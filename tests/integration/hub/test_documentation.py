"""The page that describes the API needs nothing from outside the hub."""

from __future__ import annotations

import re

from tests.hubs import RunningHub


async def test_documentation_names_no_other_host_and_its_files_are_there(hub: RunningHub) -> None:
    page = await hub.client.get("/docs")
    assert page.status_code == 200
    places = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(places) == 3
    for place in places:
        assert place.startswith("/docs/assets/")
        assert (await hub.client.get(place)).status_code == 200


async def test_openapi_describes_every_version_1_route(hub: RunningHub) -> None:
    document = (await hub.client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    routes = {route.path for route in hub.app.routes if getattr(route, "path", "").startswith("/v1/")}  # type: ignore[attr-defined]
    assert {re.sub(r":\w+}", "}", route) for route in routes} <= set(document["paths"])
