"""The object stores that a bench runs on: a directory, and S3 where a server can be built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import SecretStr

from core.settings import Settings
from tests.interop.s3_server import S3Server, running_s3_server

BUCKET: Final = "bench"


@contextmanager
def stores(folder: Path) -> Iterator[dict[str, S3Server | None]]:
    """Name the stores there are; the server (MinIO) runs until the block ends."""
    data = folder / "s3"
    data.mkdir()
    try:
        with running_s3_server(data) as server:
            yield {"directory": None, "s3": server}
    except pytest.skip.Exception as reason:
        print(f"S3 IS LEFT OUT: {reason}", flush=True)
        yield {"directory": None}


def settings_on(server: S3Server | None, **fields: Any) -> Settings:
    """Settings of a hub on one of the stores."""
    if server is not None:
        fields |= {
            "object_store": f"s3://{BUCKET}",
            "s3_endpoint": server.endpoint,
            "s3_access_key": SecretStr(server.access_key),
            "s3_secret_key": SecretStr(server.secret_key),
            "s3_secure": False,
        }
    return Settings(**fields)
