"""Where the tables of the lake lie: below `lake/` in the object store, as delta-rs is told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from core.objects.store import directory_of
from core.settings import Settings

FOLDER: Final = "lake"
REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LakePlace:
    """The root of the lake, and the options that delta-rs needs to reach it."""

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def table_uri(self, code: str) -> str:
        """Return the address of a resource's table."""
        return f"{self.root}/{code}"


def object_key(code: str, path: str) -> str:
    """Return the key in the object store of a file of a resource's table."""
    return f"{FOLDER}/{code}/{path}"


def find_place(settings: Settings) -> LakePlace:
    """Find the lake of a hub: in its bucket or its directory.

    On S3 a commit is written with `If-None-Match`, so that of two writers one wins, as in `core.objects.s3`.
    """
    place = settings.object_store
    if place is None or not place.startswith("s3://"):
        return LakePlace(root=str(directory_of(settings).resolve() / FOLDER))
    scheme = "https" if settings.s3_secure else "http"
    options = {
        "AWS_ENDPOINT_URL": f"{scheme}://{settings.s3_endpoint}",
        "AWS_REGION": REGION,
        "AWS_ALLOW_HTTP": str(not settings.s3_secure).lower(),
        "aws_conditional_put": "etag",
        "timeout": "60s",
        "connect_timeout": "5s",
        "max_retries": "3",
        "retry_timeout": "20s",
    }
    if settings.s3_access_key is not None and settings.s3_secret_key is not None:
        options["AWS_ACCESS_KEY_ID"] = settings.s3_access_key.get_secret_value()
        options["AWS_SECRET_ACCESS_KEY"] = settings.s3_secret_key.get_secret_value()
    return LakePlace(root=f"{place.rstrip('/')}/{FOLDER}", options=options)
