"""Files of an S3 bucket. Objects appear whole, so none has to settle."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from connectors.errors import TransientError
from connectors.optional import load_optional
from connectors.s3 import BucketOptions, open_client, told_plainly
from connectors.sources.files.feed import FileSource
from connectors.sources.files.model import Entry, FileOptions

PIECE_BYTES: Final = 1024 * 1024


class S3Options(BucketOptions, FileOptions):
    """The options of `kind = "s3"`: CSV, Excel and Parquet objects below a prefix."""

    move_to: str | None = Field(default=None, description="a prefix for what was read, outside `prefix`")


class S3Source(FileSource):
    """Reads the objects of a bucket, each through a temporary file."""

    options_model = S3Options

    def __init__(self, options: S3Options) -> None:
        super().__init__(options, S3Place(options), puts_away=options.move_to is not None)


class S3Place:
    """Objects below a prefix; their names here are what follows it."""

    def __init__(self, options: S3Options) -> None:
        self._options = options
        self._open: Any = None

    def list_files(self) -> Sequence[Entry]:
        """List the objects."""
        with told_plainly():
            found = self._client().list_objects(
                self._options.bucket, prefix=self._options.prefix, recursive=True
            )
            return [
                Entry(
                    name=item.object_name.removeprefix(self._options.prefix),
                    mark=f"{item.size}:{item.etag}",
                    written_s=item.last_modified.timestamp(),
                )
                for item in found
                if not item.is_dir and not self._is_away(item.object_name)
            ]

    def is_settled(self, entry: Entry) -> bool:  # noqa: ARG002
        """An object is there whole or not at all."""
        return True

    @contextmanager
    def fetch(self, entry: Entry) -> Iterator[Path]:
        """Download an object. Raises TransientError where it was replaced since it was listed."""
        with tempfile.TemporaryDirectory(prefix="shuzheng-") as folder:
            path = Path(folder) / Path(entry.name).name
            with told_plainly():
                answer = self._client().get_object(self._options.bucket, self._options.prefix + entry.name)
                try:
                    if answer.headers.get("ETag", "").strip('"') != entry.mark.partition(":")[2]:
                        msg = f"{entry.name} was replaced while it was read; it is read anew"
                        raise TransientError(msg)
                    with path.open("wb") as out:
                        for piece in answer.stream(PIECE_BYTES):
                            out.write(piece)
                finally:
                    answer.close()
                    answer.release_conn()
            yield path

    def put_away(self, entry: Entry, *, names: Sequence[str]) -> None:
        """Copy the object below the other prefix, then remove it."""
        copy_source = load_optional("minio.commonconfig", extra="s3").CopySource
        bucket, client = self._options.bucket, self._client()
        with told_plainly():
            for name in (entry.name, *names):
                there = self._options.prefix + name
                client.copy_object(bucket, f"{self._options.move_to}{name}", copy_source(bucket, there))
                client.remove_object(bucket, there)

    def close(self) -> None:
        """Forget the client; its connections close with it."""
        self._open = None

    def _is_away(self, name: str) -> bool:
        return self._options.move_to is not None and name.startswith(self._options.move_to)

    def _client(self) -> Any:
        if self._open is None:
            self._open = open_client(self._options)
        return self._open
