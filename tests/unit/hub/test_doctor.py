"""`shuzheng doctor` says which SM2 engine runs, why, and what speaks against it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def doctor(**environment: str) -> tuple[int, str]:
    """Run the command with more environment; return its exit code and words, however they are wrapped."""
    done = subprocess.run(
        [sys.executable, "-c", "from hub.cli import main; main()", "doctor"],
        env=os.environ | {"COLUMNS": "200"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def test_doctor_where_libcrypto_works_names_it_and_says_why() -> None:
    code, words = doctor()
    assert code == 0
    assert "SM2 engine libcrypto OpenSSL" in words
    assert "libcrypto is the first choice and works" in words
    assert "warning" not in words


def test_doctor_without_libcrypto_names_gmssl_says_why_and_warns() -> None:
    code, words = doctor(SHUZHENG_LIBCRYPTO="/nowhere/libcrypto.so")
    assert code == 0
    assert "SM2 engine gmssl" in words
    assert "gmssl runs because /nowhere/libcrypto.so: it cannot be loaded" in words
    assert "running time depends on the secret key" in words


@pytest.mark.parametrize(
    ("forced", "words"),
    [("libcrypto", "it cannot be loaded"), ("nonesuch", "must be libcrypto or gmssl")],
)
def test_doctor_where_no_engine_works_fails_with_the_reason(forced: str, words: str) -> None:
    code, printed = doctor(SHUZHENG_SM2_ENGINE=forced, SHUZHENG_LIBCRYPTO="/nowhere/libcrypto.so")
    assert code == 1
    assert "SM2 engine none works" in printed
    assert words in printed
