"""What a kept secret costs to guess, in a process of its own: the tests themselves hash cheaply."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import asyncio
from core.identity.hashing import SecretHasher
print(asyncio.run(SecretHasher().hash("a secret")))
"""


def test_kept_secret_is_argon2id_of_nineteen_mebibytes_and_two_rounds() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
