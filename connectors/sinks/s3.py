"""Objects of an S3 bucket, Parquet or CSV, each with its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from connectors.errors import TerminalError
from connectors.optional import load_optional
from connectors.s3 import BucketOptions, open_client, told_plainly
from connectors.sinks.files import FileSink, FileSinkOptions


class S3SinkOptions(BucketOptions, FileSinkOptions):
    """The options of `kind = "s3"`."""


class S3Sink(FileSink):
    """Puts objects below the prefix."""

    options_model = S3SinkOptions

    def __init__(self, options: S3SinkOptions) -> None:
        super().__init__(options)
        self._options = options
        self._open: Any = None

    def load(self, name: str) -> bytes | None:
        """Return an object's bytes."""
        missing = load_optional("minio.error", extra="s3").S3Error
        try:
            with told_plainly():
                answer = self._client().get_object(self._options.bucket, self._options.prefix + name)
                try:
                    return bytes(answer.read())
                finally:
                    answer.close()
                    answer.release_conn()
        except TerminalError as trouble:
            cause = trouble.__cause__
            if isinstance(cause, missing) and getattr(cause, "code", "") == "NoSuchKey":
                return None
            raise

    def store(self, name: str, path: Path) -> None:
        """Put an object."""
        with told_plainly():
            self._client().fput_object(self._options.bucket, self._options.prefix + name, str(path))

    def close(self) -> None:
        """Forget the client; its connections close with it."""
        self._open = None

    def _client(self) -> Any:
        if self._open is None:
            self._open = open_client(self._options)
        return self._open
