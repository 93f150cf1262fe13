"""Receivers that sign for what they took: the signature is held against the manifest and kept, or refused."""

from __future__ import annotations

import base64
import json
from uuid import uuid4

import pytest

from core.errors import BadInput, NotFound
from core.identity.model import Credential, CredentialId, CredentialKind
from core.identity.store_credentials import save_credential
from hub.services import utc_now
from signing.sm2 import PrivateKey, der_to_raw
from subscriptions.delivery.countersign import verify_proof, write_proof
from subscriptions.delivery.model import Delivery
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import HUB_KEY, Feed
from tests.integration.subscriptions.push_world import add, build_worker, look, work
from tests.integration.subscriptions.receiver import Receiver

KEY = PrivateKey.generate()


async def register_key(world: World) -> CredentialId:
    """Register the receiver's key for the consumer's system."""
    credential = Credential(
        id=CredentialId(uuid4()),
        system_id=world.consumer.system_id,
        kind=CredentialKind.KEY,
        key=KEY.public_key,
        created_at=utc_now(),
        not_after=None,
        revoked_at=None,
    )
    async with world.database.transaction() as connection:
        await save_credential(connection, credential=credential)
    return credential.id


async def load(feed: Feed, subscription: object) -> list[Delivery]:
    return await feed.services.acknowledger.list_deliveries(
        caller=feed.world.consumer,
        subscription_id=subscription,  # type: ignore[arg-type]
        consumer="hook",
        before=None,
        limit=50,
    )


async def test_countersignature_in_the_answer_is_verified_and_kept(
    world: World, feed: Feed, receiver: Receiver
) -> None:
    await world.give()
    credential = await register_key(world)
    target = await add(feed, receiver.url)
    receiver.key = KEY
    await world.publish([build_row(n) for n in range(5)])
    await work(build_worker(feed))
    receiver.verify(HUB_KEY.public_key)
    deliveries = await load(feed, target.subscription_id)
    assert [(each.rows, each.credential_id) for each in deliveries] == [(2, credential), (3, credential)]
    sent = [base64.b64decode(headers["shuzheng-manifest"]) for headers, _ in receiver.posts]
    assert [each.manifest for each in reversed(deliveries)] == sent
    ids = {
        "caller": world.consumer,
        "subscription_id": target.subscription_id,
        "consumer": "hook",
        "delivery_id": deliveries[0].id,
    }
    proof = json.dumps(await feed.services.acknowledger.prove(**ids)).encode()
    assert verify_proof(proof, manifest=deliveries[0].manifest) == KEY.public_key
    with pytest.raises(BadInput):
        verify_proof(proof, manifest=deliveries[1].manifest)
    leaves = [leaf for leaf in await world.events() if leaf["event"] == "changes.acknowledged"]
    assert [leaf["details"]["countersigned"] for leaf in leaves] == [1, 1]  # type: ignore[index]


@pytest.mark.parametrize("signed", ["", "AAAA", "A" * 88, "§", "A" * 9000])
async def test_countersignature_that_does_not_hold_is_no_acknowledgement(
    world: World, feed: Feed, receiver: Receiver, signed: str
) -> None:
    await world.give()
    await register_key(world)
    target = await add(feed, receiver.url)
    receiver.signed = signed
    await world.publish([build_row(1)])
    worker = build_worker(feed)
    await worker.work_once()
    assert "countersignature" in str((await look(feed, target)).last_error)
    assert not any(each.acknowledged_at for each in await load(feed, target.subscription_id))
    receiver.signed, receiver.key = None, KEY
    await work(worker)
    assert len(set(receiver.keys)) == 1
    assert len(receiver.effects) == 1
    assert (await load(feed, target.subscription_id))[0].countersignature is not None


async def test_key_of_nobody_and_no_signature_at_all(world: World, feed: Feed, receiver: Receiver) -> None:
    await world.give()
    target = await add(feed, receiver.url)
    await world.publish([build_row(1)])
    receiver.key = PrivateKey.generate()
    worker = build_worker(feed)
    await worker.work_once()
    assert (await look(feed, target)).failures == 1
    receiver.key = None
    await work(worker)
    taken = (await load(feed, target.subscription_id))[0]
    assert (taken.acknowledged_at is not None, taken.countersignature) == (True, None)
    with pytest.raises(NotFound, match="not countersigned"):
        await feed.services.acknowledger.prove(
            caller=world.consumer,
            subscription_id=target.subscription_id,
            consumer="hook",
            delivery_id=taken.id,
        )


def test_proof_of_something_else_is_refused() -> None:
    proof = write_proof(signature=der_to_raw(KEY.sign(b"{}")), key=KEY.public_key, manifest=b"{}")
    assert verify_proof(json.dumps(proof).encode(), manifest=b"{}") == KEY.public_key
    for wrong in (b"", b"[]", b"{}", json.dumps(proof | {"public_key": "00"}).encode(), b"\xff"):
        with pytest.raises(BadInput):
            verify_proof(wrong, manifest=b"{}")
