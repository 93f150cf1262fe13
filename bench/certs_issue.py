"""Issuing by the hubs of a run, in batches and one a call, and its measure."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx

from bench.certs_floor import Floor, FloorKind
from bench.certs_load import best_of, drive, order
from core.settings import Settings

BATCH: Final = 1000
SINGLES: Final = 1500
SMALL: Final = 1_000
LARGE: Final = int(os.environ.get("CERTS_BATCH", "10000"))


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """The answer to a batch of `count` orders: its pieces, unread, each with the time when it came."""

    count: int
    pieces: list[tuple[float, bytes]]

    @property
    def ended_at(self) -> float:
        """When the last piece came."""
        return self.pieces[-1][0]

    def count_until(self, moment: float) -> int:
        """Count the certificates that had been told of by then."""
        lines = b"".join(piece for came_at, piece in self.pieces if came_at <= moment).count(b"\n")
        return min(lines, self.count)

    def read_identifiers(self) -> list[str]:
        """Return the identifiers that the batch was given; see that all of its orders were carried out."""
        *told, sums = map(json.loads, b"".join(piece for _, piece in self.pieces).splitlines())
        failed = [each for each in told if each["status"] == "failed"]
        assert sums["issued"] == len(told) == self.count, failed[:3]
        return [each["identifier"] for each in told]


async def send_batch(client: httpx.AsyncClient, lines: Sequence[str]) -> BatchAnswer:
    """Have a batch issued."""
    async with client.stream("POST", "/v1/certificates/batch", content="\n".join(lines)) as answer:
        answer.raise_for_status()
        pieces = [(time.perf_counter(), piece) async for piece in answer.aiter_bytes()]
    return BatchAnswer(count=len(lines), pieces=pieces)


class Issuing:
    """Has certificates issued by the hubs of a run, each order once."""

    def __init__(self, bases: Sequence[str], headers: dict[str, str]) -> None:
        self._bases = bases
        self._headers = headers
        self._count = itertools.count(1)
        self._clients: list[httpx.AsyncClient] = []
        self._stack = AsyncExitStack()

    async def open(self) -> list[str]:
        """Connect, and have one issued by each hub: fonts are opened then. Return their identifiers."""
        for base in self._bases:
            client = httpx.AsyncClient(base_url=base, headers=self._headers, timeout=600)
            self._clients.append(await self._stack.enter_async_context(client))
        return [(await send_batch(each, self._write(1))).read_identifiers()[0] for each in self._clients]

    async def close(self) -> None:
        """Disconnect."""
        await self._stack.aclose()

    def _write(self, count: int) -> list[str]:
        return [json.dumps(order(next(self._count))) for _ in range(count)]

    async def issue_batches(self) -> float:
        """Send a batch to each hub at the same time; return certificates a second while all hubs worked."""
        batches = [self._write(BATCH) for _ in self._clients]
        began = time.perf_counter()
        answers = await asyncio.gather(*map(send_batch, self._clients, batches))
        for each in answers:
            each.read_identifiers()
        ended = min(each.ended_at for each in answers)
        return sum(each.count_until(ended) for each in answers) / (ended - began)

    async def issue_singly(self) -> float:
        """Send one order a call; return certificates a second."""
        urls = [f"{base}/v1/certificates" for base in self._bases]
        bodies = [self._write(SINGLES) for _ in urls]
        return await drive(urls, bodies, self._headers, statuses={201})

    async def issue_one_batch(self, size: int) -> float:
        """Send one batch of that size to one hub; return certificates a second."""
        lines = self._write(size)
        began = time.perf_counter()
        answer = await send_batch(self._clients[0], lines)
        return len(answer.read_identifiers()) / (answer.ended_at - began)


async def measure_issue(settings: Settings, issuing: Issuing, kinds: Sequence[FloorKind]) -> dict[str, float]:
    """Measure issuing, and its floors on the same database and store."""
    floors = {kind.value: await Floor.open(settings, kind) for kind in kinds}
    contenders = {"batch": issuing.issue_batches, "one": issuing.issue_singly}
    best = await best_of(contenders | {name: floor.rate for name, floor in floors.items()})
    for floor in floors.values():
        floor.close()
    return best
