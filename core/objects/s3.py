"""Objects in an S3 bucket, through the `minio` SDK (the only place that names it)."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import timedelta
from http import HTTPStatus
from xml.etree.ElementTree import ParseError

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError

from core.errors import BadInput, Conflict, NotFound, Unavailable
from core.objects.store import check_key
from core.settings import Settings

TROUBLES = (OSError, urllib3.exceptions.HTTPError, InvalidResponseError, ServerError, ParseError)
_PUT_WITHIN = timedelta(minutes=15)
MISSING_CODES = {"NoSuchKey", "NoSuchObject", "NotFound"}


class S3Store:
    """Objects below `prefix` in one bucket.

    The server must read after it wrote, and honour `If-None-Match: *` on PUT (RFC 9110 13.1.2), by which the
    first of several writers wins; `open_s3_store` tries that out.
    """

    def __init__(self, client: Minio, http: urllib3.PoolManager, *, bucket: str, prefix: str) -> None:
        self._client = client
        self._http = http
        self._bucket = bucket
        self._prefix = prefix

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`; other bytes under a key in use raise Conflict."""
        if not self._put_first(self._prefix + check_key(key), data) and self.get(key) != data:
            msg = f"another object is already stored as {key}"
            raise Conflict(msg)

    def _put_first(self, name: str, data: bytes) -> bool:
        """Write an object where there is none; False, and nothing written, where there is one.

        The SDK's own upload cannot carry the condition, so the request goes to an address that it signs.
        """
        try:
            address = self._client.get_presigned_url("PUT", self._bucket, name, expires=_PUT_WITHIN)
            answer = self._http.request("PUT", address, body=data, headers={"If-None-Match": "*"})
        except (*TROUBLES, S3Error) as trouble:
            raise _unavailable() from trouble
        if answer.status not in {HTTPStatus.OK, HTTPStatus.PRECONDITION_FAILED}:
            raise _unavailable()
        return answer.status == HTTPStatus.OK

    def require_conditional_writes(self) -> None:
        """Raise BadInput where the server overwrites an object in spite of the condition."""
        name = f"{self._prefix}probe-{secrets.token_hex(8)}"
        try:
            if not (self._put_first(name, b"1") and not self._put_first(name, b"2")):
                msg = "the S3 server ignores If-None-Match on PUT; use one that honours it"
                raise BadInput(msg)
        finally:
            self._client.remove_object(self._bucket, name)

    def get(self, key: str) -> bytes:
        """Return the bytes under `key`. Raises NotFound."""
        return self._read(key, 0, 0)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return `length` bytes under `key`, at least one, from `start` on. Raises NotFound."""
        return self._read(key, start, length)

    def _read(self, key: str, offset: int, length: int) -> bytes:
        """Read bytes from `offset` on; length 0 means all."""
        try:
            response = self._client.get_object(
                self._bucket, self._prefix + check_key(key), offset=offset, length=length
            )
        except S3Error as trouble:
            if trouble.code in MISSING_CODES:
                msg = f"no object is stored as {key}"
                raise NotFound(msg) from None
            raise _unavailable() from trouble
        except TROUBLES as trouble:
            raise _unavailable() from trouble
        try:
            return bytes(response.read())
        except TROUBLES as trouble:
            raise _unavailable() from trouble
        finally:
            response.close()
            response.release_conn()

    def size(self, key: str) -> int:
        """Return how many bytes are under `key`. Raises NotFound."""
        try:
            return int(self._client.stat_object(self._bucket, self._prefix + check_key(key)).size or 0)
        except S3Error as trouble:
            if trouble.code in MISSING_CODES:
                msg = f"no object is stored as {key}"
                raise NotFound(msg) from None
            raise _unavailable() from trouble
        except TROUBLES as trouble:
            raise _unavailable() from trouble

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under `key`."""
        try:
            self.size(key)
        except NotFound:
            return False
        return True

    def keys(self, prefix: str = "") -> Iterator[str]:
        """List the keys that begin with `prefix`, in order."""
        try:
            for entry in self._client.list_objects(
                self._bucket, prefix=self._prefix + prefix, recursive=True
            ):
                yield str(entry.object_name)[len(self._prefix) :]
        except (*TROUBLES, S3Error) as trouble:
            raise _unavailable() from trouble

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens where there is none."""
        try:
            self._client.remove_object(self._bucket, self._prefix + check_key(key))
        except (*TROUBLES, S3Error) as trouble:
            raise _unavailable() from trouble


def _unavailable() -> Unavailable:
    return Unavailable("the object store does not answer or refuses; nothing was changed; try again later")


def open_s3_store(place: str, settings: Settings) -> S3Store:
    """Open `s3://bucket[/prefix]`, making the bucket where it is missing."""
    bucket, _, prefix = place.removeprefix("s3://").partition("/")
    if not bucket or settings.s3_endpoint is None:
        msg = (
            "an S3 object store needs SHUZHENG_OBJECT_STORE=s3://bucket[/prefix]"
            " and SHUZHENG_S3_ENDPOINT=host:port"
        )
        raise BadInput(msg)
    http = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=5, read=30), retries=urllib3.Retry(total=3, backoff_factor=0.2)
    )
    client = Minio(
        settings.s3_endpoint,
        access_key=settings.s3_access_key.get_secret_value() if settings.s3_access_key else None,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
        secure=settings.s3_secure,
        http_client=http,
    )
    folder = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    store = S3Store(client, http, bucket=bucket, prefix=folder)
    try:
        if not client.bucket_exists(bucket):
            _make_bucket(client, bucket)
        store.require_conditional_writes()
    except (*TROUBLES, S3Error) as trouble:
        raise _unavailable() from trouble
    return store


def _make_bucket(client: Minio, bucket: str) -> None:
    """Make the bucket; another hub that starts at the same moment may be first."""
    try:
        client.make_bucket(bucket)
    except S3Error as trouble:
        if trouble.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
            raise
