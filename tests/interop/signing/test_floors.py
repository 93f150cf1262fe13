"""The oldest versions that pyproject.toml allows do run `signing`: what it declares is true."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.interop import harness

pytestmark = pytest.mark.interop

STOOD_ON = {"cryptography", "gmssl", "pillow"}
TESTED_WITH = ["pytest>=9", "pytest-asyncio>=1.3", "hypothesis>=6.150"]
TESTS = [
    "test_sm2.py",
    "test_sm2_engines.py",
    "test_sm2_vectors.py",
    "test_sm3_sm4.py",
    "test_keys.py",
    "test_pictures.py",
    "test_signer.py",
    "test_cms.py",
    "test_receipts.py",
    "x509",
]


def floors() -> list[str]:
    """Pin each outside package of `signing` to the least version that the extra `hub` asks for."""
    project = tomllib.loads((harness.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found = dict(
        re.fullmatch(r"([a-z0-9-]+)(?:\[[a-z]+\])?>=([0-9.]+)", each).groups()  # type: ignore[union-attr]
        for each in project["project"]["optional-dependencies"]["hub"]
    )
    return [f"{name}=={found[name]}" for name in sorted(STOOD_ON)]


def test_oldest_versions_allowed_pass_the_tests_of_signing() -> None:
    python = harness.python_venv("floors", [*floors(), *TESTED_WITH])
    tests = [f"tests/unit/signing/{each}" for each in TESTS]
    printed = harness.run(
        [
            python,
            "-m",
            "pytest",
            "-q",
            "--noconftest",
            "-p",
            "tests.untimed",
            "-p",
            "no:cacheprovider",
            *tests,
        ],
        cwd=harness.ROOT,
    )
    assert re.search(r"^\d{3,} passed", printed, re.MULTILINE), printed[-2000:]
