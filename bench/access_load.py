"""The load of `bench.access`: wrk, or Python where that is missing, asking about random subjects."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx

SECONDS = 5
CONNECTIONS = 32
SERVICE = "食品经营许可"
LUA = """
local subjects, headers, number = {}, {}, 0
for line in io.lines("%(subjects)s") do subjects[#subjects + 1] = line end
for line in io.lines("%(headers)s") do
  local name, value = line:match("^(.-): (.*)$")
  headers[name] = value
end
local template = io.open("%(template)s"):read("*a")
local seeds = 0
function fill(text)
  local first, place = math.random(#subjects), 0
  return (text:gsub("@SUBJECT@", function()
    place = place + 1
    return subjects[(first + math.floor((place - 1) / 2)) %% #subjects + 1]
  end))
end
function setup(thread) thread:set("seed", seeds); seeds = seeds + 1 end
function init(args) math.randomseed(os.time() + 7919 * seed) end
function request()
  number = number + 1
  headers["Shuzheng-Case-Number"] = "2026-" .. seed .. "-" .. number
  headers["Shuzheng-Operator"] = "operator" .. (number %% 50)
  local body = fill(template)
  return wrk.format("POST", nil, headers, body)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON{"requests":%%d,"us":%%d,"p50":%%f,"p99":%%f,"bad":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run of the load measured; times in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The folder of a run, the consumer's token, and the subjects."""

    folder: Path
    token: str
    subjects: list[str]


def drive(address: str, path: str, template: str, world: World, *, connections: int = CONNECTIONS) -> Load:
    """Send the template, with random subjects, for SECONDS; raise where any answer was not 2xx."""
    files = {name: world.folder / f"{name}.txt" for name in ("subjects", "headers", "template")}
    files["subjects"].write_text("\n".join(world.subjects))
    headers = {
        "Authorization": f"Bearer {world.token}",
        "Content-Type": "application/json",
        "Shuzheng-Service-Item": quote(SERVICE),
        "Shuzheng-Case-Number": "2026-1",
        "Shuzheng-Operator": "operator",
    }
    files["headers"].write_text("\n".join(f"{name}: {value}" for name, value in headers.items()))
    files["template"].write_text(template)
    if shutil.which("wrk") is None:
        return asyncio.run(drive_in_python(address + path, template, world, headers, connections))
    script = world.folder / "load.lua"
    script.write_text(LUA % files)
    threads = min(2, connections)
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{SECONDS}s", "-s", str(script), address + path]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    found = json.loads(ran.stdout.partition("JSON")[2])
    if found["bad"]:
        msg = f"{path}: {found['bad']} of {found['requests']} calls failed\n{ran.stdout}"
        raise SystemExit(msg)
    return Load(
        per_second=found["requests"] / (found["us"] / 1e6),
        p50_ms=found["p50"] / 1000,
        p99_ms=found["p99"] / 1000,
    )


async def drive_in_python(
    url: str, template: str, world: World, headers: dict[str, str], connections: int
) -> Load:
    """Drive the load where wrk is missing: slower than the servers may be, so the figures are too low."""
    times: list[float] = []
    until = time.perf_counter() + SECONDS

    async def ask(client: httpx.AsyncClient) -> None:
        while (start := time.perf_counter()) < until:
            (await client.post(url, content=fill(template, world), headers=headers)).raise_for_status()
            times.append(time.perf_counter() - start)

    async with httpx.AsyncClient(timeout=60) as client:
        await asyncio.gather(*(ask(client) for _ in range(connections)))
    times.sort()
    return Load(
        per_second=len(times) / SECONDS,
        p50_ms=times[len(times) // 2] * 1000,
        p99_ms=times[len(times) * 99 // 100] * 1000,
    )


def fill(template: str, world: World) -> str:
    """Put subjects into a template: each two places one, as the Lua script does."""
    first, pieces = random.randrange(len(world.subjects)), template.split("@SUBJECT@")
    filled = pieces[0]
    for place, piece in enumerate(pieces[1:]):
        filled += world.subjects[(first + place // 2) % len(world.subjects)] + piece
    return filled
