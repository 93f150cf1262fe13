"""Opening everything the hub stands on, in order, and closing it in reverse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypedDict

from certs.assembly import CertificateServices
from certs.assembly import assemble as assemble_certificates
from certs.issue.service import ProducedFile, Production
from certs.ofd.font_search import load_fonts
from certs.produce import build_annotator, build_layouter, build_producer
from certs.seal_picture import draw_seal_picture
from certs.seals.model import OpenSeal
from certs.templates import template_names
from core.database import Connection, Database
from core.database.migrate import apply_migrations, load_migrations
from core.duties import keep_going, stop_duties
from core.identity.admission import Admission
from core.identity.credentials import CredentialService
from core.identity.hashing import SecretHasher
from core.identity.service import IdentityService
from core.identity.tokens import TokenService
from core.log.services import LogServices
from core.log.writer import LogWriter
from core.objects import ObjectStore, open_object_store
from core.people.service import PeopleService
from core.people.sessions import SessionService
from core.pki.model import CertifiedSigner
from core.pki.service import HUB_SIGNER_KEY, PkiService
from core.settings import Settings
from evidence.assembly import EvidenceServices
from evidence.assembly import assemble as assemble_evidence
from evidence.cascade.store import load_needed_after as load_cascade_needed
from exchange.assembly import ExchangeServices
from exchange.assembly import assemble as assemble_exchange
from exchange.intake import IntakeServices
from exchange.intake import assemble as assemble_intake
from hub.certificate_rows import build_row_reader
from hub.keys import derive_key, open_keys, open_master_key
from hub.log import assemble_log, build_log_writer
from signing.merkle.receipts import BatchSigner
from signing.merkle.receipts_async import Batcher
from signing.x509.names import Name
from signing.x509.profiles import Profile
from subscriptions.assembly import SubscriptionServices
from subscriptions.assembly import assemble as assemble_subscriptions
from subscriptions.lake.assembly import LakeServices
from subscriptions.lake.assembly import assemble as assemble_lake
from subscriptions.lake.store import load_needed_after as load_lake_needed
from subscriptions.sharing.assembly import SharingServices
from subscriptions.sharing.assembly import assemble as assemble_sharing
from subscriptions.store import load_followers, load_needed_after

MIGRATED_PACKAGES = ("core", "exchange", "certs", "subscriptions", "evidence")
RECEIPT_ISSUER = "Shuzheng Hub"
RECEIPT_WAIT_MS = 2.0


def utc_now() -> datetime:
    """Tell the time, aware and in UTC; the only clock that the hub's services are given."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a running hub process holds."""

    settings: Settings
    database: Database
    objects: ObjectStore
    pki: PkiService
    identity: IdentityService
    credentials: CredentialService
    tokens: TokenService
    people: PeopleService
    sessions: SessionService
    admission: Admission
    log_writer: LogWriter
    log: LogServices
    exchange: ExchangeServices
    intake: IntakeServices
    subscriptions: SubscriptionServices
    lake: LakeServices
    sharing: SharingServices
    certificates: CertificateServices
    evidence: EvidenceServices


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncIterator[Services]:
    """Connect, migrate, open keys and authorities, and run the background work until the block ends."""
    if settings.database_url is None:
        msg = "open_services needs a database URL; `hub.serve` starts the embedded server first"
        raise ValueError(msg)
    master_key = await asyncio.to_thread(open_master_key, settings)
    settings.spool_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    objects = await asyncio.to_thread(open_object_store, settings)
    database = await Database.connect(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout_s=settings.database_timeout_s,
    )
    try:
        await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
        async with _assembled(
            settings, database=database, objects=objects, master_key=master_key
        ) as services:
            await services.certificates.types.install_shipped()
            await services.certificates.seals.destroy_left_keys()
            running = {
                **services.intake.background,
                **services.exchange.background,
                **services.subscriptions.background,
                **services.lake.background,
                **services.sharing.background,
                **services.evidence.background,
            }
            tasks = [asyncio.create_task(keep_going(name, run), name=name) for name, run in running.items()]
            try:
                async with services.log.running():
                    yield services
            finally:
                await stop_duties(tasks)
    finally:
        await database.close()


@asynccontextmanager
async def _assembled(
    settings: Settings, *, database: Database, objects: ObjectStore, master_key: bytes
) -> AsyncIterator[Services]:
    writer = build_log_writer(settings, master_key, utc_now)
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
    receipt_signer = BatchSigner(
        signer=hub_signer.signer,
        issuer=RECEIPT_ISSUER,
        clock=utc_now,
        certificates=(hub_signer.certificate.der, pki.issuing.der),
    )

    async with Batcher(receipt_signer, max_wait_ms=RECEIPT_WAIT_MS) as batcher:
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
        yield _build(
            settings,
            database=database,
            objects=objects,
            master_key=master_key,
            writer=writer,
            pki=pki,
            log=log,
            batcher=batcher,
            hub_signer=hub_signer,
        )


def _build(
    settings: Settings,
    *,
    database: Database,
    objects: ObjectStore,
    master_key: bytes,
    writer: LogWriter,
    pki: PkiService,
    log: LogServices,
    batcher: Batcher,
    hub_signer: CertifiedSigner,
) -> Services:
    derive = partial(derive_key, master_key)
    exchange = assemble_exchange(
        database=database,
        log=writer,
        batcher=batcher,
        derive_key=derive,
        now=utc_now,
        followers=load_followers,
        public_url=settings.resolve_public_url(),
        catalogue_review=settings.catalogue_review,
    )
    certificates = _build_certificates(
        settings, database=database, objects=objects, writer=writer, pki=pki, exchange=exchange
    )
    return Services(
        settings=settings,
        database=database,
        objects=objects,
        pki=pki,
        log_writer=writer,
        log=log,
        exchange=exchange,
        certificates=certificates,
        evidence=assemble_evidence(
            database=database,
            log=writer,
            exchange=exchange,
            certificates=certificates,
            batcher=batcher,
            derive_key=derive,
            limit_s=settings.evidence_limit_s,
            interval_s=settings.evidence_check_interval_s,
            spool_dir=settings.spool_dir,
            trust=pki.trust_policy,
            now=utc_now,
        ),
        **_build_identity(settings, database=database, writer=writer, derive=derive),
        **_build_delivery(
            settings,
            database=database,
            objects=objects,
            writer=writer,
            exchange=exchange,
            batcher=batcher,
            hub_signer=hub_signer,
            derive=derive,
        ),
    )


def _build_certificates(
    settings: Settings,
    *,
    database: Database,
    objects: ObjectStore,
    writer: LogWriter,
    pki: PkiService,
    exchange: ExchangeServices,
) -> CertificateServices:
    return assemble_certificates(
        database=database,
        objects=objects,
        log=writer,
        pki=pki,
        public_url=settings.resolve_public_url(),
        now=utc_now,
        produce=_produce_file,
        draw_picture=_draw_seal,
        templates=template_names,
        annotate=_annotate_file,
        lay_out=_lay_out_file,
        read_row=build_row_reader(exchange.query),
    )


class _Identity(TypedDict):
    """Who may call at all."""

    identity: IdentityService
    credentials: CredentialService
    tokens: TokenService
    people: PeopleService
    sessions: SessionService
    admission: Admission


def _build_identity(
    settings: Settings, *, database: Database, writer: LogWriter, derive: Callable[[str], bytes]
) -> _Identity:
    hasher = SecretHasher()
    identity = IdentityService(database=database, log=writer, hasher=hasher, now=utc_now)
    tokens = TokenService(
        database=database,
        log=writer,
        hasher=hasher,
        token_key=derive("token"),
        token_ttl_s=settings.token_ttl_s,
        public_url=settings.resolve_public_url(),
        now=utc_now,
    )
    sessions = SessionService(
        database=database,
        log=writer,
        hasher=hasher,
        token_key=derive("session"),
        totp_key=derive("totp"),
        ttl_s=settings.session_ttl_s,
        public_url=settings.resolve_public_url(),
        now=utc_now,
    )
    return {
        "identity": identity,
        "credentials": CredentialService(database=database, log=writer, identity=identity, now=utc_now),
        "tokens": tokens,
        "people": PeopleService(database=database, log=writer, hasher=hasher, now=utc_now),
        "sessions": sessions,
        "admission": Admission(tokens=tokens, sessions=sessions, database=database, log=writer, now=utc_now),
    }


class _Delivery(TypedDict):
    """How data comes in, and how it goes out in bulk."""

    intake: IntakeServices
    lake: LakeServices
    sharing: SharingServices
    subscriptions: SubscriptionServices


def _build_delivery(
    settings: Settings,
    *,
    database: Database,
    objects: ObjectStore,
    writer: LogWriter,
    exchange: ExchangeServices,
    batcher: Batcher,
    hub_signer: CertifiedSigner,
    derive: Callable[[str], bytes],
) -> _Delivery:
    lake = assemble_lake(settings=settings, database=database, log=writer, now=utc_now)
    intake = assemble_intake(
        settings=settings,
        database=database,
        objects=objects,
        log=writer,
        publisher=exchange.publisher,
        needed_after=_needed_after,
        now=utc_now,
        stations=[lake.station],
    )
    sharing = assemble_sharing(
        settings=settings,
        database=database,
        objects=objects,
        log=writer,
        refusals=exchange.refusals,
        masker=exchange.masker,
        place=lake.place,
        derive_key=derive,
        now=utc_now,
    )
    subscriptions = assemble_subscriptions(
        database=database,
        database_url=settings.database_url.get_secret_value() if settings.database_url else None,
        log=writer,
        refusals=exchange.refusals,
        masker=exchange.masker,
        batcher=batcher,
        derive_key=derive,
        signer=hub_signer.signer,
        certificate_pem=hub_signer.certificate.pem,
        settings=settings,
        now=utc_now,
    )
    return {"intake": intake, "lake": lake, "sharing": sharing, "subscriptions": subscriptions}


async def _needed_after(connection: Connection, resource_code: str) -> int | None:
    """Tell how far the subscribers, the lake and the cascade have read a resource's changes."""
    read = [
        await load_needed_after(connection, resource_code=resource_code),
        await load_lake_needed(connection, resource_code=resource_code),
        await load_cascade_needed(connection, resource_code=resource_code),
    ]
    return min((version for version in read if version is not None), default=None)


def _produce_file(production: Production) -> ProducedFile:
    """Make a certificate's file. Fonts are looked for at the first one, so a hub starts without any."""
    return build_producer(load_fonts())(production)


def _lay_out_file(production: Production) -> None:
    build_layouter(load_fonts())(production)


def _annotate_file(
    original: bytes, *, metadata: Mapping[str, str], watermark: str, seal: OpenSeal, sealed_at: datetime
) -> ProducedFile:
    annotate = build_annotator(load_fonts())
    return annotate(original, metadata=metadata, watermark=watermark, seal=seal, sealed_at=sealed_at)


def _draw_seal(name: str, side_mm: int) -> bytes:
    return draw_seal_picture(name, side_mm, fonts=load_fonts())
