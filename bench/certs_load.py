"""What `bench.certs` orders, the servers that it calls, and who drives calls: wrk, or Python without it."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any, Final

import asyncpg
import httpx
import uvicorn
from fastapi import FastAPI

from certs.types.shipped import BUSINESS_LICENCE
from core import memory
from core.codes import credit
from core.settings import Settings
from hub.app import create_app
from hub.serve import PlainStart

TASKS: Final = 8
TURNS: Final = 3
TURN_S: Final = 3
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
_LUA: Final = """
local bodies, headers, number = {}, {}, 0
for line in io.lines("%(bodies)s") do bodies[#bodies + 1] = line end
for line in io.lines("%(headers)s") do
  local name, value = line:match("^(.-): (.*)$")
  headers[name] = value
end
function request()
  if #bodies == 0 then return wrk.format("GET", nil, headers) end
  number = number %% #bodies + 1
  return wrk.format("POST", nil, headers, bodies[number])
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON{"requests":%%d,"us":%%d,"bad":%%d}\\n', summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def run_hub(settings: Settings, port: int) -> None:
    """Serve a hub, settled as `shuzheng serve` settles it, until the process is ended."""
    memory.share_arenas()
    uvicorn.run(
        PlainStart(create_app(settings)),
        host="127.0.0.1",
        port=port,
        server_header=False,
        proxy_headers=False,
        log_level="error",
        access_log=False,
    )


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


async def best_of(contenders: dict[str, Callable[[], Awaitable[float]]]) -> dict[str, float]:
    """Let the contenders take turns; return the best turn of each."""
    best = dict.fromkeys(contenders, 0.0)
    for _ in range(TURNS):
        for name, turn in contenders.items():
            best[name] = max(best[name], await turn())
    return best


async def drive(
    urls: Sequence[str], bodies: Sequence[Sequence[str]], headers: dict[str, str], *, statuses: set[int]
) -> float:
    """Send the bodies to each address (GET where there are none), on TASKS connections in all, for TURN_S.

    Return how many were answered a second. Raises SystemExit where one was answered amiss.
    """
    each = max(1, TASKS // len(urls))
    sent = headers | ({"Content-Type": "application/json"} if any(bodies) else {})
    driver = _drive_python if shutil.which("wrk") is None else _drive_wrk
    rates = await asyncio.gather(
        *(driver(url, lines, sent, each, statuses) for url, lines in zip(urls, bodies, strict=True))
    )
    return sum(rates)


async def _drive_wrk(
    url: str, bodies: Sequence[str], headers: dict[str, str], connections: int, _: set[int]
) -> float:
    with tempfile.TemporaryDirectory() as name:
        files = {each: Path(name) / f"{each}.txt" for each in ("bodies", "headers")}
        files["bodies"].write_text("\n".join(bodies))
        files["headers"].write_text("\n".join(f"{key}: {value}" for key, value in headers.items()))
        script = Path(name) / "load.lua"
        script.write_text(_LUA % files)
        command = [
            "wrk",
            "-t1",
            f"-c{connections}",
            f"-d{TURN_S}s",
            "--timeout",
            "20s",
            "-s",
            str(script),
            url,
        ]
        ran = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        told, _error = await ran.communicate()
    found = json.loads(told.decode().partition("JSON")[2])
    if found["bad"]:
        msg = f"{url}: {found['bad']} of {found['requests']} calls failed"
        raise SystemExit(msg)
    return float(found["requests"]) / (found["us"] / 1e6)


async def _drive_python(
    url: str, bodies: Sequence[str], headers: dict[str, str], connections: int, statuses: set[int]
) -> float:
    """Drive where wrk is missing: slower than the servers may be, so that figures are too low."""
    done, ends, lines = 0, time.perf_counter() + TURN_S, iter(bodies)

    async def repeat(client: httpx.AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            if bodies:
                answer = await client.post(url, content=next(lines, bodies[-1]), headers=headers)
            else:
                answer = await client.get(url, headers=headers)
            if answer.status_code not in statuses:
                raise SystemExit(answer.text)
            done += 1

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(repeat(client) for _ in range(connections)))
    return done / TURN_S
