"""A hub whose authorities and signer are keys in a device: another process, another implementation of SM2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from certs.verify.document import assess_document
from certs.verify.model import DocumentStatus
from core.log.trust import LogTrust
from core.pki.key_source import load_finder
from core.pki.service import HUB_SIGNER_KEY
from core.settings import Settings
from hub.app import create_app
from hub.services import open_services
from signing.curve import parse_point
from signing.errors import KeyUnusable
from signing.merkle.hashing import HashSuite
from signing.trust import TrustPolicy
from signing.x509.crl import RevocationReason
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.hubs import PURPOSE, RunningHub
from tests.integration.certs.test_certificates import ORDER
from tests.integration.hub.device import SCALARS, SOCKET, find_scalar, open_key

FINDER = "tests.integration.hub.device:find"


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[str]]:
    path = tmp_path / "device"
    monkeypatch.setenv(SOCKET, str(path))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.hub.device", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    yield process
    process.communicate(timeout=10)


async def test_hub_signs_with_the_keys_of_a_device_and_anyone_verifies(
    hub_settings: Settings, device: subprocess.Popen[str]
) -> None:
    settings = hub_settings.model_copy(update={"signers": FINDER})
    async with open_services(settings) as services:
        while await services.log.sequencer.integrate_once():
            pass
        root = services.pki.root
        described = await services.log.describe_keys()
        verifier = LogTrust(roots=(root,)).build_verifier(
            origin=described["origin"],
            suite=HashSuite.SM3,
            certificates_pem=described["certificates"].encode(),
        )
        head = await services.log.proofs.load_checkpoint()
        assert verifier.read(head.note).size == head.tree_size
        other = await services.pki.certified_signer(
            name="test-tsa", profile=Profile.TSA, subject=Name.build(common_name="TSA")
        )
        other.certificate.verify_issued_by(services.pki.issuing)
    kept = {path.name for path in settings.keys_dir.iterdir()}
    assert not kept & set(SCALARS)
    assert "test-tsa" in kept, "a name that the device does not hold is the key store's"
    async with open_services(settings) as services:
        assert services.pki.root == root, "the next start finds the same keys"


async def test_seal_whose_key_lies_in_the_device_seals_certificates_that_anyone_verifies(
    hub_settings: Settings, device: subprocess.Popen[str]
) -> None:
    settings = hub_settings.model_copy(update={"signers": FINDER})
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://hub.test", timeout=60) as client:
            hub = await RunningHub.start(app=app, client=client)
            market = hub.members["market"]
            wanted = {"name": market.name, "organisation_code": market.code}
            seal = await client.post("/v1/seals", json=wanted, headers=hub.admin.headers)
            assert seal.status_code == 201, seal.text
            issued = await client.post("/v1/certificates", json=ORDER, headers=market.headers)
            assert issued.status_code == 201, issued.text
            path = f"/v1/certificates/{issued.json()['identifier']}/file"
            file = await client.get(path, headers=market.headers | PURPOSE)
            root = hub.services.pki.root
            trust = await hub.services.pki.trust_policy()
        key_names = {each.name for each in settings.keys_dir.iterdir()}
    assert not [name for name in key_names if name.startswith("seal-")], "no key of a seal is kept here"
    report = assess_document(file.content, trust=trust, at=datetime.now(UTC))
    assert report.status is DocumentStatus.VALID, report.findings
    (signature,) = report.signatures
    assert signature.is_intact
    offline = TrustPolicy(roots=(root,), intermediates=trust.intermediates)
    assert assess_document(file.content, trust=offline, at=datetime.now(UTC)).signatures[0].is_intact


async def test_key_in_the_device_whose_certificate_was_revoked_is_not_certified_again(
    hub_settings: Settings, device: subprocess.Popen[str]
) -> None:
    from core.errors import Conflict

    settings = hub_settings.model_copy(update={"signers": FINDER})
    async with open_services(settings) as services:
        certificate = (await services.pki.load_certificates(HUB_SIGNER_KEY))[0]
        await services.pki.revoke(serial=certificate.serial, reason=RevocationReason.KEY_COMPROMISE)
    with pytest.raises(Conflict, match="put a new key into the device"):
        async with open_services(settings):
            pass


async def test_hub_does_not_start_without_its_device(hub_settings: Settings, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SOCKET, str(tmp_path / "nowhere"))
        settings = hub_settings.model_copy(update={"signers": FINDER})
        with pytest.raises(KeyUnusable, match="does not answer"):
            async with open_services(settings):
                pass


@pytest.mark.parametrize(
    "path", ["nowhere:find", "tests.integration.hub.device:none", "json", ":", "json:__doc__"]
)
def test_setting_that_names_no_function_is_refused(path: str) -> None:
    with pytest.raises(KeyUnusable, match="SHUZHENG_SIGNERS"):
        load_finder(path)


@pytest.mark.parametrize("name", ["seal-310", "seal-331", "seal-462"])
def test_device_tells_the_whole_point_of_a_key_that_begins_with_04(name: str) -> None:
    scalar = find_scalar(name)
    assert scalar is not None
    point = open_key(scalar).public_key
    assert point.startswith("04")
    assert parse_point(bytes.fromhex(f"04{point}"))
