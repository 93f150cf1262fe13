"""Certificates by the command line against a hub process, and a kill -9 in the middle of a batch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from certs.seals.request import SealRequest
from connectors import ConnectionFailed, HubClient
from core.caller import Caller, OrganisationCode, Scope, SystemId
from core.identity.model import Organisation
from core.settings import Settings
from hub.services import Services, open_services
from signing import sm3
from tests.hubs import organisation_code
from tests.integration.certs.test_certificates import NUMBER, ORDER
from tests.integration.hub.test_process import free_port, hub_process

CASE = ("--service-item", "食品经营许可", "--case", "2026-1", "--operator", "王审批")


async def make_market(services: Services) -> dict[str, str]:
    """Register an issuing organisation with a seal; return its system's credentials."""
    code = OrganisationCode(organisation_code(1))
    await services.identity.register_organisation(
        Organisation(code=code, name="示例市局", division_code="990000"), actor=None
    )
    made = await services.identity.register_system(
        organisation_code=code,
        name="业务系统",
        scopes=frozenset({Scope.CERTIFICATE_ISSUE, Scope.CERTIFICATE_USE}),
        actor=None,
    )
    keeper = Caller(
        system_id=SystemId(made.system.id),
        system_name="印章",
        organisation_code=code,
        organisation_name="示例市局",
        scopes=frozenset({Scope.SEAL_MANAGE}),
    )

    await services.certificates.seals.register(
        SealRequest(organisation_code=code, name="示例市局"), actor=keeper
    )
    return {"client_id": str(made.system.id), "client_secret": made.secret}


def run(credentials: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "SHUZHENG_CLIENT_ID": credentials["client_id"],
        "SHUZHENG_CLIENT_SECRET": credentials["client_secret"],
    }
    command = [sys.executable, "-m", "hub.cli", "cert", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def orders(number: int) -> str:
    return "".join(json.dumps(ORDER | {"number": f"NO{n:05d}"}) + "\n" for n in range(number))


async def test_certificate_is_issued_fetched_copied_and_revoked_by_command(
    hub_settings: Settings, tmp_path: Path
) -> None:
    async with open_services(hub_settings) as services:
        credentials = await make_market(services)
    order, original, copied, chain = (tmp_path / name for name in ("o.json", "a.ofd", "b.ofd", "chain.pem"))
    order.write_text(json.dumps(ORDER), encoding="utf-8")
    port = free_port()
    with hub_process(hub_settings, port):
        hub = ("--hub", f"http://127.0.0.1:{port}")
        dry = run(credentials, "issue", order, "--dry-run", *hub)
        assert dry.returncode == 0, dry.stderr
        issued = run(credentials, "issue", order, *hub)
        assert issued.returncode == 0, issued.stderr
        licence: dict[str, Any] = json.loads(issued.stdout)
        assert json.loads(dry.stdout)["identifier"] == licence["identifier"]
        fetched = run(credentials, "fetch", licence["identifier"], "--out", original, *CASE, *hub)
        assert fetched.returncode == 0, fetched.stderr
        assert f"sm3:{sm3.digest(original.read_bytes()).hex()}" == licence["digest"]
        copy = run(
            credentials, "copy", licence["identifier"], "--out", copied, "--cause", "办证", *CASE, *hub
        )
        assert copy.returncode == 0, copy.stderr
        assert copied.read_bytes() != original.read_bytes()
        chain.write_bytes(httpx.get(f"http://127.0.0.1:{port}/v1/trust/chain.pem").content)
        revoked = run(credentials, "revoke", licence["identifier"], "--reason", "测试", *hub)
        assert json.loads(revoked.stdout)["status"] == "revoked"
        again = run(credentials, "issue", order, *hub)
        assert (again.returncode, "Traceback" in again.stderr) == (1, False)
    good = run(credentials, "qr", "verify", licence["qr_payload"], "--ca", chain, "--holder", NUMBER)
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["is_held_by"] is True
    payload = licence["qr_payload"]
    altered = payload[:-4] + ("AAAA" if payload[-4:] != "AAAA" else "BBBB")
    forged = run(credentials, "qr", "verify", altered, "--ca", chain)
    assert (forged.returncode, "Traceback" in forged.stderr) == (1, False)


async def test_batch_killed_in_the_middle_goes_on_where_it_stopped(
    hub_settings: Settings, tmp_path: Path
) -> None:
    async with open_services(hub_settings) as services:
        credentials = await make_market(services)
    file, out = tmp_path / "orders.ndjson", tmp_path / "answers.ndjson"
    file.write_text(orders(160), encoding="utf-8")
    port = free_port()
    headers = {"Idempotency-Key": "killed"}

    def send() -> None:
        with HubClient(f"http://127.0.0.1:{port}", **credentials) as client:
            try:
                client.send(
                    "POST",
                    "/v1/certificates/batch",
                    content=orders(160).encode(),
                    headers=headers,
                    timeout=120,
                )
            except ConnectionFailed:
                return

    with hub_process(hub_settings, port) as process:
        sender = threading.Thread(target=send)
        sender.start()
        objects = hub_settings.home / "objects"
        deadline = time.monotonic() + 60
        while len(list(objects.rglob("*.pack"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        sender.join()
    with hub_process(hub_settings, port):
        hub = ("--hub", f"http://127.0.0.1:{port}")
        done = run(credentials, "batch", file, "--out", out, "--key", "killed", *hub)
        assert done.returncode == 0, done.stderr
    *lines, sums = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert sums["failed"] == 0
    assert sums["again"] >= 50
    assert sums["again"] + sums["issued"] == 160
    assert len({line["identifier"] for line in lines}) == 160
    async with open_services(hub_settings) as services:
        async with services.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT object_key, object_offset, size_bytes, digest_sm3 FROM certs.certificate"
            )
            leaves = await connection.fetchval(
                "SELECT count(*) FROM core.log_leaf WHERE event = 'certificate.issued'"
            )
        assert len(rows) == leaves == 160
        for row in rows:
            place = (row["object_key"], row["object_offset"], row["size_bytes"])
            assert sm3.digest(services.objects.get_range(*place)) == row["digest_sm3"]
        found = await services.certificates.orphans.collect(actor=None)
        assert found.removed == 0
        assert found.waiting == len(list(services.objects.keys("certificates/"))) - len(
            {row["object_key"] for row in rows}
        )
