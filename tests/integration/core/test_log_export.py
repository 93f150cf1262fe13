"""Exports: verified offline, restored, and with payloads dropped."""

from __future__ import annotations

import asyncio
import re
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.database import Database
from core.database.migrate import apply_migrations, load_migrations
from core.errors import Conflict, PreconditionFailed
from core.log.anchor import Anchor
from core.log.archive import ArchiveReader
from core.log.chain import split_entry
from core.log.export_check import ExportCheck
from core.log.model import Event
from core.log.restore import restore_log
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.writer import LogWriter
from core.settings import Settings
from hub.services import MIGRATED_PACKAGES, Services, open_services, utc_now
from signing.errors import ShuzhengError
from signing.merkle.proofs import verify_inclusion
from signing.merkle.tiles import parse_entry_bundle
from tests.integration.core.log_acts import (
    NUMBER,
    OTHER,
    SUITE,
    settle,
    trust_of,
)


@pytest.fixture
async def exported(services: Services, tmp_path: Path) -> Path:
    """An export of a log with chains, several heads and dropped payloads."""
    old = LogWriter(subject_key=b"k" * 32, now=lambda: datetime(2024, 1, 1, tzinfo=UTC))
    for subject in (NUMBER, OTHER, NUMBER):
        async with services.database.transaction() as connection:
            await old.append(connection, event=Event.TOKEN_REVOKED, caller=None, subject=subject)
    await settle(services)
    retention = RetentionService(database=services.database, log=old, now=utc_now)
    with pytest.raises(PreconditionFailed):
        await retention.drop(before=utc_now() - timedelta(days=30), caller=None)
    new = LogWriter(subject_key=b"k" * 32, now=utc_now)
    retention = RetentionService(database=services.database, log=new, now=utc_now)
    assert (await retention.drop(before=datetime(2024, 2, 1, tzinfo=UTC), caller=None)).leaves == 3
    async with services.database.transaction() as connection:
        for _ in range(300):
            await new.append(connection, event=Event.TOKEN_REVOKED, caller=None, subjects=(NUMBER, OTHER))
    await settle(services)
    path = tmp_path / "log.zip"
    await services.log.export.export(path, caller=None)
    return path


async def test_export_verifies_with_the_ca_certificate_alone_and_restores(
    services: Services, exported: Path, database_url: str
) -> None:
    report, manifest, heads = ExportCheck(exported, trust=trust_of(services), now=utc_now).run()
    assert report.is_whole, report.findings
    assert report.tree_size - report.leaves == 3
    with pytest.raises(Conflict):
        await restore_log(services.database, ArchiveReader(exported), manifest, heads=heads)
    archive = await Database.connect(database_url, pool_size=2, timeout_s=10)
    name = "archive_of_" + database_url.rsplit("/", maxsplit=1)[-1].split("?", maxsplit=1)[0]
    async with archive.acquire() as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
    restored = await Database.connect(
        re.sub(r"/test_[0-9_]+\?", f"/{name}?", database_url), pool_size=2, timeout_s=10
    )
    try:
        await apply_migrations(restored, load_migrations(MIGRATED_PACKAGES))
        await restore_log(restored, ArchiveReader(exported), manifest, heads=heads)
        check = SelfCheck(
            database=restored, log=services.log_writer, heads=heads, anchor=Anchor(None), now=utc_now
        )
        found = await check.assess()
        assert found.is_whole, found.findings
        assert (found.tree_size, found.root_hash) == (report.tree_size, report.root_hash)
    finally:
        await restored.close()
        async with archive.acquire() as connection:
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await archive.close()


def _with_last_bit_flipped(content: bytes) -> bytes:
    return content[:-1] + bytes((content[-1] ^ 1,))


async def test_export_with_any_file_altered_or_left_out_is_not_whole(
    services: Services, exported: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(exported) as whole:
        files = {name: whole.read(name) for name in whole.namelist()}
    for name, content in files.items():
        if name == "certificates.pem":
            continue
        for changed in (
            None,
            content + b" " if name.endswith(("jsonl", "json")) else _with_last_bit_flipped(content),
        ):
            path = tmp_path / "altered.zip"
            path.unlink(missing_ok=True)
            with zipfile.ZipFile(path, "w") as altered:
                for each, data in files.items():
                    if each != name or changed is not None:
                        altered.writestr(each, changed if each == name and changed is not None else data)
            try:
                report, _, _ = ExportCheck(path, trust=trust_of(services), now=utc_now).run()
            except ShuzhengError:
                continue
            assert not report.is_whole, name


async def test_dropped_leaf_stays_provable_while_its_payload_is_gone(
    services: Services, exported: Path
) -> None:
    proved = await services.log.proofs.prove_index(0, tree_size=None)
    report = await services.log.check.assess()
    assert report.is_whole, report.findings
    verify_inclusion(
        SUITE,
        leaf_hash=proved.leaf_hash,
        index=0,
        size=proved.checkpoint.tree_size,
        proof=proved.proof,
        root=proved.checkpoint.root_hash,
    )
    with zipfile.ZipFile(exported) as archive:
        first = archive.namelist()[1]
        assert first.startswith("tile/entries/")
        entry = next(each for each in parse_entry_bundle(archive.read(first), 256) if each)
    assert split_entry(entry)[0].startswith("{")


async def test_retention_by_setting_drops_once_a_day_and_the_log_stays_whole(services: Services) -> None:
    old = LogWriter(subject_key=b"k" * 32, now=lambda: utc_now() - timedelta(days=200))
    for _ in range(5):
        async with services.database.transaction() as connection:
            await old.append(connection, event=Event.TOKEN_REVOKED, caller=None, subject=NUMBER)
    await settle(services)
    assert await services.log.retention.drop_expired(keep_days=201) == 0
    assert await services.log.retention.drop_expired(keep_days=199) == 5
    assert await services.log.retention.drop_expired(keep_days=199) == 0
    await settle(services)
    report = await services.log.check.assess()
    assert report.is_whole, report.findings
    with pytest.raises(PreconditionFailed):
        await services.log.retention.drop_expired(keep_days=182)


async def test_hub_with_a_retention_setting_drops_by_itself(hub_settings: Settings) -> None:
    async with open_services(hub_settings) as services:
        old = LogWriter(subject_key=b"k" * 32, now=lambda: utc_now() - timedelta(days=400))
        async with services.database.transaction() as connection:
            await old.append(connection, event=Event.TOKEN_REVOKED, caller=None)
        await settle(services)
    kept = hub_settings.model_copy(update={"log_retention_days": 300})
    async with open_services(kept) as services, services.database.acquire() as connection:
        for _ in range(100):
            if await connection.fetchval("SELECT count(*) FROM core.log_drop"):
                break
            await asyncio.sleep(0.05)
        assert await connection.fetchval("SELECT count(*) FROM core.log_drop") == 1
