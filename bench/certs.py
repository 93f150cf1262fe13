"""How fast certificates are issued, looked up and verified: `python -m bench.certs [part ...]`.

issue      POST /v1/certificates/batch against a hub of two processes over HTTP, two batches at a time (one
           connection each), until the first of them has ended: what both have told by then counts; and POST
           /v1/certificates (one certificate a call, eight at a time); against the floor of the same run: one
           SM2 signature of the octets of a file as large as the largest of the run, one object of them, and
           one row of the register under the register's indexes, by as many processes and tasks, without
           HTTP, checks, layout, seal, face or log. The barest floor signs sixteen octets instead, and inserts
           three values under one index. Every order has a name, numbers, an address, a representative and a
           scope of its own, so that nothing of it was set or measured before
linear     certificates a second in one batch of 10,000 (CERTS_BATCH), against one of 1,000
register   POST /v1/certificates/verify-data (type, number and holder, under a purpose, with its leaf in the
           log) against a bare FastAPI process that looks the row up with asyncpg
verify     the examination of a sealed licence that this run issued, all steps, one thread, against ofdrw's
           validator (which checks less: see tests/interop/certs) in its own warm JVM loop, one thread, on
           the same file

Without parts named, all of them. wrk drives calls, where it is there. Contenders take turns, and the best
turn of each counts. The last line is JSON; `verify_to_ofdrw` is null with a reason where Java, Maven or Maven
Central are out of reach.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from bench.certs_files import measure_ofdrw, measure_parts, measure_verify
from bench.certs_load import Floor, FloorKind, drive, order, run_bare, run_hub
from certs.types.shipped import BUSINESS_LICENCE
from core.database.embedded import start_embedded
from core.settings import Settings
from hub.app import create_app
from tests.hubs import PURPOSE, RunningHub

PARTS: Final = ("issue", "linear", "register", "verify")
TURNS: Final = 3
BATCH: Final = 1000
SINGLES: Final = 1500
SMALL: Final = 1_000
LARGE: Final = int(os.environ.get("CERTS_BATCH", "10000"))
EXPECT: Final = {
    "issue_to_floor": 0.5,
    "large_batch_to_small": 0.8,
    "register_to_floor": 0.5,
    "verify_to_ofdrw": 1.0,
}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def best_of(contenders: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, float]:
    """Let the contenders take turns; return the best turn of each."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(TURNS):
        for name, turn in contenders.items():
            best[name] = max(best[name], await turn())
    return best


async def wait_for(client: httpx.AsyncClient, url: str) -> None:
    """Wait until a server answers."""
    for _ in range(300):
        try:
            await client.get(url)
        except httpx.TransportError:
            await asyncio.sleep(0.1)
        else:
            return
    msg = f"{url} does not answer"
    raise RuntimeError(msg)


async def prepare(settings: Settings) -> dict[str, dict[str, str]]:
    """Register the members of a hub, a seal, and the use of licences; return headers by role."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
            hub = await RunningHub.start(app=app, client=client)
            market, approval = hub.members["market"], hub.members["approval"]
            seal = {"name": market.name, "organisation_code": market.code}
            made = await client.post("/v1/seals", json=seal, headers=hub.admin.headers)
            made.raise_for_status()
            path = f"/v1/certificate-types/{BUSINESS_LICENCE.code}/service-items"
            items = [{"code": "食品经营许可", "name": "食品经营许可"}]
            (await client.put(path, json=items, headers=hub.admin.headers)).raise_for_status()
            return {"market": market.headers, "approval": approval.headers | PURPOSE}


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


async def measure_issue(url: str, issuing: Issuing, folder: Path, parts: Sequence[str]) -> dict[str, float]:
    """Measure issuing against its floor, and a large batch against a small one."""
    best: dict[str, float] = {}
    if "issue" in parts:
        floors = {kind: await Floor.open(url, folder / "floor", kind) for kind in FloorKind}
        contenders = {"batch": issuing.issue_batches, "one": issuing.issue_singly}
        best |= await best_of(contenders | {kind.value: floor.rate for kind, floor in floors.items()})
        for floor in floors.values():
            floor.close()
    if "linear" in parts:
        for name, count in (("small", SMALL), ("large", LARGE)):
            best[name] = await issuing.issue_one_batch(count)
    return best


async def measure_register(hub: str, bare: str, headers: dict[str, str], identifier: str) -> dict[str, float]:
    """Measure verifying a statement about a certificate against a bare look-up."""
    asked = order(1)
    statement = {
        "type_code": asked["type_code"],
        "number": asked["number"],
        "holder_name": asked["holder"]["name"],
        "holder_code": asked["holder"]["code"],
        "holder_code_type": asked["holder"]["code_type"],
    }
    ours, theirs = f"{hub}/v1/certificates/verify-data", f"{bare}/certificates/{identifier}"
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(ours, json=statement, headers=headers)
        assert answer.json()["identifier"] == identifier, answer.text
        await wait_for(client, theirs)
    return await best_of(
        {
            "register": lambda: drive([ours], [[json.dumps(statement)]], headers, statuses={200}),
            "floor": lambda: drive([theirs], [[]], {}, statuses={200}),
        }
    )


async def run(folder: Path, parts: Sequence[str]) -> dict[str, Any]:
    """Measure these parts on one embedded PostgreSQL."""
    server = start_embedded(folder / "pg")
    spawn = multiprocessing.get_context("spawn")
    ports = free_port(), free_port(), free_port()
    settings = Settings(
        home=folder / "home", database_url=SecretStr(server.url), port=ports[0], public_url="http://hub.test"
    )
    children: list[Any] = []
    found: dict[str, Any] = {"issue": {}, "register": {}, "verify": None, "ofdrw": None, "reason": ""}
    try:
        headers = await prepare(settings)
        for target, arguments in (
            (run_hub, (settings, ports[0])),
            (run_hub, (settings, ports[1])),
            (run_bare, (server.url, ports[2])),
        ):
            child = spawn.Process(target=target, args=arguments, daemon=True)
            child.start()
            children.append(child)
        base, second, bare = (f"http://127.0.0.1:{port}" for port in ports)
        issuing = Issuing([base, second], headers["market"])
        async with httpx.AsyncClient(timeout=60) as client:
            for each in (base, second):
                await wait_for(client, f"{each}/healthz")
            identifier, _ = await issuing.open()
            found["issue"] = await measure_issue(server.url, issuing, folder, parts)
            path = f"{base}/v1/certificates/{identifier}/file"
            answer = await client.get(path, headers=headers["approval"])
            answer.raise_for_status()
        await issuing.close()
        if "register" in parts:
            found["register"] = await measure_register(base, bare, headers["approval"], identifier)
    finally:
        for child in children:
            child.terminate()
            child.join(20)
        server.stop()
    return found | {"file": answer.content}


def measure_files(folder: Path, content: bytes) -> dict[str, Any]:
    """Measure making and examining files, in this process alone."""
    file = folder / "licence.ofd"
    file.write_bytes(content)
    parts, first = measure_parts(folder), measure_verify(content)
    ofdrw, reason = measure_ofdrw(file)
    return {
        "parts": parts,
        "verify": max(first, measure_verify(content)),
        "ofdrw": ofdrw,
        "reason": reason,
    }


def main() -> int:
    """Measure, print a table and a line of JSON."""
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        print(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # the embedded server runs as another user where this runs as root
        found = asyncio.run(run(Path(name), parts))
        if "verify" in parts:
            found |= measure_files(Path(name), found["file"])
    issue, register = found["issue"], found["register"]
    print(f"{'':34}{'ours /s':>10}{'floor /s':>10}{'ratio':>8}")
    ratios: dict[str, float | None] = {}
    for title, ours, floor, ratio in (
        ("issue, in batches", issue.get("batch"), issue.get("issuing"), "issue_to_floor"),
        ("issue, one a call", issue.get("one"), issue.get("issuing"), "issue_one_to_floor"),
        ("issue, in batches, barest floor", issue.get("batch"), issue.get("bare"), "issue_to_bare_floor"),
        (f"batch of {LARGE}, of {SMALL}", issue.get("large"), issue.get("small"), "large_batch_to_small"),
        ("register, number and holder", register.get("register"), register.get("floor"), "register_to_floor"),
        ("verify a file (ofdrw, warm JVM)", found["verify"], found["ofdrw"], "verify_to_ofdrw"),
    ):
        if ours is not None:
            ratios[ratio] = None if floor is None else round(ours / floor, 3)
            print(f"{title:34}{ours:10.1f}{floor or 0:10.1f}{ratios[ratio] or 0:8.2f}")
    if "parts" in found:
        print("what one certificate takes, alone in one thread, in ms:")
        for part, spent in found["parts"].items():
            print(f"  {part:32}{spent:10.2f}")
    ok = all(value is None or value >= EXPECT.get(name, 0) for name, value in ratios.items())
    summary = {"bench": "certs", "ratios": ratios, "expect": EXPECT, "ok": ok, "reason": found["reason"]}
    print(json.dumps(summary))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
