"""Put the parts of push together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.database import Database
from core.identity.networks import parse_networks
from core.log.writer import LogWriter
from core.settings import Settings
from exchange.access.refusal import RefusalLog
from signing.http_signature_keys import Sm2HttpSigner
from signing.merkle.receipts import build_key_id
from signing.signer import Signer
from subscriptions.feed.read import FeedReader
from subscriptions.feed.wake import Waker
from subscriptions.push.addresses import AddressBook
from subscriptions.push.files import DirectoryCarrier, S3Carrier
from subscriptions.push.model import TargetKind
from subscriptions.push.mysql import MySqlCarrier
from subscriptions.push.postgresql import PostgresCarrier
from subscriptions.push.progress import Progress
from subscriptions.push.secret_box import SecretBox
from subscriptions.push.service import TargetService
from subscriptions.push.webhook import WebhookCarrier
from subscriptions.push.worker import Carrier, Pusher
from subscriptions.service import SubscriptionService


@dataclass(frozen=True, slots=True, kw_only=True)
class PushServices:
    """What push needs in a running hub. `key_id` names the key that signs what webhooks get."""

    targets: TargetService
    pusher: Pusher
    key_id: str
    certificate_pem: str


def assemble(
    *,
    database: Database,
    log: LogWriter,
    refusals: RefusalLog,
    subscriptions: SubscriptionService,
    feed: FeedReader,
    waker: Waker,
    secret_key: bytes,
    signer: Signer,
    certificate_pem: str,
    settings: Settings,
    now: Callable[[], datetime],
) -> PushServices:
    """Build the services."""
    networks = [part for part in (settings.push_networks or "").split(",") if part.strip()]
    addresses = AddressBook(parse_networks(networks))
    secrets = SecretBox(secret_key)
    key_id = build_key_id(signer.public_key)
    http_signer = Sm2HttpSigner(key_id=key_id, signer=signer)
    carriers: dict[TargetKind, Carrier] = {
        TargetKind.WEBHOOK: WebhookCarrier(addresses=addresses, signer=http_signer, now=now),
        TargetKind.POSTGRESQL: PostgresCarrier(addresses=addresses),
        TargetKind.MYSQL: MySqlCarrier(addresses=addresses),
        TargetKind.DIRECTORY: DirectoryCarrier(settings.push_directory),
        TargetKind.S3: S3Carrier(addresses=addresses),
    }
    return PushServices(
        targets=TargetService(
            database=database,
            log=log,
            refusals=refusals,
            subscriptions=subscriptions,
            secrets=secrets,
            now=now,
        ),
        pusher=Pusher(
            feed=feed,
            progress=Progress(database=database, log=log, now=now),
            carriers=carriers,
            secrets=secrets,
            waker=waker,
        ),
        key_id=key_id,
        certificate_pem=certificate_pem,
    )
