"""A real S3 server on loopback: MinIO, built from source by Go, serving a folder of the test's own."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.interop.harness import go_install

MINIO = "github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c"


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Server:
    """A running server: its address as host:port, and the only keys that it knows."""

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def environment(self) -> dict[str, str]:
        """What a hub needs to use it, but for the bucket."""
        return {
            "SHUZHENG_S3_ENDPOINT": self.endpoint,
            "SHUZHENG_S3_ACCESS_KEY": self.access_key,
            "SHUZHENG_S3_SECRET_KEY": self.secret_key,
            "SHUZHENG_S3_SECURE": "false",
        }


@contextmanager
def running_s3_server(folder: Path, like: S3Server | None = None) -> Iterator[S3Server]:
    """Build the server where that has not been done, run it until the block ends, which kills it.

    It has a free port and keys of its own, or those of a server that it comes after.
    """
    program = go_install(MINIO)
    server = like or S3Server(
        endpoint=f"127.0.0.1:{_free_port()}", access_key="tester", secret_key=secrets.token_hex(16)
    )
    environment = os.environ | {
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_CI_CD": "1",
    }
    command = [str(program), "server", "--quiet", "--address", server.endpoint, str(folder)]
    with (folder.parent / "s3.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            _wait_until_ready(server, process, folder.parent / "s3.log")
            yield server
        finally:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"http://{server.endpoint}/minio/health/ready", timeout=2).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail("the S3 server did not start:\n" + log.read_text(encoding="utf-8", errors="replace")[-2000:])
