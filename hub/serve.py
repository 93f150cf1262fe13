"""Running the hub as a process: the embedded database where none is named, then uvicorn."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import uvicorn
from pydantic import SecretStr
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core import memory
from core.database.embedded import start_embedded
from core.settings import Settings
from hub.app import create_app
from hub.keys import open_master_key
from signing.errors import ShuzhengError

SWITCH_INTERVAL_S: Final = 0.001
GC_ALLOCATIONS: Final = 10_000


class PlainStart:
    """Lets a hub that cannot start say why in a sentence: errors of ours come without their traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, but hold a failed start back until its reason is known."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        failed: list[Message] = []

        async def hold(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failed.append(message)
                return
            if message["type"] == "lifespan.startup.complete":
                settle_process()
            await send(message)

        try:
            await self._app(scope, receive, hold)
        except ShuzhengError as error:
            sentence = f"{error.title} ({error.code}): {error.detail}"
            failed = [{**message, "message": sentence} for message in failed]
            raise
        finally:
            for message in failed:
                await send(message)


def settle_process() -> None:
    """Keep a process from pausing: for the garbage collector, or for its own threads.

    Some hundred thousand objects stay as long as the process does; a full round over them takes a tenth of a
    second and more, in which no call is answered. A round over the young comes after several calls, not
    several times in each: by then nearly all of them are gone without it. And whoever computes in a thread
    gives way to the calls after a millisecond, not after five.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, *gc.get_threshold()[1:])
    sys.setswitchinterval(SWITCH_INTERVAL_S)


def app_from_environment() -> ASGIApp:
    """Build the application from the environment; what each worker process calls."""
    memory.share_arenas()
    return PlainStart(create_app(Settings()))


@contextmanager
def database_for(settings: Settings) -> Iterator[Settings]:
    """Yield settings that name a database: their own, or the embedded one, running until the block ends."""
    if settings.database_url is not None:
        yield settings
        return
    server = start_embedded(settings.home / "pg")
    try:
        yield settings.model_copy(update={"database_url": SecretStr(server.url)})
    finally:
        server.stop()


def serve(settings: Settings) -> None:
    """Run the hub until SIGTERM or SIGINT; open requests then get `graceful_stop_s`."""
    # uvicorn raises the signal again once it has stopped; the embedded database has to be stopped after that.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    with database_for(settings) as ready:
        open_master_key(ready)
        assert ready.database_url is not None
        os.environ |= _environment_of(ready)
        uvicorn.run(
            "hub.serve:app_from_environment",
            factory=True,
            host=ready.host,
            port=ready.port,
            workers=ready.workers,
            loop="uvloop",
            http="httptools",
            timeout_graceful_shutdown=ready.graceful_stop_s,
            server_header=False,
            proxy_headers=False,  # `trusted_proxies` decides whose X-Forwarded-For is believed
            log_level="warning",
            access_log=False,
        )


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _environment_of(settings: Settings) -> dict[str, str]:
    """Write down for the workers what this process decided."""
    assert settings.database_url is not None
    return {
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_HOME": str(settings.home.resolve()),
        "SHUZHENG_HOST": settings.host,
        "SHUZHENG_PORT": str(settings.port),
    }
