"""The log without the rest of the hub, for the command line: no routes, no background work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.database import Database
from core.database.migrate import apply_migrations, load_migrations
from core.log.services import LogServices
from core.pki.service import HUB_SIGNER_KEY, PkiService
from core.settings import Settings
from hub.keys import open_keys, open_master_key
from hub.log import assemble_log, build_log_writer
from hub.services import MIGRATED_PACKAGES, RECEIPT_ISSUER, utc_now
from signing.merkle.receipts import BatchSigner
from signing.merkle.receipts_async import Batcher
from signing.x509.names import Name
from signing.x509.profiles import Profile


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to the database of `settings`, migrated, until the block ends."""
    assert settings.database_url is not None
    database = await Database.connect(
        settings.database_url.get_secret_value(), pool_size=4, timeout_s=settings.database_timeout_s
    )
    try:
        await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_log(settings: Settings) -> AsyncIterator[LogServices]:
    """Open the log of the hub that `settings` describe, until the block ends."""
    master_key = await asyncio.to_thread(open_master_key, settings)
    writer = build_log_writer(settings, master_key, utc_now)
    async with open_database(settings) as database:
        pki = await PkiService.open(
            database=database,
            key_store=open_keys(settings, master_key),
            log=writer,
            now=utc_now,
            public_url=settings.resolve_public_url(),
        )
        hub_signer = await pki.certified_signer(
            name=HUB_SIGNER_KEY,
            profile=Profile.HUB_SIGNER,
            subject=Name.build(common_name="Shuzheng Hub", organization="Shuzheng"),
        )
        batch = BatchSigner(
            signer=hub_signer.signer,
            issuer=RECEIPT_ISSUER,
            clock=utc_now,
            certificates=(hub_signer.certificate.der, pki.issuing.der),
        )
        async with Batcher(batch, max_wait_ms=1.0) as batcher:
            log = await assemble_log(
                settings,
                database=database,
                writer=writer,
                pki=pki,
                signer=hub_signer.signer,
                batcher=batcher,
                master_key=master_key,
                now=utc_now,
            )
            yield log
