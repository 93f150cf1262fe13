"""S3 for connectors: the options of a bucket, a client, and what its errors mean."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import Field, SecretStr

from connectors.errors import TerminalError, TransientError
from connectors.optional import load_optional
from connectors.options import Options

TIMEOUT_S: Final = 60.0
_PASSING: Final = {
    "InternalError",
    "OperationAborted",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "ServerBusy",
    "TooManyRequests",
    "XMinioServerNotInitialized",
}


class BucketOptions(Options):
    """Where a bucket is, and who asks."""

    endpoint: str = Field(description="host, or host:port")
    bucket: str
    prefix: str = Field(default="", description="what names of objects begin with, as in `exports/`")
    access_key: str
    secret_key: SecretStr
    region: str | None = None
    secure: bool = Field(default=True, description="https; false only in a network of one's own")


def open_client(options: Any) -> Any:
    """Make a client that gives up in time and leaves trying again to the runner; it connects later."""
    minio = load_optional("minio", extra="s3")
    urllib3 = load_optional("urllib3", extra="s3")
    try:
        return minio.Minio(
            options.endpoint,
            access_key=options.access_key,
            secret_key=options.secret_key.get_secret_value(),
            secure=options.secure,
            region=options.region,
            http_client=urllib3.PoolManager(timeout=TIMEOUT_S, retries=urllib3.Retry(total=1)),
        )
    except ValueError as wrong:
        msg = f"the endpoint or region cannot be used: {wrong}"
        raise TerminalError(msg) from wrong


@contextmanager
def told_plainly() -> Iterator[None]:
    """Turn the errors of S3 into ours."""
    minio_errors = load_optional("minio.error", extra="s3")
    urllib3_errors = load_optional("urllib3.exceptions", extra="s3")
    try:
        yield
    except minio_errors.S3Error as trouble:
        kind = TransientError if trouble.code in _PASSING else TerminalError
        msg = f"the bucket says {_word(trouble.code)}"
        raise kind(msg) from trouble
    except minio_errors.ServerError as trouble:
        msg = f"the S3 server answers {trouble.status_code}"
        raise TransientError(msg) from trouble
    except (minio_errors.InvalidResponseError, urllib3_errors.HTTPError) as trouble:
        msg = f"the S3 server does not answer ({type(trouble).__name__})"
        raise TransientError(msg) from trouble


def _word(code: Any) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", str(code))[:60]
