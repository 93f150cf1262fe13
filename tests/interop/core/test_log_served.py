"""Foreign tools read the log of a running hub over HTTP: Tessera's fsck and Go's sumdb packages.

The hub runs as a process with SHA-256 and an Ed25519 signature beside SM2's; everything else is the same
code.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from core.caller import OrganisationCode, Scope
from core.identity.model import Organisation
from core.log.model import Event
from core.settings import Settings
from hub.services import open_services
from signing.merkle.hashing import HashSuite
from signing.merkle.tiles import list_tiles
from tests.hubs import organisation_code
from tests.integration.hub.test_process import free_port, wait_until_ready
from tests.interop import harness
from tests.interop.signing.test_tlog import FSCK, ask, run_go

pytestmark = pytest.mark.interop

ORIGIN = "hub.test/log"
LEAVES = 700
SUITE = HashSuite.SHA256


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedLog:
    base: str
    token: str
    key: str


@pytest.fixture(scope="module")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fsck")
    run_go(directory, "install", FSCK, GOBIN=str(directory))
    return directory / "fsck"


@pytest.fixture
async def served(hub_settings: Settings) -> AsyncIterator[ServedLog]:
    """A hub process with some hundred leaves, and an auditor's token."""
    settings = hub_settings.model_copy(
        update={"log_hash": SUITE, "log_ed25519": True, "log_origin": ORIGIN, "log_check_hour": -1}
    )
    async with open_services(settings) as services:
        code = OrganisationCode(organisation_code(1))
        await services.identity.register_organisation(
            Organisation(code=code, name="审计局", division_code="990000"), actor=None
        )
        made = await services.identity.register_system(
            organisation_code=code, name="审计系统", scopes=frozenset({Scope.AUDIT}), actor=None
        )
        for number in range(LEAVES):
            async with services.database.transaction() as connection:
                await services.log_writer.append(
                    connection,
                    event=Event.AUDIT_READ,
                    caller=None,
                    subject=f"subject-{number % 9}",
                    details={"view": "interop", "leaves": number},
                )
    port = free_port()
    assert settings.database_url is not None
    environment = os.environ | {
        "SHUZHENG_HOME": str(settings.home),
        "SHUZHENG_DATABASE_URL": settings.database_url.get_secret_value(),
        "SHUZHENG_PORT": str(port),
        "SHUZHENG_LOG_HASH": str(SUITE),
        "SHUZHENG_LOG_ED25519": "true",
        "SHUZHENG_LOG_ORIGIN": ORIGIN,
        "SHUZHENG_LOG_CHECK_HOUR": "-1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "hub.cli", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_ready(port, process)
        base = f"http://127.0.0.1:{port}"
        form = {
            "grant_type": "client_credentials",
            "client_id": str(made.system.id),
            "client_secret": made.secret,
        }
        async with httpx.AsyncClient(base_url=base, timeout=30) as client:
            token = (await client.post("/v1/oauth/token", data=form)).json()["access_token"]
            await asyncio.sleep(1.0)
            keys = (await client.get("/v1/log/keys")).json()["verifier_keys"]
        yield ServedLog(base=f"{base}/v1/log/", token=token, key=keys[1])
    finally:
        process.terminate()
        process.wait(timeout=30)


async def fetch(served: ServedLog, path: str) -> bytes:
    async with httpx.AsyncClient(timeout=30) as client:
        headers = {"Authorization": f"Bearer {served.token}"}
        answer = await client.get(served.base + path, headers=headers)
        assert answer.status_code == 200, (path, answer.text)
        return answer.content


async def test_tessera_fsck_rebuilds_the_hubs_log_from_its_bundles(
    served: ServedLog, fsck: Path, tmp_path: Path
) -> None:
    key = tmp_path / "log.pub"
    key.write_text(served.key)
    command = [
        str(fsck), "--storage_url", served.base, "--public_key", str(key), "--ui=false", "--N=8",
        "--bearer_token", served.token,
    ]  # fmt: skip
    run = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Successfully fsck'd log with size " in run.stderr, run.stderr
    assert run.returncode == 0


async def test_go_sumdb_checks_the_hubs_checkpoint_tiles_and_proofs(served: ServedLog) -> None:
    binary = await asyncio.to_thread(harness.go_binary, Path(__file__).resolve().parents[1] / "go-tlog")
    checkpoint = await fetch(served, "checkpoint")
    size = int(checkpoint.split(b"\n")[1])
    assert size >= LEAVES
    tiles = {tile.path: await fetch(served, tile.path) for tile in list_tiles(size)}
    proofs = []
    async with httpx.AsyncClient(timeout=30) as client:
        for index in (0, 1, 255, 256, size - 1):
            query: dict[str, Any] = {"index": index, "tree_size": size}
            proofs.append((await client.get(f"{served.base}inclusion", params=query)).json())
        grown = (
            await client.get(f"{served.base}consistency", params={"old_size": 300, "new_size": size})
        ).json()
    root = checkpoint.split(b"\n")[2].decode()
    claims = [
        {
            "index": proof["index"],
            "size": size,
            "root": root,
            "leaf": _b64(bytes.fromhex(proof["leaf_hash"])),
            "proof": proof["proof"],
        }
        for proof in proofs
    ]
    answer = await asyncio.to_thread(
        ask,
        binary,
        checkpoint=checkpoint,
        verifier_keys=[served.key],
        files=tiles,
        entries=[],
        inclusion=claims,
    )
    assert answer["error"] == "", json.dumps(answer)[:500]
    assert answer["signers"] == [ORIGIN]
    assert set(answer["inclusion"]) == {""}
    assert len(grown["proof"]) > 0


def _b64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()
