"""Bringing changes as files, Parquet or CSV, into a folder or an S3 bucket, each with its signed manifest.

A file's name holds the places of its first and last change and the beginning of its digest, so that a message
that comes again finds itself there. The manifest is written last: a file that has one is whole.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import SecretStr

from core.errors import BadInput, Conflict, Unavailable
from core.objects.s3 import open_s3_store
from core.objects.store import DirectoryStore, ObjectStore
from core.settings import Settings
from signing import sm3
from subscriptions.delivery.manifest import place_at
from subscriptions.feed.page import Form, Page
from subscriptions.push.addresses import AddressBook
from subscriptions.push.model import Message, MessageRefused, TargetDown, TargetGone

SUFFIX: Final = {Form.PARQUET: "parquet", Form.CSV: "csv"}
_ENDPOINT: Final = re.compile(r"(?P<host>.+?)(?::(?P<port>\d+))?", re.ASCII)


class DirectoryCarrier:
    """Writes into folders below `root`; None: into none."""

    def __init__(self, root: Path | None) -> None:
        self._root = root

    async def deliver(self, message: Message, secret: str | None) -> None:  # noqa: ARG002
        """Write one file and its manifest. Raises TargetDown or TargetGone."""
        if self._root is None:
            msg = "this hub pushes no files into folders; its operator sets SHUZHENG_PUSH_DIRECTORY"
            raise TargetGone(msg)
        folder = self._root / str(message.target.subscription_id) / str(message.target.address["folder"])
        await asyncio.to_thread(_write, lambda: DirectoryStore(_make(folder)), message.page)


class S3Carrier:
    """Writes into buckets of S3 servers."""

    def __init__(self, *, addresses: AddressBook) -> None:
        self._addresses = addresses

    async def deliver(self, message: Message, secret: str | None) -> None:
        """Write one object and its manifest. Raises TargetDown, MessageRefused or TargetGone."""
        address = message.target.address
        found = _ENDPOINT.fullmatch(str(address["endpoint"]))
        assert found is not None
        is_secure = address["secure"] is True
        port = int(found["port"] or (443 if is_secure else 80))
        place = await self._addresses.find(found["host"], port)
        if not is_secure and not place.is_listed:
            msg = "buckets outside the listed networks must be reached by https"
            raise TargetGone(msg)
        settings = Settings(
            s3_endpoint=str(address["endpoint"]) if is_secure else place.authority,
            s3_access_key=SecretStr(str(address["access_key"])),
            s3_secret_key=SecretStr(secret or ""),
            s3_secure=is_secure,
        )
        location = f"s3://{address['bucket']}/{address['prefix']}"
        await asyncio.to_thread(_write, lambda: open_s3_store(location, settings), message.page)


def name_file(page: Page) -> str:
    """Name the file of a page."""
    first, last = place_at(page.table, 0), place_at(page.table, page.table.num_rows - 1)
    places = "-".join(f"{place.version:012d}.{place.sequence:012d}" for place in (first, last))
    return f"{page.resource_code}-{places}-{sm3.digest(page.body).hex()[:16]}.{SUFFIX[page.form]}"


def _make(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write(open_store: Callable[[], ObjectStore], page: Page) -> None:
    name = name_file(page)
    try:
        store = open_store()
        store.put(name, page.body)
        if not store.exists(f"{name}.manifest.json"):
            store.put(f"{name}.manifest.json", page.receipt)
    except Conflict as refused:
        msg = "another file of that name is there already"
        raise MessageRefused(msg) from refused
    except (Unavailable, BadInput, OSError) as trouble:
        msg = f"the store does not answer or refuses ({type(trouble).__name__})"
        raise TargetDown(msg) from trouble
