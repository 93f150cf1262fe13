"""How fast changes reach a subscriber: `python -m bench.feed [rows]` (or `make bench-feed`).

A million persons are published; then one subscriber drains them as Arrow over HTTP, page by page, from a
hub process of its own: grant, leaf and signed manifest at every page. The floor of the same run is
PostgreSQL's own `COPY … TO` of the same columns of the same change log, thrown away. The best of three turns
counts. Then a hundred webhooks get the same 10,000 changes each, and every effect must be there once. Then
versions of one row each are published while eight subscribers wait and one drains: the time from commit
(PostgreSQL's own commit timestamp) to the moment when a waiting subscriber has the change in its hands.

The last line is JSON: `ratios` as measured, `expect` what is promised; names ending in `_at_most` are upper
bounds.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import httpx
import pyarrow as pa
from pydantic import SecretStr

from connectors import HubClient, Purpose
from core.caller import OrganisationCode, Scope
from core.codes import credit
from core.database.embedded import start_embedded
from core.identity.model import Organisation
from core.settings import Settings
from exchange.standards.samples import SampleKind, write_sample
from hub.services import open_services

ROWS = 1_000_000
TURNS = 3
PAGE_ROWS = 250_000
COMMITS = 120
WAITERS = 8
HOOKS = 100
HOOK_ROWS = 10_000
ARROW = "application/vnd.apache.arrow.stream"
PURPOSE = Purpose(service_item="bench", case_number="1", operator="bench")
ITEMS = ["GMSFHM", "XM", "XB", "MZ", "CSRQ", "HJSZD", "MLXZ", "ZXZT"]
EXPECT = {
    "arrow_drain_to_raw_copy": 0.5,
    "webhook_effects_once": 1.0,
    "commit_to_visible_p50_ms_at_most": 50.0,
    "commit_to_visible_p99_ms_at_most": 500.0,
}


async def set_up(settings: Settings) -> dict[str, dict[str, str]]:
    """Register two organisations with a system each; return their credentials."""
    made = {}
    async with open_services(settings) as services:
        for number, name in enumerate(("owner", "subscriber"), start=1):
            code = OrganisationCode(credit.build_code("11990000", f"MA{number:06d}"))
            await services.identity.register_organisation(
                Organisation(code=code, name=name, division_code="990000"), actor=None
            )
            scopes = frozenset(Scope) - {Scope.ADMIN, Scope.AUDIT, Scope.SEAL_MANAGE}
            system = await services.identity.register_system(
                organisation_code=code, name=name, scopes=scopes, actor=None
            )
            made[name] = {"client_id": str(system.system.id), "client_secret": system.secret}
    return made


@contextmanager
def running_hub(settings: Settings, log: Path) -> Iterator[str]:
    """Run a hub process until the block ends; yield its address."""
    assert settings.database_url is not None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "SHUZHENG_HOME": str(settings.home),
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_PORT": str(port),
        "SHUZHENG_PUSH_NETWORKS": "127.0.0.0/8",
    }
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli", "serve"], env=environment, stdout=out, stderr=out
        )
        try:
            address = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    if httpx.get(f"{address}/readyz", timeout=2).is_success:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield address
        finally:
            process.terminate()
            process.wait(30)


def publish_rows(owner: HubClient, resource: str, path: Path) -> None:
    """Publish the rows of a file as a resource of the population schema."""
    owner.post("/v1/resources/standard/rk_jbxx", {"code": resource})
    with path.open("rb") as rows:
        answer = owner.publish(resource, iter(lambda: rows.read(1 << 20), b""), idempotency_key="all")
    assert answer["accepted"] == answer["received"], answer


def subscribe(owner: HubClient, subscriber: HubClient, resource: str, start: str) -> str:
    """Give the subscriber a grant where it has none, and begin a subscription."""
    if not any(grant["resource_code"] == resource for grant in subscriber.get("/v1/grants")):
        asked = {
            "items": ITEMS,
            "modes": ["subscribe"],
            "service_items": ["*"],
            "purpose": "bench",
            "legal_basis": "bench",
            "valid_days": 30,
        }
        made = subscriber.post(f"/v1/resources/{resource}/applications", asked)
        if made["state"] == "pending":
            owner.post(f"/v1/applications/{made['id']}/decision", {"decision": "approve"})
    begun = subscriber.post(
        "/v1/subscriptions",
        {"resource": resource, "from": int(start) if start.isdigit() else start},
        purpose=PURPOSE,
    )
    return str(begun["id"])


def drain(subscriber: HubClient, subscription: str) -> tuple[int, float]:
    """Read everything as Arrow from the beginning of the change log; return rows and seconds."""
    start, rows, after = time.perf_counter(), 0, "1.0"
    while True:
        answer = subscriber.send(
            "GET",
            f"/v1/subscriptions/{subscription}/changes",
            purpose=PURPOSE,
            params={"after": after, "limit": PAGE_ROWS},
            headers={"Accept": ARROW},
        )
        table = pa.ipc.open_stream(answer.content).read_all()
        if not table.num_rows:
            return rows, time.perf_counter() - start
        rows, after = rows + table.num_rows, answer.headers["Shuzheng-Next-Cursor"]


async def copy_raw(url: str, resource: str) -> float:
    """Copy the same columns out of the change log with COPY alone; return seconds."""
    connection = await asyncpg.connect(url)

    async def drop(_data: bytes) -> None:
        return

    columns = ", ".join(f'(_after)."{name}"' for name in ITEMS)
    query = (
        f"SELECT _version, _sequence, _operation, {columns} FROM data.{resource}__changes"
        " ORDER BY _version, _sequence"
    )
    best = float("inf")
    for form in ("text", "binary"):
        start = time.perf_counter()
        await connection.copy_from_query(query, output=drop, format=form)
        best = min(best, time.perf_counter() - start)
    await connection.close()
    return best


class Waiter(threading.Thread):
    """A subscriber that waits for changes, and notes when it had each version in its hands."""

    def __init__(self, address: str, credentials: dict[str, str], subscription: str) -> None:
        super().__init__(daemon=True)
        self._client = HubClient(address, **credentials)
        self._subscription = subscription
        self.seen: dict[int, float] = {}
        self.done = threading.Event()

    def run(self) -> None:
        """Wait until told to stop."""
        after = None
        while not self.done.is_set():
            params = {"wait": 5, "limit": 1000} | ({} if after is None else {"after": after})
            answer = self._client.send(
                "GET", f"/v1/subscriptions/{self._subscription}/changes", purpose=PURPOSE, params=params
            )
            now = time.time()
            after = answer.headers["Shuzheng-Next-Cursor"]
            for line in answer.text.splitlines():
                self.seen.setdefault(json.loads(line)["version"], now)


async def measure_latency(
    url: str, address: str, made: dict[str, dict[str, str]], path: Path
) -> dict[str, float]:
    """Publish versions of one row while others wait and drain; return the delays in milliseconds."""
    text = await asyncio.to_thread(path.read_text, encoding="utf-8")
    lines = text.splitlines()
    with HubClient(address, **made["owner"]) as owner, HubClient(address, **made["subscriber"]) as reader:
        ids = [subscribe(owner, reader, "small", "now") for _ in range(WAITERS)]
        waiters = [Waiter(address, made["subscriber"], each) for each in ids]
        for waiter in waiters:
            waiter.start()
        load = subscribe(owner, reader, "people", "0")
        busy = threading.Event()

        def keep_busy() -> None:
            with HubClient(address, **made["subscriber"]) as client:
                while not busy.is_set():
                    client.send(
                        "GET",
                        f"/v1/subscriptions/{load}/changes",
                        purpose=PURPOSE,
                        params={"limit": 20_000},
                        headers={"Accept": ARROW},
                    )

        thread = threading.Thread(target=keep_busy, daemon=True)
        thread.start()

        def commit_versions() -> None:
            for number in range(COMMITS):
                changed = lines[1 + number].replace("号", f"号{number}单元", 1)
                owner.publish("small", f"{lines[0]}\n{changed}\n".encode(), idempotency_key=f"one-{number}")
                time.sleep(0.05)

        await asyncio.to_thread(commit_versions)
        await asyncio.sleep(2)
        busy.set()
        for waiter in waiters:
            waiter.done.set()
        await asyncio.to_thread(thread.join)
    connection = await asyncpg.connect(url)
    rows = await connection.fetch(
        "SELECT version, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at"
        " FROM exchange.version WHERE resource_code = 'small'"
    )
    await connection.close()
    committed = {row["version"]: row["at"] for row in rows}
    delays = sorted(
        1000 * (seen - committed[version]) for waiter in waiters for version, seen in waiter.seen.items()
    )
    assert len(delays) >= WAITERS * COMMITS * 0.9, f"only {len(delays)} changes were seen"
    return {"p50": statistics.median(delays), "p99": delays[int(len(delays) * 0.99)], "most": delays[-1]}


class Hooks:
    """Receivers of all webhooks: one server, a path each; counts effects as a careful receiver does."""

    def __init__(self) -> None:
        self.port = 0
        self.rows: list[dict[str, int]] = [{} for _ in range(HOOKS)]
        self.effects = 0
        self.posts = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        size = int(head.split("content-length:", 1)[1].split("\r\n", 1)[0])
        body = await reader.readexactly(size)
        held = self.rows[int(head.split(" ", 2)[1].strip("/"))]
        self.posts += 1
        for line in body.splitlines():
            place = line[: line.index(b',"operation"')]
            key = line[line.index(b'"key":') : line.index(b',"row"')].decode()
            sequence = int(place.rpartition(b":")[2])
            if held.get(key, 0) < sequence:
                held[key] = sequence
                self.effects += 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()


async def measure_hooks(address: str, made: dict[str, dict[str, str]]) -> tuple[float, Hooks]:
    """Set a hundred webhooks up and wait until each has everything; return seconds and what came."""
    hooks = Hooks()
    server = await asyncio.start_server(hooks.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    def set_hooks_up() -> None:
        with HubClient(address, **made["owner"]) as owner, HubClient(address, **made["subscriber"]) as client:
            for number in range(HOOKS):
                if number % 25 == 0:
                    subscription = subscribe(owner, client, "hooked", "now")
                target = {
                    "name": f"h{number}",
                    "kind": "webhook",
                    "address": {"url": f"http://127.0.0.1:{port}/{number}"},
                    "from": 0,
                    "batch_rows": 2000,
                }
                client.post(f"/v1/subscriptions/{subscription}/targets", target, purpose=PURPOSE)

    start = time.perf_counter()
    await asyncio.to_thread(set_hooks_up)
    deadline = start + 240
    while hooks.effects < HOOKS * HOOK_ROWS and time.perf_counter() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.2)
    seconds = time.perf_counter() - start
    server.close()
    return seconds, hooks


async def measure(settings: Settings, folder: Path, rows: int) -> dict[str, float]:
    """Measure everything against one hub process."""
    assert settings.database_url is not None
    url = settings.database_url.get_secret_value()
    made = await set_up(settings)
    for name, count in (("people", rows), ("small", HOOK_ROWS), ("hooked", HOOK_ROWS)):
        with (folder / f"{name}.csv").open("wb") as out:
            write_sample(SampleKind.POPULATION, rows=count, seed=1, dirt=0.0, out=out)
    found: dict[str, float] = {"drain": float("inf"), "copy": float("inf")}
    with running_hub(settings, folder / "hub.log") as address:
        with HubClient(address, **made["owner"]) as owner, HubClient(address, **made["subscriber"]) as reader:
            for name in ("people", "small", "hooked"):
                await asyncio.to_thread(publish_rows, owner, name, folder / f"{name}.csv")
            subscription = subscribe(owner, reader, "people", "0")
            for _ in range(TURNS):
                drained, seconds = await asyncio.to_thread(drain, reader, subscription)
                assert drained == rows, f"{drained} rows came of {rows}"
                found["drain"] = min(found["drain"], seconds)
                found["copy"] = min(found["copy"], await copy_raw(url, "people"))
        seconds, hooks = await measure_hooks(address, made)
        found |= {"hooks": seconds, "effects": hooks.effects, "posts": hooks.posts}
        found |= await measure_latency(url, address, made, folder / "small.csv")
    return found


async def keep_commit_times(url: str) -> None:
    """Let the server keep the time of each commit, once it is started again."""
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    await connection.close()


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_embedded(folder / "pg")
        asyncio.run(keep_commit_times(server.url))
        server.stop()
        server = start_embedded(folder / "pg")
        try:
            settings = Settings(home=folder / "home", database_url=SecretStr(server.url))
            found = asyncio.run(measure(settings, folder, rows))
        finally:
            server.stop()
    return report(rows, found)


def report(rows: int, found: dict[str, float]) -> int:
    """Print what was measured and whether the promises hold."""
    ratios = {
        "arrow_drain_to_raw_copy": found["copy"] / found["drain"],
        "webhook_effects_once": found["effects"] / (HOOKS * HOOK_ROWS),
        "commit_to_visible_p50_ms_at_most": found["p50"],
        "commit_to_visible_p99_ms_at_most": found["p99"],
    }
    print(f"\n{'what':34}{'seconds':>10}{'rows/s':>14}")
    for what, seconds, count in (
        ("raw COPY TO", found["copy"], rows),
        ("Arrow, drained over HTTP", found["drain"], rows),
        (f"{HOOKS} webhooks", found["hooks"], HOOKS * HOOK_ROWS),
    ):
        print(f"{what:34}{seconds:10.2f}{count / seconds:14,.0f}")
    print(f"{'commit to visible, longest':34}{found['most'] / 1000:10.2f}")
    print(f"\n{'ratio':36}{'measured':>10}{'expected':>10}")
    good = True
    for name, ratio in ratios.items():
        fits = ratio <= EXPECT[name] if name.endswith("at_most") else ratio >= EXPECT[name]
        good = good and fits
        print(f"{name:36}{ratio:10.2f}{EXPECT[name]:10.2f}{'' if fits else '  missed'}")
    verdict = {
        "bench": "feed",
        "rows": rows,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "webhook_posts": int(found["posts"]),
        "ok": good,
    }
    print(json.dumps(verdict))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
