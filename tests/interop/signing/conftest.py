"""What the tests with Bouncy Castle share: one run of its harness makes everything of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from signing import sm3
from signing.timestamp.request import MessageImprint, TimeStampRequest
from signing.x509.certificate import Certificate
from signing.x509.profiles import Profile
from tests.interop import harness
from tests.interop.signing.bouncy_castle import CONTENT, Castle
from tests.unit.signing.hierarchy import hierarchy


@pytest.fixture(scope="session")
def castle(tmp_path_factory: pytest.TempPathFactory) -> Castle:
    """Bouncy Castle in a directory with our hierarchy and one file of each kind that it makes."""
    world = hierarchy()
    project = Path(__file__).resolve().parents[1] / "java-bc"
    castle = Castle(harness.java_command(project, "harness.Main"), tmp_path_factory.mktemp("java-bc"))
    castle.write("root", world.root.certificate.der)
    castle.write("issuing", world.issuing.certificate.der)
    for profile, holder in world.holders.items():
        castle.write(profile.value, holder.certificate.der)
    castle.write("key", world[Profile.SEAL_SIGNER].key.to_pkcs8())
    castle.write("content", CONTENT)
    query = TimeStampRequest(
        imprint=MessageImprint.of_sm3(sm3.digest(CONTENT)), policy=None, nonce=5, certificates_wanted=True
    )
    castle.write("query", query.der)
    castle.accepts("make", "content", "query")
    return castle


@pytest.fixture(scope="session")
def foreign(castle: Castle) -> dict[str, Certificate]:
    """Read the certificates that Bouncy Castle issued."""
    return {each: Certificate.parse(castle.read(f"bc-{each}")) for each in ("root", "issuing", "signer")}
