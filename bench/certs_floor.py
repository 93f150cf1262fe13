"""The floors of issuing: what cannot be left out of it, done without anything else."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from enum import StrEnum
from typing import Any, Final
from uuid import uuid4

import asyncpg

from bench.certs_load import TASKS, TURN_S
from core.objects import open_object_store
from core.settings import Settings
from signing.sm2 import PrivateKey

PROCESSES: Final = 2


class FloorKind(StrEnum):
    """What a floor of issuing does for one certificate."""

    ISSUING = "issuing"
    """Sign the octets of a file, write it, and insert a row of the register under the register's indexes."""
    BARE = "bare"
    """Sign sixteen octets, write a file, and insert three values under one index."""


_TABLES: Final = {
    FloorKind.ISSUING: "CREATE TABLE public.floor_issuing (LIKE certs.certificate INCLUDING INDEXES)",
    FloorKind.BARE: "CREATE TABLE public.floor_bare (id text PRIMARY KEY, number text, digest_sm3 bytea)",
}


async def _repeat_floor(settings: Settings, size: int, tasks: int, kind: FloorKind) -> int:
    pool = await asyncpg.create_pool(_url_of(settings), min_size=tasks, max_size=tasks)
    objects = open_object_store(settings)
    key, content = PrivateKey.generate(), bytes(size)
    row: dict[str, Any] = {"identifier": "", "number": "", "digest_sm3": b""}
    if kind is FloorKind.ISSUING:
        row = dict(await pool.fetchrow("SELECT * FROM certs.certificate LIMIT 1"))
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    insert = f"INSERT INTO public.floor_{kind} VALUES ({places})"
    done, ends = 0, time.perf_counter() + TURN_S

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            number = uuid4()
            value = key.sign(content if kind is FloorKind.ISSUING else number.bytes)
            await asyncio.to_thread(objects.put, f"floor/{number.hex[:2]}/{number}", content)
            own = {"identifier": str(number), "number": number.hex, "digest_sm3": value[:32]}
            await pool.execute(insert, *(row | own).values())
            done += 1

    await asyncio.gather(*(repeat() for _ in range(tasks)))
    await pool.close()
    return done


def _work_on_floor(settings: Settings, size: int, tasks: int, kind: FloorKind) -> int:
    return asyncio.run(_repeat_floor(settings, size, tasks, kind))


def _url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


class Floor:
    """One SM2 signature, one row, one object of `size` octets, each committed; as many processes as hubs."""

    def __init__(self, settings: Settings, size: int, kind: FloorKind) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(PROCESSES, mp_context=spawn)
        self._given = (settings, size, TASKS // PROCESSES, kind)

    @classmethod
    async def open(cls, settings: Settings, kind: FloorKind) -> Floor:
        """Make the table; objects are as large as the largest file of the register."""
        connection = await asyncpg.connect(_url_of(settings))
        await connection.execute(_TABLES[kind])
        size = await connection.fetchval("SELECT max(size_bytes) FROM certs.certificate")
        await connection.close()
        return cls(settings, size, kind)

    async def rate(self) -> float:
        """Work for TURN_S; return how often a second it was done."""
        loop = asyncio.get_running_loop()
        works = [loop.run_in_executor(self._pool, _work_on_floor, *self._given) for _ in range(PROCESSES)]
        return sum(await asyncio.gather(*works)) / TURN_S

    def close(self) -> None:
        """End the processes."""
        self._pool.shutdown()
