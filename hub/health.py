"""Liveness and readiness."""

from collections.abc import Callable

from fastapi import APIRouter

from core.errors import Unavailable
from hub.services import Services


def build_router(current: Callable[[], Services | None]) -> APIRouter:
    """Build the routes; `current` returns the services, or None before they are open."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @router.get("/readyz")
    async def readyz() -> dict[str, str]:
        """The process can serve: the database answers."""
        services = current()
        if services is None:
            msg = "the hub is starting or stopping"
            raise Unavailable(msg)
        async with services.database.acquire() as connection:
            await connection.execute("SELECT 1")
        return {"status": "ready"}

    return router
