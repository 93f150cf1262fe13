"""How fast the materials of a case are resolved: `python -m bench.evidence` (or `make bench-evidence`).

A hub of two processes holds firms, persons, leases and the rest, with a licence for each firm. wrk (a
compiled load driver) then opens food-business cases of twelve materials, each a case of its own, and, in the
same run and over as many connections, makes the calls that an approval system would make one by one instead:
search and fetch the licence, and a query or verification for each other material. Both write every leaf.

The last line is JSON: `ratios` as measured, `expect` what is promised (at least; names ending in `_at_most`:
at most), `ok` whether all promises hold.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from bench.access import free_port, settle
from certs.types.shipped import BUSINESS_LICENCE
from core.database.embedded import start_embedded
from core.settings import Settings
from exchange.standards.samples import SampleKind, write_sample
from hub.demo.evidence_cases import food_request, food_rows
from hub.demo.evidence_items import FOOD, food_business
from hub.demo.evidence_scene import EvidenceScene
from hub.demo.stage import connect_administrator, running_hub

FIRMS = 300
SECONDS = 8
TURNS = 2
CONCURRENT = 20
EXPECT = {
    "alone_to_one_by_one": 3.0,
    "at_20_to_one_by_one": 3.0,
    "p99_ms_at_20_at_most": 300.0,
}
LUA = """
local calls, headers, number, place = {}, {}, 0, 0
local size = %(size)d
for line in io.lines("%(calls)s") do
  local method, path, body = line:match("^(.-)\\t(.-)\\t(.*)$")
  calls[#calls + 1] = {method, path, body}
end
for line in io.lines("%(headers)s") do
  local name, value = line:match("^(.-): (.*)$")
  headers[name] = value
end
local seeds = 0
function setup(thread) thread:set("seed", seeds); seeds = seeds + 1 end
function init(args)
  math.randomseed(os.time() + 7919 * seed)
  place = math.random(0, #calls / size - 1) * size
end
function request()
  if number %% size == 0 then headers["Shuzheng-Case-Number"] = "%(run)s-" .. seed .. "-" .. number end
  number = number + 1
  local call = calls[place %% #calls + 1]
  place = place + 1
  return wrk.format(call[1], call[2], headers, call[3] ~= "" and call[3] or nil)
end
function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('JSON{"requests":%%d,"us":%%d,"mean":%%f,"p50":%%f,"p99":%%f,"bad":%%d}\\n',
    summary.requests, summary.duration, latency.mean, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""

Row = dict[str, str]
Call = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one run measured; a case of many calls counts once. Times in milliseconds."""

    cases_per_second: float
    mean_ms: float
    p50_ms: float
    p99_ms: float


def sample(kind: SampleKind, rows: int) -> list[Row]:
    """Make clean rows."""
    out = io.BytesIO()
    write_sample(kind, rows=rows, seed=3, dirt=0.0, out=out)
    return list(csv.DictReader(io.StringIO(out.getvalue().decode())))


def prepare(scene: EvidenceScene) -> tuple[list[Row], list[Row]]:
    """Publish, grant, release and issue; return the firms and their managers."""
    firms = [row for row in sample(SampleKind.LEGAL_PERSON, FIRMS * 2) if row["cxzt"] == "1"][:FIRMS]
    people = sample(SampleKind.POPULATION, len(firms))
    scene.register({})
    scene.publish_standard("police", "rk_jbxx", people)
    scene.publish_standard("market", "fr_jbxx", firms)
    codes = {firm["tyxydm"] for firm in firms}
    listed = [row for row in sample(SampleKind.LIST, FIRMS * 3) if row["XDRDM"] not in codes]
    scene.publish_standard("market", "xy_mdxx", listed)
    scene.publish(food_rows(firms, people))
    document = food_business(scene.codes["approval"])
    scene.grant_for("approval", document)
    scene.release("approval", document)
    scene.register_seal()
    print(f"issuing {len(firms)} licences …", flush=True)
    scene.issue_licences(firms, items=[FOOD])
    return firms, people


def build_singles(firm: Row, manager: Row, number: int) -> list[Call]:
    """Build the calls that the case would take one by one: those of its rules, and no more."""
    request = food_request(firm, manager, number)
    values = {
        "$company.code": firm["tyxydm"],
        "$manager.code": manager["GMSFHM"],
        "$manager.name": manager["XM"],
        **{f"$input.{name}": value for name, value in request["inputs"].items()},
    }

    def fill(given: dict[str, str]) -> dict[str, str]:
        return {name: values.get(text, text) for name, text in given.items()}

    calls: list[Call] = []
    for fact in food_business("")["facts"]:
        way: dict[str, Any] = fact["ways"][0]
        path = f"/v1/resources/{way.get('resource')}"
        match way["kind"]:
            case "certificate":
                body = {
                    "holder_code": firm["tyxydm"],
                    "holder_code_type": "001",
                    "type_code": way["type_code"],
                }
                calls.append(("POST", "/v1/certificates/search", json.dumps(body)))
                calls.append(("GET", f"/v1/certificates/{firm['identifier']}/data", ""))
            case "verification":
                asserted = [{"item": k, "value": v} for k, v in fill(way["assertions"]).items()]
                body = {"subject": fill(way["subject"]), "assertions": asserted}
                calls.append(("POST", f"{path}/verify", json.dumps(body, ensure_ascii=False)))
            case "credit":
                where = fill(way["where"])
                body = {"where": where, "items": list(where), "limit": 2}
                calls.append(("POST", f"{path}/query", json.dumps(body)))
            case _:
                items = {*way.get("gives", {}).values(), *(each["item"] for each in way["requires"])}
                body = {"keys": fill(way["keys"]), "items": sorted(items), "limit": 2}
                calls.append(("POST", f"{path}/query", json.dumps(body)))
    return calls


def build_search(firm: Row) -> dict[str, str]:
    """Build the search of a firm's licence."""
    code = BUSINESS_LICENCE.code
    return {"holder_code": firm["tyxydm"], "holder_code_type": "001", "type_code": code}


def find_identifiers(address: str, headers: dict[str, str], firms: Sequence[Row]) -> None:
    """Note the identifier of each firm's licence."""
    with httpx.Client(base_url=address, headers=headers, timeout=30) as client:
        for firm in firms:
            found = client.post("/v1/certificates/search", json=build_search(firm)).raise_for_status().json()
            firm["identifier"] = found[0]["identifier"]


def drive(
    address: str, folder: Path, calls: Sequence[Call], *, size: int, connections: int, run: str
) -> Load:
    """Drive calls, of which `size` make a case, for SECONDS; raise where any answer was not 2xx."""
    path = folder / f"{run}.txt"
    path.write_text("\n".join("\t".join(call) for call in calls))
    script = folder / "load.lua"
    files = {"calls": path, "headers": folder / "headers.txt", "size": size, "run": run}
    script.write_text(LUA % files)
    command = ["wrk", f"-t{min(2, connections)}", f"-c{connections}", f"-d{SECONDS}s", "--timeout", "20s"]
    ran = subprocess.run(
        [*command, "-s", str(script), address], capture_output=True, text=True, check=True, timeout=120
    )
    found = json.loads(ran.stdout.partition("JSON")[2])
    if found["bad"]:
        msg = f"{run}: {found['bad']} of {found['requests']} calls failed\n{ran.stdout}"
        raise SystemExit(msg)
    return Load(
        cases_per_second=found["requests"] / size / (found["us"] / 1e6),
        mean_ms=found["mean"] * size / 1000,
        p50_ms=found["p50"] * size / 1000,
        p99_ms=found["p99"] / 1000,
    )


def measure(address: str, folder: Path, firms: Sequence[Row], people: Sequence[Row]) -> dict[str, Load]:
    """Measure both in turns, alone and at 20 at a time; the best turn of each counts."""
    cases: list[Call] = []
    singles: list[Call] = []
    for number, (firm, manager) in enumerate(zip(firms, people, strict=True)):
        body = json.dumps(food_request(firm, manager, number), ensure_ascii=False)
        cases.append(("POST", "/v1/evidence", body))
        singles += build_singles(firm, manager, number)
    size = len(singles) // len(cases)
    best: dict[str, Load] = {}
    for turn in range(TURNS):
        for connections in (1, CONCURRENT):
            for name, calls, each in (("evidence", cases, 1), ("one by one", singles, size)):
                run = f"{name.replace(' ', '-')}-{connections}-{turn}"
                load = drive(address, folder, calls, size=each, connections=connections, run=run)
                key = f"{name}, {connections} at a time"
                if key not in best or load.cases_per_second > best[key].cases_per_second:
                    best[key] = load
    print(f"\na case is 1 evidence request, or {size} calls")
    return best


def check_answer(address: str, headers: dict[str, str], firm: Row, manager: Row) -> None:
    """Make sure that what is measured supplies all twelve materials."""
    answer = httpx.post(
        f"{address}/v1/evidence",
        json=food_request(firm, manager, 0),
        headers=headers | {"Shuzheng-Case-Number": "check"},
    )
    summary = answer.raise_for_status().json()["evidence"]["summary"]
    if (summary["required"], summary["supplied"]) != (12, 12):
        msg = f"the case is not what it should be: {answer.text}"
        raise SystemExit(msg)


def run(folder: Path, url: str) -> dict[str, Load]:
    """Start the hub, set the scene, measure."""
    os.environ |= {
        "SHUZHENG_DATABASE_URL": url,
        "SHUZHENG_WORKERS": "2",
        "SHUZHENG_TOKEN_TTL_S": "86400",
        "SHUZHENG_LOG_CHECK_HOUR": "-1",
    }
    settings = Settings(home=folder, port=free_port())
    with ExitStack() as stack:
        address = stack.enter_context(running_hub(settings))
        administrator = connect_administrator(address, settings)
        stack.callback(administrator.close)
        scene = EvidenceScene(address=address, administrator=administrator, stack=stack)
        firms, people = prepare(scene)
        form = {"grant_type": "client_credentials"} | {
            name: scene.credentials["approval"][name] for name in ("client_id", "client_secret")
        }
        token = httpx.post(f"{address}/v1/oauth/token", data=form).raise_for_status().json()["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Shuzheng-Service-Item": quote(FOOD),
            "Shuzheng-Case-Number": "0",
            "Shuzheng-Operator": "operator",
        }
        (folder / "headers.txt").write_text("\n".join(f"{k}: {v}" for k, v in headers.items()))

        asyncio.run(settle(url))
        find_identifiers(address, headers, firms)
        check_answer(address, headers, firms[0], people[0])
        return measure(address, folder, firms, people)


def main() -> int:
    """Measure, print a table and the verdict; 1 when a promise is broken."""
    if shutil.which("wrk") is None:
        print("wrk IS NOT INSTALLED: this bench needs it to drive the load")
        return 1
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_embedded(folder / "pg")
        try:
            best = run(folder, server.url)
        finally:
            server.stop()
    return report(best)


def report(best: dict[str, Load]) -> int:
    """Print what was measured and whether the promises hold."""
    print(f"\n{'what':28}{'cases/s':>10}{'p50 ms':>10}{'p99 ms':>10}")
    for name, load in best.items():
        print(f"{name:28}{load.cases_per_second:10,.1f}{load.p50_ms:10.1f}{load.p99_ms:10.1f}")
    alone, together = "1 at a time", f"{CONCURRENT} at a time"
    ratios = {
        "alone_to_one_by_one": best[f"one by one, {alone}"].mean_ms / best[f"evidence, {alone}"].mean_ms,
        "at_20_to_one_by_one": best[f"evidence, {together}"].cases_per_second
        / best[f"one by one, {together}"].cases_per_second,
        "p99_ms_at_20_at_most": best[f"evidence, {together}"].p99_ms,
    }
    print(f"\n{'ratio':28}{'measured':>10}{'expected':>10}")
    for name, ratio in ratios.items():
        verdict = "" if holds(name, ratio) else "  broken"
        print(f"{name:28}{ratio:10.2f}{EXPECT[name]:10.2f}{verdict}")
    ok = all(holds(name, ratio) for name, ratio in ratios.items())
    verdict_line = {
        "bench": "evidence",
        "cases_per_second": {name: round(load.cases_per_second, 1) for name, load in best.items()},
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "ok": ok,
    }
    print(json.dumps(verdict_line))
    return 0 if ok else 1


def holds(name: str, ratio: float) -> bool:
    """Tell whether a promise is kept."""
    return ratio <= EXPECT[name] if name.endswith("_at_most") else ratio >= EXPECT[name]


if __name__ == "__main__":
    sys.exit(main())
