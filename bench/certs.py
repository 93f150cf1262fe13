"""How fast certificates are issued, looked up and verified: `python -m bench.certs [part ...]`.

issue      POST /v1/certificates/batch against a hub of two processes over HTTP, two batches at a time (one
           connection each), until the first of them has ended: what both have told by then counts; and POST
           /v1/certificates (one certificate a call, eight at a time); against the floor of the same run: one
           SM2 signature of the octets of a file as large as the largest of the run, one object of them, and
           one row of the register under the register's indexes, by as many processes and tasks, without
           HTTP, checks, layout, seal, face or log. Both on a directory and on an S3 server (MinIO), as
           departments run it. The barest floor (directory alone) signs sixteen octets instead, and inserts
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
Central are out of reach, and S3 is left out, by name, where its server cannot be built.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import httpx
from pydantic import SecretStr

from bench.certs_files import measure_ofdrw, measure_parts, measure_verify
from bench.certs_floor import FloorKind
from bench.certs_issue import LARGE, SMALL, Issuing, measure_issue
from bench.certs_load import best_of, drive, order, run_bare, run_hub
from bench.stores import settings_on, stores
from certs.types.shipped import BUSINESS_LICENCE
from core.database.embedded import start_embedded
from core.settings import Settings
from hub.app import create_app
from tests.hubs import PURPOSE, RunningHub
from tests.interop.s3_server import S3Server

PARTS: Final = ("issue", "linear", "register", "verify")
EXPECT: Final = {
    "issue_to_s3_floor": 0.5,
    "issue_to_directory_floor": 0.4,
    "large_batch_to_small": 0.8,
    "register_to_floor": 0.5,
    "verify_to_ofdrw": 1.0,
}


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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


async def run(folder: Path, server: S3Server | None, parts: Sequence[str]) -> dict[str, Any]:
    """Measure these parts on one embedded PostgreSQL and one store."""
    database = start_embedded(folder / "pg")
    spawn = multiprocessing.get_context("spawn")
    ports = free_port(), free_port(), free_port()
    settings = settings_on(
        server,
        home=folder / "home",
        database_url=SecretStr(database.url),
        port=ports[0],
        public_url="http://hub.test",
    )
    children: list[Any] = []
    found: dict[str, Any] = {}
    try:
        headers = await prepare(settings)
        for target, arguments in (
            (run_hub, (settings, ports[0])),
            (run_hub, (settings, ports[1])),
            (run_bare, (database.url, ports[2])),
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
            if "issue" in parts:
                kinds = [kind for kind in FloorKind if server is None or kind is FloorKind.ISSUING]
                found |= await measure_issue(settings, issuing, kinds)
            if "linear" in parts:
                for name, count in (("small", SMALL), ("large", LARGE)):
                    found[name] = await issuing.issue_one_batch(count)
            path = f"{base}/v1/certificates/{identifier}/file"
            answer = await client.get(path, headers=headers["approval"])
            answer.raise_for_status()
        await issuing.close()
        if "register" in parts:
            found |= await measure_register(base, bare, headers["approval"], identifier)
    finally:
        for child in children:
            child.terminate()
            child.join(20)
        database.stop()
    return found | {"file": answer.content}


def measure_stores(folder: Path, parts: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Measure issuing on every store there is, and what does not ask for a store on the directory alone."""
    found = {}
    with stores(folder) as served:
        for store, server in served.items():
            wanted = [part for part in parts if server is None or part == "issue"]
            if server is None or wanted:
                place = folder / f"hub-{store}"
                place.mkdir(mode=0o755)
                found[store] = asyncio.run(run(place, server, wanted))
    return found


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


def list_rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, str, float | None, float | None]]:
    """List what is told: title, name of the ratio, ours and the floor's."""
    rows: list[tuple[str, str, float | None, float | None]] = []
    for store, figures in found.items():
        batch, one, floor, bare = (figures.get(name) for name in ("batch", "one", "issuing", "bare"))
        rows += [
            (f"issue, in batches ({store})", f"issue_to_{store}_floor", batch, floor),
            (f"issue, one a call ({store})", f"issue_one_to_{store}_floor", one, floor),
        ]
        if bare is not None:
            rows.append(("issue, in batches, barest floor", "issue_to_bare_floor", batch, bare))
    rest = found["directory"]
    return [
        *rows,
        (f"batch of {LARGE}, of {SMALL}", "large_batch_to_small", rest.get("large"), rest.get("small")),
        ("register, number and holder", "register_to_floor", rest.get("register"), rest.get("floor")),
        ("verify a file (ofdrw, warm JVM)", "verify_to_ofdrw", rest.get("verify"), rest.get("ofdrw")),
    ]


def main() -> int:
    """Measure, print a table and a line of JSON."""
    parts = sys.argv[1:] or list(PARTS)
    if unknown := set(parts) - set(PARTS):
        print(f"there are no parts {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
        return 2
    with tempfile.TemporaryDirectory(prefix="sz-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # the embedded server runs as another user where this runs as root
        found = measure_stores(folder, parts)
        if "verify" in parts:
            found["directory"] |= measure_files(folder, found["directory"]["file"])
    print(f"{'':34}{'ours /s':>10}{'floor /s':>10}{'ratio':>8}")
    ratios: dict[str, float | None] = {}
    for title, ratio, ours, floor in list_rows(found):
        if ours is not None:
            ratios[ratio] = None if floor is None else round(ours / floor, 3)
            print(f"{title:34}{ours:10.1f}{floor or 0:10.1f}{ratios[ratio] or 0:8.2f}")
    if "parts" in found["directory"]:
        print("what one certificate takes, alone in one thread, in ms:")
        for part, spent in found["directory"]["parts"].items():
            print(f"  {part:32}{spent:10.2f}")
    ok = all(value is None or value >= EXPECT.get(name, 0) for name, value in ratios.items())
    reason = found["directory"].get("reason", "")
    print(json.dumps({"bench": "certs", "ratios": ratios, "expect": EXPECT, "ok": ok, "reason": reason}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
