"""A signing device for tests: a process of its own that holds keys and signs digests with gmssl.

`python -m tests.integration.hub.device SOCKET` serves a Unix socket until its input ends. A line `NAME` is
answered with the public point in hex, a line `NAME DIGEST` with r ‖ s in hex, an unknown name with nothing.
"""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import sys
import threading
from pathlib import Path

from gmssl import func, sm2

from signing.curve import parse_point
from signing.digest_signer import DigestSigner
from signing.sm2 import PublicKey

SOCKET = "SHUZHENG_TEST_DEVICE"
SCALARS = {"root-ca": 0x1001, "issuing-ca": 0x1002, "hub-signer": 0x1003}


def find_scalar(name: str) -> int | None:
    """Tell the secret of a key: those above, the maker of seals, and every seal's own; None for others."""
    if name.startswith("seal-"):
        return int.from_bytes(hashlib.sha256(name.encode()).digest()) >> 1
    return SCALARS.get(name)


def open_key(scalar: int) -> sm2.CryptSM2:
    key = sm2.CryptSM2(private_key=f"{scalar:064x}", public_key="")
    key.public_key = key._kg(scalar, key.ecc_table["g"])  # given above, it would lose its first 04, 004, …
    return key


class Handler(socketserver.StreamRequestHandler):
    """Answers one line."""

    def handle(self) -> None:
        name, _, digest = self.rfile.readline().decode().strip().partition(" ")
        answer = ""
        if (scalar := find_scalar(name)) is not None:
            key = open_key(scalar)
            answer = key.public_key
            if digest:
                answer = key.sign(bytes.fromhex(digest), func.random_hex(key.para_len))
        self.wfile.write(f"{answer}\n".encode())


def ask(line: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(os.environ[SOCKET])
        connection.sendall(f"{line}\n".encode())
        with connection.makefile() as answer:
            return bytes.fromhex(answer.readline().strip())


def find(name: str) -> list[DigestSigner]:
    """Find the signers of a name: what SHUZHENG_SIGNERS names."""
    point = ask(name)
    if not point:
        return []
    key = PublicKey.from_point(parse_point(b"\x04" + point))
    return [DigestSigner(key, lambda digest: ask(f"{name} {digest.hex()}"))]


def main() -> None:
    path = Path(sys.argv[1])
    with socketserver.ThreadingUnixStreamServer(str(path), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main()
