"""How fast certificates are issued, looked up and verified: `python -m bench.certs` (or `make bench-certs`).

issue      POST /v1/certificates/batch against a hub of two processes over HTTP, two batches at a time (one
           connection each), and POST /v1/certificates (one certificate a call), against the floor of the same
           run: one SM2 signature, one inserted row and one object as large as the file that was issued first,
           by as many tasks, without HTTP, checks, layout or log. Every order has a name, numbers, an address,
           a representative and a scope of its own, so that nothing of it was set or measured before
linear     certificates a second in one batch of 10,000, against one of 1,000
register   POST /v1/certificates/verify-data (type, number and holder, under a purpose, with its leaf in the
           log) against a bare FastAPI process that looks the row up with asyncpg
verify     the examination of a sealed licence that this run issued, all steps, one thread, against ofdrw's
           validator (which checks less: see tests/interop/certs) in its own warm JVM loop, one thread, on
           the same file

Contenders take turns, and the best turn of each counts. The last line is JSON; `verify_to_ofdrw` is null
with a reason where Java, Maven or Maven Central are out of reach.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, Final
from uuid import uuid4

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from certs.ofd.font_search import load_fonts
from certs.ofd.qr import build_qr
from certs.ofd.sign import Stamp, sign_opened
from certs.templates import lay_out_certificate, load_template
from certs.types.shipped import BUSINESS_LICENCE
from certs.verify.document import assess_document
from core.codes import credit
from core.database.embedded import start_embedded
from core.objects import open_object_store
from core.settings import Settings
from hub.app import create_app
from signing.sm2 import PrivateKey
from signing.trust import NOTHING_TRUSTED
from tests.hubs import PURPOSE, RunningHub
from tests.unit.certs.template_samples import COMMON, METADATA

TASKS: Final = 8
TURN_S: Final = 3.0
TURNS: Final = 3
PARTS: Final = 100
BATCH: Final = 300
SMALL: Final = 1_000
LARGE: Final = int(os.environ.get("CERTS_BATCH", "10000"))
TRADES: Final = (
    "食品销售",
    "日用百货销售",
    "货物进出口",
    "技术开发、技术服务",
    "农副产品销售",
    "餐饮服务",
    "道路货物运输",
    "建筑材料销售",
    "五金产品零售",
    "互联网信息服务",
    "物业管理",
    "会议及展览服务",
)
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


def run_hub(settings: Settings, port: int) -> None:
    """Serve a hub until the process is ended."""
    uvicorn.run(create_app(settings), host="127.0.0.1", port=port, log_level="error", access_log=False)


def run_bare(url: str, port: int) -> None:
    """Serve the floor of a look-up: FastAPI, asyncpg, one row by its key."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(url, min_size=TASKS, max_size=TASKS)
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=lifespan)

    @app.get("/certificates/{identifier}")
    async def look_up(identifier: str) -> dict[str, Any]:
        row = await app.state.pool.fetchrow(
            "SELECT identifier, number, status FROM certs.certificate WHERE identifier = $1", identifier
        )
        return dict(row)

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False)


async def rate(act: Callable[[], Awaitable[None]], seconds: float = TURN_S) -> float:
    """Let TASKS tasks repeat `act` and count how often a second it is done."""
    done, ends = 0, time.perf_counter() + seconds

    async def repeat() -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await act()
            done += 1

    began = time.perf_counter()
    await asyncio.gather(*(repeat() for _ in range(TASKS)))
    return done / (time.perf_counter() - began)


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


def order(number: int) -> dict[str, Any]:
    """Order a business licence of an invented firm, with values that differ from firm to firm."""
    code = credit.build_code("91990000", f"MB{number:06d}")
    chance = Random(number)
    return {
        "type_code": BUSINESS_LICENCE.code,
        "holder": {"name": f"示例市第{number}商贸有限公司", "code": code, "code_type": "001"},
        "number": code,
        "data": {
            "LX": "有限责任公司(自然人投资或控股)",
            "FDDBR": "".join(chance.choices("王李张刘陈杨黄赵周吴长青川禾明德远山", k=3)),
            "ZCZB": f"{chance.randint(1, 5000)}万元人民币",
            "CLRQ": f"{chance.randint(1990, 2025)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
            "ZS": f"示例市示例区示例路{number}号",
            "JYFW": "；".join(chance.sample(TRADES, 7)),
        },
        "service_item": "企业设立登记",
    }


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


async def send_batch(client: httpx.AsyncClient, numbers: Sequence[int]) -> list[str]:
    """Have a batch issued; return the identifiers."""
    body = "\n".join(json.dumps(order(number)) for number in numbers)
    answer = await client.post("/v1/certificates/batch", content=body)
    answer.raise_for_status()
    *told, sums = [json.loads(line) for line in answer.text.splitlines()]
    assert sums["issued"] == len(numbers), [each for each in told if each["status"] == "failed"][:3]
    return [each["identifier"] for each in told]


async def measure_issue(
    url: str, bases: Sequence[str], headers: dict[str, str], folder: Path
) -> tuple[dict[str, float], str]:
    """Measure issuing against its floor; return the rates, and the identifier of number 1."""
    count = itertools.count(1)
    pool = await asyncpg.create_pool(url, min_size=TASKS, max_size=TASKS)
    await pool.execute("CREATE TABLE public.floor (id uuid PRIMARY KEY, number text, digest bytea)")
    objects = open_object_store(Settings(home=folder / "floor"))
    key, content = PrivateKey.generate(), b""
    async with AsyncExitStack() as stack:
        hubs = [
            await stack.enter_async_context(httpx.AsyncClient(base_url=base, headers=headers, timeout=600))
            for base in bases
        ]

        async def issue_one() -> None:
            number = next(count)
            answer = await hubs[number % len(hubs)].post("/v1/certificates", json=order(number))
            answer.raise_for_status()

        async def issue_batches() -> float:
            batches = [[next(count) for _ in range(BATCH)] for _ in hubs]
            began = time.perf_counter()
            await asyncio.gather(*map(send_batch, hubs, batches))
            return BATCH * len(hubs) / (time.perf_counter() - began)

        async def floor() -> None:
            number = uuid4()
            value = key.sign(number.bytes)
            await asyncio.to_thread(objects.put, f"floor/{number}", content)
            await pool.execute("INSERT INTO public.floor VALUES ($1, $2, $3)", number, "x", value)

        firsts = [await send_batch(hub, [next(count)]) for hub in hubs]  # the fonts are opened at the first
        content = bytes(await pool.fetchval("SELECT max(size_bytes) FROM certs.certificate"))
        best = await best_of(
            {"batch": issue_batches, "one": lambda: rate(issue_one), "floor": lambda: rate(floor)}
        )
        for name, size in (("small", SMALL), ("large", LARGE)):
            numbers = [next(count) for _ in range(size)]
            began = time.perf_counter()
            await send_batch(hubs[0], numbers)
            best[name] = size / (time.perf_counter() - began)
    await pool.close()
    return best, firsts[0][0]


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
    async with httpx.AsyncClient(timeout=60) as client:

        async def ours() -> None:
            answer = await client.post(f"{hub}/v1/certificates/verify-data", json=statement, headers=headers)
            assert answer.json()["identifier"] == identifier, answer.text

        async def theirs() -> None:
            (await client.get(f"{bare}/certificates/{identifier}")).raise_for_status()

        await wait_for(client, f"{bare}/certificates/{identifier}")
        return await best_of({"register": lambda: rate(ours), "floor": lambda: rate(theirs)})


def measure_parts(folder: Path) -> dict[str, float]:
    """Measure, one after another and in one thread, what one certificate takes: milliseconds of each part."""
    template, fonts, key = load_template("business-licence"), load_fonts(), PrivateKey.generate()
    objects = open_object_store(Settings(home=folder / "parts"))
    payload = "https://hub.example/c/" + "A" * 380
    spent = dict.fromkeys(("QR code", "layout, the rest", "signing and packing", "object store"), 0.0)

    def clock(name: str, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        done = act()
        spent[name] += (time.perf_counter() - began) * 1000 / PARTS
        return done

    for number in range(-5, PARTS):
        if number == 0:
            spent = dict.fromkeys(spent, 0.0)  # the first open the fonts and draw the background
        metadata = {**COMMON, **METADATA["business-licence"], "CZZT": f"示例市第{number}商贸有限公司"}
        lay_out = partial(
            lay_out_certificate, template, metadata=metadata, created_on=date(2026, 1, 5), fonts=fonts
        )
        clock("QR code", partial(build_qr, payload, x=0, y=0, side=28))
        unsigned = clock("layout, the rest", partial(lay_out, qr_payload=payload))
        sign = partial(
            sign_opened,
            unsigned,
            seal_der=bytes(20_000),
            stamps=[Stamp(page=0, x=100, y=100, width=40, height=40)],
            sign=lambda digest, _: key.sign(digest),
            signed_at=datetime.now(UTC),
        )
        signed = clock("signing and packing", sign)
        clock("object store", partial(objects.put, f"parts/{number + 5}", signed.data))
    spent["layout, the rest"] -= spent["QR code"]
    return spent


def measure_verify(data: bytes, seconds: float = TURN_S) -> float:
    """Count examinations a second, one thread; nothing is kept between two of them."""
    now, done, began = datetime.now(UTC), 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        report = assess_document(data, trust=NOTHING_TRUSTED, at=now)
        assert report.signatures[0].is_intact
        done += 1
    return done / (time.perf_counter() - began)


def measure_ofdrw(file: Path) -> tuple[float | None, str]:
    """Let ofdrw validate the same file in a warm JVM; None and the reason where it is out of reach."""
    import pytest  # noqa: PLC0415 - the harness skips by pytest's exception

    from tests.interop.harness import java_command  # noqa: PLC0415

    try:
        command = java_command(Path("tests/interop/java-ofdrw-full"), "harness.Documents")
    except pytest.skip.Exception as skipped:
        return None, str(skipped)
    full = [part for part in command if not part.startswith("-XX")]
    done = subprocess.run([*full, "loop", str(file), "8", "6"], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().removeprefix("rate=")), ""


async def run(folder: Path) -> dict[str, Any]:
    """Measure everything on one embedded PostgreSQL."""
    server = start_embedded(folder / "pg")
    spawn = multiprocessing.get_context("spawn")
    ports = free_port(), free_port(), free_port()
    settings = Settings(
        home=folder / "home", database_url=SecretStr(server.url), port=ports[0], public_url="http://hub.test"
    )
    children: list[Any] = []
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
        async with httpx.AsyncClient(timeout=60) as client:
            for each in (base, second):
                await wait_for(client, f"{each}/healthz")
            issue, identifier = await measure_issue(server.url, [base, second], headers["market"], folder)
            answer = await client.get(
                f"{base}/v1/certificates/{identifier}/file", headers=headers["approval"]
            )
            answer.raise_for_status()
        register = await measure_register(base, bare, headers["approval"], identifier)
    finally:
        for child in children:
            child.terminate()
            child.join(20)
        server.stop()
    parts = measure_parts(folder)
    file = folder / "licence.ofd"
    file.write_bytes(answer.content)
    first = measure_verify(answer.content)
    ofdrw, reason = measure_ofdrw(file)
    verify = max(first, measure_verify(answer.content))
    return {
        "issue": issue,
        "register": register,
        "verify": verify,
        "ofdrw": ofdrw,
        "reason": reason,
        "parts": parts,
    }


def main() -> int:
    """Measure, print a table and a line of JSON."""
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # the embedded server runs as another user where this runs as root
        found = asyncio.run(run(Path(name)))
    issue, register = found["issue"], found["register"]
    print(f"{'':34}{'ours /s':>10}{'floor /s':>10}{'ratio':>8}")
    ratios: dict[str, float | None] = {}
    for title, ours, floor, ratio in (
        ("issue, in batches", issue["batch"], issue["floor"], "issue_to_floor"),
        ("issue, one a call", issue["one"], issue["floor"], "issue_one_to_floor"),
        (f"batch of {LARGE}, of {SMALL}", issue["large"], issue["small"], "large_batch_to_small"),
        ("register, number and holder", register["register"], register["floor"], "register_to_floor"),
        ("verify a file (ofdrw, warm JVM)", found["verify"], found["ofdrw"], "verify_to_ofdrw"),
    ):
        ratios[ratio] = None if floor is None else round(ours / floor, 3)
        print(f"{title:34}{ours:10.1f}{floor or 0:10.1f}{ratios[ratio] or 0:8.2f}")
    print("what one certificate takes, alone in one thread, in ms:")
    for part, spent in found["parts"].items():
        print(f"  {part:32}{spent:10.2f}")
    ok = all(value is None or value >= EXPECT.get(name, 0) for name, value in ratios.items())
    summary = {"bench": "certs", "ratios": ratios, "expect": EXPECT, "ok": ok, "reason": found["reason"]}
    print(json.dumps(summary))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
