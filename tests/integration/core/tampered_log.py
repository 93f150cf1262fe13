"""A log in which every table has rows, and what each of its columns is altered to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx

from core.log.model import Event
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.time_stamps import TimeStamper, TimeStampTrust
from core.log.writer import LogWriter
from core.pki.service import PkiService
from hub.services import Services, utc_now
from signing.merkle.checkpoint import Sm2Cosigner, cosign_checkpoint
from signing.sm2 import PrivateKey
from signing.timestamp.authority import TimeStampAuthority
from signing.timestamp.clock import ClockGuard
from signing.x509.names import Name
from signing.x509.profiles import Profile

SUBJECTS = ("11010519491231002X", "91990000MA00000016")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)

# What every column is altered to. A column that is not listed fails the test of completeness below.
ALTERED = {
    "core.log_leaf": {
        "id": "gen_random_uuid()",
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "event": "'data.queried'",
        "organisation_code": "'x'",
        "system_id": "gen_random_uuid()",
        "operator": "'x'",
        "service_item": "'x'",
        "case_number": "'x'",
        "on_behalf_of": "'x'",
        "owner_code": "'x'",
        "resource_code": "'x'",
        "grant_id": "gen_random_uuid()",
        "certificate_id": "'x'",
        "subject_hmac": r"'\x01'::bytea",
        "subjects": r"ARRAY['\x01'::bytea, '\x02'::bytea]",
        "body": 'replace(body, \'"time":"2\', \'"time":"3\')',
        "leaf_hash": r"set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1)",
    },
    "core.log_entry": {
        "leaf_index": "leaf_index + 100000",
        "leaf_id": "gen_random_uuid()",
        "leaf_hash": "set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1)",
    },
    "core.log_node": {
        "level": "level + 40",
        "node_index": "node_index + 100000",
        "hash": "set_byte(hash, 3, get_byte(hash, 3) # 1)",
    },
    "core.log_checkpoint": {
        "tree_size": "tree_size + 100000",
        "root_hash": "set_byte(root_hash, 3, get_byte(root_hash, 3) # 1)",
        "note": "overlay(note placing 'x' from 3)",
        "signed_at": "signed_at + interval '1 second'",
    },
    "core.log_pending": {
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "leaf_id": "gen_random_uuid()",
    },
    "core.log_chain": {
        "subject_hmac": r"'\x01'::bytea",
        "number": "number + 100",
        "leaf_index": "leaf_index + 1",
    },
    "core.log_tree": {"origin": "'x'", "hash_suite": "'sha-256'"},
    "core.log_witness": {"name": "'x'", "verifier_key": "'x'", "is_retired": "NOT is_retired"},
    "core.log_cosignature": {
        "tree_size": "tree_size + 1",
        "witness": "'x'",
        "line": "overlay(line placing 'x' from 12)",
    },
    "core.log_time_stamp": {
        "tree_size": "tree_size + 1",
        "token": "set_byte(token, 30, get_byte(token, 30) # 1)",
    },
    "core.log_drop": {"leaf_index": "leaf_index + 100000", "dropped_with": "gen_random_uuid()"},
}
# An entry that points at no leaf is told as the leaf that its place in the tree misses.
ELSEWHERE = {("core.log_entry", "leaf_id"): "core.log_leaf"}
# What a row was for may be all that is left to tell that it is gone.
MISSED = {
    "core.log_pending": "core.log_leaf",
    "core.log_drop": "core.log_leaf",
    "core.log_leaf": "core.log_pending",  # a leaf that waits
    "core.log_chain": "core.log_drop",  # the chain of a dropped leaf
}
UNALTERABLE = {("core.log_tree", "only_one")}  # a constraint forbids any other value
COLUMNS = [(table, column) for table, columns in ALTERED.items() for column in columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    services: Services
    check: SelfCheck

    async def names(self) -> set[str]:
        """Check, and return the tables named."""
        return {finding.table for finding in (await self.check.assess()).findings}


async def write(services: Services, writer: LogWriter, count: int, **fields: object) -> None:
    for number in range(count):
        async with services.database.transaction() as connection:
            await writer.append(
                connection,
                event=Event.AUDIT_READ,
                caller=None,
                details={"view": "test", "leaves": number},
                **fields,  # type: ignore[arg-type]
            )


async def integrate(services: Services) -> None:
    while await services.log.sequencer.integrate_once():
        pass


def authority_transport(pki_signer: tuple, chain: tuple) -> httpx.MockTransport:  # type: ignore[type-arg]
    """Answer as a time-stamp authority over HTTP; the authority itself is the real one."""
    certificate, signer = pki_signer
    authority = TimeStampAuthority(
        certificate=certificate,
        signer=signer,
        clock=ClockGuard(wall=utc_now, monotonic=time.monotonic),
        policy="1.2.3.4",
        chain=chain,
    )
    return httpx.MockTransport(
        lambda request: httpx.Response(
            200,
            content=authority.respond(request.read()),
            headers={"Content-Type": "application/timestamp-reply"},
        )
    )


async def stamp(services: Services) -> None:
    pki: PkiService = services.pki
    tsa = await pki.certified_signer(
        name="test-tsa", profile=Profile.TSA, subject=Name.build(common_name="TSA", organization="TSA")
    )
    await integrate(services)
    stamper = TimeStamper(
        database=services.database,
        log=services.log_writer,
        url="http://tsa.test/",
        trust=TimeStampTrust(roots=(pki.root,), intermediates=(pki.issuing,)),
        interval_s=1,
        transport=authority_transport((tsa.certificate, tsa.signer), (pki.issuing,)),
    )
    assert await stamper.stamp_once()
    await integrate(services)
    assert await stamper.stamp_once() is None, "its own leaf alone is no reason to stamp again"


async def cosign(services: Services) -> None:
    key = PrivateKey.from_scalar(0x77)
    cosigner = Sm2Cosigner(name="witness.test", signer=key, clock=utc_now)
    await services.log.witnesses.register(cosigner.witness.verifier_key, caller=None)
    await integrate(services)
    head = await services.log.proofs.load_checkpoint()
    cosigned = cosign_checkpoint(head.note.encode(), [cosigner])
    assert await services.log.witnesses.take(cosigned) == ["witness.test"]
    await integrate(services)


async def build(services: Services) -> None:
    writer = services.log_writer
    old = LogWriter(subject_key=b"k" * 32, now=lambda: LONG_AGO)
    await write(services, old, 3, subject=SUBJECTS[0])
    await integrate(services)
    await write(services, writer, 3, subject=SUBJECTS[0])
    await write(services, writer, 2, subjects=SUBJECTS)
    await write(services, writer, 5)
    await integrate(services)
    retention = RetentionService(database=services.database, log=writer, now=utc_now)
    dropped = await retention.drop(before=LONG_AGO + timedelta(days=1), caller=None)
    assert dropped.leaves == 3
    await stamp(services)
    await cosign(services)
    await write(services, writer, 2)  # these stay in the queue
