"""The commands of auditors, run as programs against a real hub: verify, prove, export, restore, witness."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from core.caller import OrganisationCode, Purpose, Scope
from core.identity.model import Organisation
from core.identity.service import NewSystem
from core.log.model import Event
from core.settings import Settings
from hub.services import Services, open_services
from signing.merkle.receipts import BatchSigner
from tests.hubs import organisation_code
from tests.integration.hub.test_process import free_port, hub_process

NUMBER = "11010519491231002X"


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """A hub's folder and database, its root certificate in a file, and a leaf."""

    settings: Settings
    ca: Path
    receipt: Path
    leaf: UUID

    async def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """Run the command line; return what it printed."""
        assert self.settings.database_url is not None
        whole = os.environ | {
            "SHUZHENG_HOME": str(self.settings.home),
            "SHUZHENG_DATABASE_URL": self.settings.database_url.get_secret_value(),
            "COLUMNS": "400",
            **environment,
        }
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "hub.cli", *arguments],
            env=whole,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


async def register_auditor(services: Services) -> NewSystem:
    code = OrganisationCode(organisation_code(1))
    organisation = Organisation(code=code, name="审计局", division_code="990000")
    await services.identity.register_organisation(organisation, actor=None)
    return await services.identity.register_system(
        organisation_code=code, name="审计系统", scopes=frozenset({Scope.AUDIT}), actor=None
    )


@pytest.fixture
async def office(hub_settings: Settings, tmp_path: Path) -> Office:
    async with open_services(hub_settings) as services:
        for number in range(5):
            async with services.database.transaction() as connection:
                leaf = await services.log_writer.append(
                    connection,
                    event=Event.TOKEN_REVOKED,
                    caller=None,
                    subject=NUMBER if number % 2 else None,
                    purpose=Purpose(service_item="s", case_number="2026-9", operator="=1+1"),
                )
        while await services.log.sequencer.integrate_once():
            pass
        await asyncio.sleep(0.3)
        ca = tmp_path / "root.cer"
        ca.write_bytes(services.pki.root.der)
        certificates = await services.log.load_certificates()
        signer = BatchSigner(
            signer=services.log.heads.signer,
            issuer="Shuzheng Hub",
            clock=lambda: certificates[0].not_before,
            certificates=tuple(each.der for each in certificates),
        )
        receipt = tmp_path / "receipt.json"
        receipt.write_bytes(signer.sign([b'{"a":1}']).receipt(0, payload=b'{"a":1}'))
    return Office(settings=hub_settings, ca=ca, receipt=receipt, leaf=leaf)


async def test_log_is_verified_proved_and_told_on_the_command_line(office: Office, tmp_path: Path) -> None:
    ca = ("--ca", str(office.ca))
    assert "whole" in await office.run("log", "verify")
    proof, subject = tmp_path / "p.json", tmp_path / "s.json"
    await office.run("log", "prove", str(office.leaf), "--out", str(proof))
    assert "included: leaf" in await office.run("log", "verify", "--proof", str(proof), *ca)
    await office.run("log", "prove-subject", "--number", NUMBER, "--out", str(subject))
    verified = await office.run("log", "verify", "--proof", str(subject), "--number", NUMBER, *ca)
    assert "complete: 2 leaves" in verified
    document = json.loads(subject.read_text())
    document["leaves"].pop()
    subject.write_text(json.dumps(document))
    assert "signed statement" in await office.run("log", "verify", "--proof", str(subject), *ca, code=1)
    assert "root certificate" in await office.run("log", "verify", "--proof", str(proof), code=1)
    assert "token.revoked" in await office.run("log", "case", "2026-9")
    assert "'=1+1" in await office.run("log", "search", "--case-number", "2026-9", "--as", "csv")
    assert "token.revoked" in await office.run("log", "usage", "--by", "operator")
    assert "token.revoked" in await office.run("log", "subject", "--number", NUMBER)
    assert "183 days" in await office.run("log", "drop", "--before", "2999-01-01", code=1)
    assert "0 payloads" in await office.run("log", "drop", "--before", "2020-01-01")


async def test_receipt_verifies_with_the_ca_certificate_alone(office: Office, tmp_path: Path) -> None:
    nowhere = {
        "SHUZHENG_DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "SHUZHENG_HOME": str(tmp_path / "none"),
    }
    shown = await office.run("receipt", "verify", str(office.receipt), "--ca", str(office.ca), **nowhere)
    assert "valid: Shuzheng Hub" in shown
    assert '{"a":1}' in shown
    office.receipt.write_text(office.receipt.read_text().replace('{"a":1}', '{"a":2}'))
    await office.run("receipt", "verify", str(office.receipt), "--ca", str(office.ca), code=1, **nowhere)


async def test_export_is_verified_and_restored_on_the_command_line(office: Office, tmp_path: Path) -> None:
    path, ca = tmp_path / "log.zip", ("--ca", str(office.ca))
    await office.run("log", "export", str(path))
    assert "whole" in await office.run("log", "verify", "--export", str(path), *ca)
    assert "hold rows" in await office.run("log", "restore", str(path), *ca, code=1)
    assert office.settings.database_url is not None
    url = office.settings.database_url.get_secret_value()
    connection = await asyncpg.connect(url)
    await connection.execute(
        "TRUNCATE core.log_leaf, core.log_pending, core.log_entry, core.log_node, core.log_checkpoint,"
        " core.log_chain, core.log_tree, core.log_drop"
    )
    await connection.close()
    assert "NOT whole" in await office.run("log", "verify", code=1)
    assert "whole" in await office.run("log", "restore", str(path), *ca)
    damaged = path.read_bytes()
    path.write_bytes(damaged[: len(damaged) // 2])
    await office.run("log", "verify", "--export", str(path), *ca, code=1)


async def test_witness_cosigns_a_running_hub_and_its_head_is_served_cosigned(
    office: Office, tmp_path: Path
) -> None:
    state = ("--name", "audit.test/witness", "--state", str(tmp_path / "witness"))
    key = (await office.run("log", "witness-key", *state)).strip()
    async with open_services(office.settings) as services:
        await services.log.witnesses.register(key, caller=None)
        made = await register_auditor(services)
    port = free_port()
    with hub_process(office.settings, port):
        hub = ("--hub", f"http://127.0.0.1:{port}", "--ca", str(office.ca))
        assert "(before: 0)" in await office.run("log", "witness", *hub, *state)
        await asyncio.sleep(1.2)
        again = await office.run("log", "witness", *hub, *state)
        assert "(before: 0)" not in again
        assert "0 leaves, 1 signed heads: whole" in await office.run("log", "verify", *hub)
        credentials = {"SHUZHENG_CLIENT_ID": str(made.system.id), "SHUZHENG_CLIENT_SECRET": made.secret}
        mirrored = await office.run("log", "verify", *hub, **credentials)
        assert ": whole" in mirrored
        assert " 0 leaves" not in mirrored
    assert "whole" in await office.run("log", "verify")
    connection = await asyncpg.connect(office.settings.database_url.get_secret_value())  # type: ignore[union-attr]
    assert await connection.fetchval("SELECT count(*) FROM core.log_cosignature") == 2
    await connection.close()
