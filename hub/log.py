"""The transparency log as this hub runs it, alone (for the command line) or as one of its services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import certs.recorded
import core.recorded
import evidence.recorded
import exchange.recorded
import subscriptions.recorded
from certs.issue.store_audit import CERTIFICATES, STATUS_CHANGES
from core.database import Database
from core.log.adoption import adopt_tables
from core.log.anchor import Anchor
from core.log.export import ExportService
from core.log.heads import HeadKeys
from core.log.proofs import ProofService
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.sequencer import Sequencer
from core.log.services import LogServices
from core.log.subjects import BatchStatements, SubjectService
from core.log.time_stamps import TimeStamper, TimeStampTrust
from core.log.views import ViewService
from core.log.witnesses import WitnessService
from core.log.writer import LogWriter
from core.pki.service import HUB_SIGNER_KEY, PkiService
from core.settings import Settings
from exchange.catalogue.store import load_all_codes
from exchange.publish.store_audit import VERSIONS
from hub.keys import derive_key
from hub.owners import DataOwners
from signing.merkle.notes import Ed25519NoteSigner
from signing.merkle.receipts_async import Batcher
from signing.signer import Signer
from signing.x509.certificate import Certificate
from signing.x509.pem import parse_pem

ANCHOR_FILE: Final = "log-anchor"
RECORDED_TABLES: Final = (
    *core.recorded.RECORDED,
    *exchange.recorded.RECORDED,
    *certs.recorded.RECORDED,
    *subscriptions.recorded.RECORDED,
    *evidence.recorded.RECORDED,
)


def build_log_writer(settings: Settings, master_key: bytes, now: Callable[[], datetime]) -> LogWriter:
    """Build the writer of leaves."""
    return LogWriter(
        subject_key=derive_key(master_key, "subject"),
        now=now,
        suite=settings.log_hash,
        owners=DataOwners(),
    )


async def assemble_log(
    settings: Settings,
    *,
    database: Database,
    writer: LogWriter,
    pki: PkiService,
    signer: Signer,
    batcher: Batcher,
    master_key: bytes,
    now: Callable[[], datetime],
) -> LogServices:
    """Assemble the log's services; `signer` signs heads, `batcher` statements and exports."""
    await adopt_tables(database, writer, RECORDED_TABLES)
    heads = await _build_heads(settings, pki=pki, signer=signer, master_key=master_key)
    anchor = Anchor(settings.home / ANCHOR_FILE)
    trust = await asyncio.to_thread(_time_stamp_trust, settings, pki)
    proofs = ProofService(database=database, log=writer, heads=heads)

    async def load_certificates() -> list[Certificate]:
        return [*await pki.load_certificates(HUB_SIGNER_KEY), pki.issuing]

    return LogServices(
        database=database,
        writer=writer,
        heads=heads,
        sequencer=Sequencer(
            database=database, heads=heads, interval_s=settings.log_interval_s, now=now, anchor=anchor
        ),
        proofs=proofs,
        views=ViewService(database=database, log=writer),
        subjects=SubjectService(
            database=database,
            log=writer,
            proofs=proofs,
            statements=BatchStatements(batcher),
            now=now,
            load_resources=load_all_codes,
        ),
        witnesses=WitnessService(database=database, log=writer, heads=heads),
        check=_build_check(
            database=database, writer=writer, heads=heads, anchor=anchor, trust=trust, now=now
        ),
        export=ExportService(
            database=database,
            log=writer,
            heads=heads,
            sign=batcher.submit,
            certificates=load_certificates,
            now=now,
        ),
        retention=RetentionService(database=database, log=writer, now=now),
        time_stamper=_build_stamper(settings, database=database, writer=writer, trust=trust),
        load_certificates=load_certificates,
        check_hour=None if settings.log_check_hour < 0 else settings.log_check_hour,
        keep_days=settings.log_retention_days,
    )


def _build_check(
    *,
    database: Database,
    writer: LogWriter,
    heads: HeadKeys,
    anchor: Anchor,
    trust: TimeStampTrust,
    now: Callable[[], datetime],
) -> SelfCheck:
    return SelfCheck(
        database=database,
        log=writer,
        heads=heads.verifier,
        anchor=anchor,
        now=now,
        time_stamp_trust=trust,
        event_tables=(VERSIONS, CERTIFICATES, STATUS_CHANGES),
        recorded_tables=RECORDED_TABLES,
    )


async def _build_heads(settings: Settings, *, pki: PkiService, signer: Signer, master_key: bytes) -> HeadKeys:
    ed25519 = None
    if settings.log_ed25519:
        seed = derive_key(master_key, "log-ed25519")
        ed25519 = Ed25519NoteSigner(
            name=settings.log_origin, private_key=Ed25519PrivateKey.from_private_bytes(seed)
        )
    keys = await pki.load_public_keys(HUB_SIGNER_KEY)
    return HeadKeys(
        origin=settings.log_origin,
        suite=settings.log_hash,
        signer=signer,
        former_keys=tuple(key for key in keys if key.point != signer.public_key.point),
        ed25519=ed25519,
    )


def _time_stamp_trust(settings: Settings, pki: PkiService) -> TimeStampTrust:
    """Trust the roots that the settings name, and the hub's own."""
    roots = [pki.root]
    if settings.log_time_stamp_roots is not None:
        data = settings.log_time_stamp_roots.read_bytes()
        roots += [Certificate.parse(der) for der in parse_pem(data, "CERTIFICATE")]
    return TimeStampTrust(roots=tuple(roots), intermediates=(pki.issuing,))


def _build_stamper(
    settings: Settings, *, database: Database, writer: LogWriter, trust: TimeStampTrust
) -> TimeStamper | None:
    if settings.log_time_stamp_url is None:
        return None
    return TimeStamper(
        database=database,
        log=writer,
        url=settings.log_time_stamp_url,
        trust=trust,
        interval_s=settings.log_time_stamp_interval_s,
    )
