"""How fast data is given and facts are checked: `python -m bench.access [rows]` (or `make bench-access`).

A resource of a million persons is published; then wrk (a compiled load driver) asks for random persons over
HTTP with a token, a grant and a purpose, and every answer has its leaf in the log (and verifications their
receipt). The floor of the same run is `bench.access_floor`: bare FastAPI and asyncpg running the very
statements of the hub, leaf and all, without any rule; `bare_reads` is the same without the leaf, for
information. Both are asked with one process and with two. Contenders take turns, and the best turn counts.

The guard and the limits work as always; only their thresholds are set out of reach of a load test. The last
line is JSON: `ratios` as measured, `expect` what is promised (at least; names ending in `_at_most`: at most),
`ok` whether all promises hold, `driver` what drove the load.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from pydantic import SecretStr

from bench.access_floor import CODE, ITEMS, KEY
from bench.access_load import SERVICE, Load, World, drive
from core.caller import Caller, OrganisationCode, Scope
from core.codes import credit
from core.database.embedded import start_embedded
from core.identity.model import Organisation
from core.identity.separation import Duty, duty_of
from core.identity.service import NewSystem
from core.settings import Settings
from exchange.access.decision import Verdict
from exchange.access.model import Decision, Mode, Terms
from exchange.publish.decode import CSV
from exchange.publish.model import Mode as PublishMode
from exchange.publish.model import Upload
from exchange.standards.samples import SampleKind, write_sample
from exchange.standards.schemas import POPULATION
from hub.services import Services, open_services
from signing import sm3
from subscriptions.lake.store import load_versions

ROWS = 1_000_000
SUBJECTS = 20_000
TURNS = 2
BATCH = 200
EXPECT = {
    "query_to_floor_1": 0.5,
    "verify_to_floor_1": 0.5,
    "query_to_floor_2": 0.5,
    "verify_to_floor_2": 0.5,
    "query_p99_to_p50_1_at_most": 5.0,
    "verify_p99_to_p50_1_at_most": 5.0,
    "query_p99_to_p50_2_at_most": 5.0,
    "verify_p99_to_p50_2_at_most": 5.0,
    "batch_200_to_single_at_most": 20.0,
}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], *, port: int, environment: dict[str, str]) -> Iterator[str]:
    """Run a server until the block ends; yield its address once it answers."""
    process = subprocess.Popen(command, env=os.environ | environment, cwd=Path(__file__).parents[1])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/openapi.json", timeout=2).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def hub_environment(world_url: str, folder: Path, port: int, workers: int) -> dict[str, str]:
    """Name the settings of a hub under load: the defaults, but for where it lives."""
    return {
        "SHUZHENG_DATABASE_URL": world_url,
        "SHUZHENG_HOME": str(folder / "home"),
        "SHUZHENG_PORT": str(port),
        "SHUZHENG_WORKERS": str(workers),
    }


async def prepare(url: str, folder: Path, rows: int) -> World:
    """Publish the resource, and grant it to a consumer; return the consumer's token.

    The lake has the rows before anything is measured: else each hub would begin to write them under the load.
    """
    settings = Settings(home=folder / "home", database_url=SecretStr(url), token_ttl_s=86_400)
    path = folder / "people.csv"
    size_bytes = await asyncio.to_thread(write_people, path, rows)
    async with open_services(settings) as services:
        provider, _ = await register(services, 1)
        consumer, made = await register(services, 2)
        await publish(services, provider, path, size_bytes)
        await give_grant(services, provider, consumer)
        await let_lake_follow(services)
        issued = await services.tokens.issue_token(
            client_id=str(made.system.id), client_secret=made.secret, scope=None
        )
    await settle(url)
    numbers = await asyncio.to_thread(read_numbers, path)
    return World(folder=folder, token=issued.token, subjects=numbers)


async def let_lake_follow(services: Services) -> None:
    """Wait until the lake has the version that was published, whoever of this process writes it."""
    while True:
        await services.lake.writer.follow(CODE)
        async with services.database.acquire() as connection:
            if await load_versions(connection, code=CODE):
                return
        await asyncio.sleep(0.5)


def write_people(path: Path, rows: int) -> int:
    """Make up the persons; return the size of the file in bytes."""
    with path.open("wb") as out:
        write_sample(SampleKind.POPULATION, rows=rows, seed=1, dirt=0.0, out=out)
    return path.stat().st_size


def read_numbers(path: Path) -> list[str]:
    """Read the numbers of the first SUBJECTS persons."""
    with path.open(encoding="utf-8") as lines:
        return [row[KEY] for row, _ in zip(csv.DictReader(lines), range(SUBJECTS), strict=False)]


async def register(services: Services, number: int) -> tuple[Caller, NewSystem]:
    """Register an invented organisation with a system of every scope of operation."""
    code = OrganisationCode(credit.build_code("11990000", f"MA{number:06d}"))
    organisation = Organisation(code=code, name=f"部门{number}", division_code="990000")
    await services.identity.register_organisation(organisation, actor=None)
    scopes = frozenset(scope for scope in Scope if duty_of(scope) is Duty.OPERATION)
    made = await services.identity.register_system(
        organisation_code=code, name="bench", scopes=scopes, actor=None
    )
    caller = Caller(
        system_id=made.system.id,
        system_name="bench",
        organisation_code=code,
        organisation_name=organisation.name,
        scopes=scopes,
    )
    return caller, made


async def publish(services: Services, provider: Caller, path: Path, size_bytes: int) -> None:
    """Register the population schema and publish the file."""
    resource = POPULATION.build(provider_code=provider.organisation_code, code=CODE)
    await services.exchange.catalogue.register(resource, caller=provider)
    digest = sm3.digest(str(path).encode())
    upload = Upload(path=path, size_bytes=size_bytes, digest=digest, media_type=CSV, charset=None)
    done = await services.exchange.publisher.publish(
        resource, upload, caller=provider, mode=PublishMode.UPSERT, idempotency_key="bench"
    )
    assert done.answer["rejected"] == 0, done.answer


async def give_grant(services: Services, provider: Caller, consumer: Caller) -> None:
    """Apply and approve."""
    access = services.exchange.access
    terms = Terms(
        items=ITEMS,
        modes=frozenset({Mode.QUERY, Mode.VERIFY}),
        service_items=(SERVICE,),
        purpose="bench",
        legal_basis="bench",
        valid_until=datetime.now(UTC) + timedelta(days=30),
        row_filter={},
    )
    application = await access.apply(caller=consumer, resource_code=CODE, terms=terms)
    await access.decide(
        caller=provider, application_id=application.id, verdict=Verdict(decision=Decision.APPROVE)
    )


async def settle(url: str) -> None:
    """Set the thresholds out of a load test's reach, and let the database come to rest."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("UPDATE exchange.guard_rule SET threshold = 1000000000")
        await connection.execute("UPDATE exchange.call_limit SET per_minute = 1000000000")
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


QUERY = json.dumps({"keys": {KEY: "@SUBJECT@"}})
VERIFY = json.dumps({"subject": {KEY: "@SUBJECT@"}, "assertions": [{"item": KEY, "value": "@SUBJECT@"}]})
CALLS = {"query": (f"/v1/resources/{CODE}/query", QUERY), "verify": (f"/v1/resources/{CODE}/verify", VERIFY)}


def build_bundle(number: int) -> str:
    """Build one call with `number` assertions, each about another subject."""
    check = {
        "resource": CODE,
        "subject": {KEY: "@SUBJECT@"},
        "assertions": [{"item": KEY, "value": "@SUBJECT@"}],
    }
    return json.dumps({"checks": [check] * number}, ensure_ascii=False)


def measure(url: str, world: World, workers: int) -> dict[str, Load]:
    """Measure floor and hub with so many processes, in turns; the best turn of each counts."""
    best: dict[str, Load] = {}

    def keep(name: str, load: Load) -> None:
        if name not in best or load.per_second > best[name].per_second:
            best[name] = load

    floor_port, port = free_port(), free_port()
    floor = [sys.executable, "-m", "uvicorn", "--factory", "bench.access_floor:create_app", "--log-level"]
    floor += ["error", "--no-access-log", "--loop", "uvloop", "--http", "httptools"]
    floor += ["--port", str(floor_port), "--workers", str(workers)]
    hub = [sys.executable, "-m", "hub.cli", "serve"]
    environment = hub_environment(url, world.folder, port, workers)
    for _ in range(TURNS):
        with running(floor, port=floor_port, environment=environment) as address:
            drive(address, "/bare", QUERY, world)
            for name, (_, template) in CALLS.items():
                keep(f"floor {name}", drive(address, f"/{name}", template, world))
            keep("bare reads", drive(address, "/bare", QUERY, world))
        with running(hub, port=port, environment=environment) as address:
            drive(address, *CALLS["query"], world)
            for name, (path, template) in CALLS.items():
                keep(f"hub {name}", drive(address, path, template, world))
            if workers == 1:
                keep("one assertion", drive(address, "/v1/verify", build_bundle(1), world, connections=1))
                keep(
                    "200 assertions", drive(address, "/v1/verify", build_bundle(BATCH), world, connections=1)
                )
    return best


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    driver = "wrk"
    if shutil.which("wrk") is None:
        driver = "python"
        print("wrk IS NOT INSTALLED: driving the load from Python; the figures will be too low", flush=True)
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_embedded(folder / "pg")
        try:
            print(f"publishing {rows:,} rows …", flush=True)
            world = asyncio.run(prepare(server.url, folder, rows))
            loads = {workers: measure(server.url, world, workers) for workers in (1, 2)}
        finally:
            server.stop()
    return report(rows, driver, loads)


def report(rows: int, driver: str, loads: dict[int, dict[str, Load]]) -> int:
    """Print what was measured and whether the promises hold."""
    ratios: dict[str, float] = {}
    print(f"\n{'processes':10}{'what':18}{'calls/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for workers, best in loads.items():
        for name, load in best.items():
            print(f"{workers:<10}{name:18}{load.per_second:10,.0f}{load.p50_ms:10.1f}{load.p99_ms:10.1f}")
        for name in CALLS:
            hub = best[f"hub {name}"]
            ratios[f"{name}_to_floor_{workers}"] = hub.per_second / best[f"floor {name}"].per_second
            ratios[f"{name}_p99_to_p50_{workers}_at_most"] = hub.p99_ms / hub.p50_ms
    one = loads[1]
    ratios["batch_200_to_single_at_most"] = one["200 assertions"].p50_ms / one["one assertion"].p50_ms
    print(f"\n{'ratio':34}{'measured':>10}{'expected':>10}")
    for name, ratio in ratios.items():
        verdict = "" if holds(name, ratio) else "  broken"
        print(f"{name:34}{ratio:10.2f}{EXPECT[name]:10.2f}{verdict}")
    ok = all(holds(name, ratio) for name, ratio in ratios.items())
    verdict_line = {
        "bench": "access",
        "rows": rows,
        "driver": driver,
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "bare_reads_per_second": {str(n): round(best["bare reads"].per_second) for n, best in loads.items()},
        "ok": ok,
    }
    print(json.dumps(verdict_line))
    return 0 if ok else 1


def holds(name: str, ratio: float) -> bool:
    """Tell whether a promise is kept."""
    return ratio <= EXPECT[name] if name.endswith("_at_most") else ratio >= EXPECT[name]


if __name__ == "__main__":
    sys.exit(main())
