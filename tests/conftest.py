"""Fixtures that every test may use: one embedded PostgreSQL, fresh databases on it, a running hub."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from core.database import Database
from core.database.embedded import EmbeddedPostgres, start_embedded
from core.database.migrate import apply_migrations, load_migrations
from core.identity import hashing
from core.settings import Settings
from hub.app import create_app
from hub.services import MIGRATED_PACKAGES, Services, open_services
from tests.hubs import RunningHub

ROOMY_BYTES = 8 * 1024**3
_numbers = itertools.count(1)

pytest_plugins = ["tests.untimed"]


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collector's rounds, and let it come less often.

    A full round over some two million objects takes a third of a second, which hundreds of hubs called for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def cheap_secrets() -> Iterator[None]:
    """Hash secrets at next to no cost: the tests make thousands, and none of them is worth guessing."""

    def build_hasher(**_shipped: int) -> PasswordHasher:
        return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "PasswordHasher", build_hasher)
        yield


def _find_roomy_memory() -> Path | None:
    """Find a file system in memory with room for a server; None where there is none.

    A database has some 1,500 files, and each test has a database of its own: a file system on a disk spends a
    fifth of the processor on finding numbers for new files that no file had a moment ago.
    """
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and shutil.disk_usage(memory).free > ROOMY_BYTES else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """One embedded PostgreSQL for the whole run, in a folder with a short name (its socket lies there)."""
    place = _find_roomy_memory()
    with tempfile.TemporaryDirectory(prefix="sz-", dir=place, ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - the server runs as another user where the tests run as root
        server = start_embedded(Path(folder) / "pg")
        asyncio.run(_relax(server.url))
        yield server
        server.stop()


async def _relax(url: str) -> None:
    """Let the server not wait for the disk: the tests kill processes, and do not cut the power."""
    admin = await asyncpg.connect(url)
    for setting in ("fsync", "full_page_writes"):
        await admin.execute(f"ALTER SYSTEM SET {setting} = off")
    await admin.execute("SELECT pg_reload_conf()")
    await admin.close()


@asynccontextmanager
async def database_of_its_own(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    admin = await asyncpg.connect(postgres.url)
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY = FILE_COPY')
    try:
        yield postgres.url.replace("/postgres?", f"/{name}?", 1)
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database of this test's own, empty, dropped afterwards."""
    async with database_of_its_own(postgres, "template1") as url:
        yield url


@pytest.fixture(scope="session")
def migrated(postgres: EmbeddedPostgres) -> str:
    """Name of a database to copy, in which every migration has been applied."""

    async def migrate(name: str) -> None:
        admin = await asyncpg.connect(postgres.url)
        await admin.execute(f'CREATE DATABASE "{name}"')
        await admin.close()
        opened = await Database.connect(
            postgres.url.replace("/postgres?", f"/{name}?", 1), pool_size=2, timeout_s=10
        )
        await apply_migrations(opened, load_migrations(MIGRATED_PACKAGES))
        await opened.close()

    asyncio.run(migrate("migrated"))
    return "migrated"


@pytest.fixture
async def migrated_url(postgres: EmbeddedPostgres, migrated: str) -> AsyncIterator[str]:
    """A migrated database of this test's own, dropped afterwards."""
    async with database_of_its_own(postgres, migrated) as url:
        yield url


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """A pool on a fresh, migrated database."""
    opened = await Database.connect(migrated_url, pool_size=6, timeout_s=10)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def hub_settings(migrated_url: str, tmp_path: Path) -> Settings:
    """Settings of a hub on a fresh database, with its folder below `tmp_path`."""
    return Settings(
        home=tmp_path / "home",
        database_url=SecretStr(migrated_url),
        database_pool_size=6,
        log_interval_s=0.05,
        public_url="http://hub.test",
    )


@pytest.fixture
async def services(hub_settings: Settings) -> AsyncIterator[Services]:
    """The services of a hub, without HTTP."""
    async with open_services(hub_settings) as opened:
        yield opened


@pytest.fixture
async def hub(hub_settings: Settings) -> AsyncIterator[RunningHub]:
    """A whole hub in this process, spoken to over ASGI; see `RunningHub` for its helpers."""
    app = create_app(hub_settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
            yield await RunningHub.start(app=app, client=client)
