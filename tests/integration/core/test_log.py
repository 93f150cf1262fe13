"""The transparency log: leaves in the act's transaction, sequenced without gap or fork, provable."""

from __future__ import annotations

import asyncio
import contextlib
import json
from base64 import b64decode

from core.log import store_read
from core.log.model import Event
from core.log.sequencer import Sequencer, complete_nodes
from core.pki import store as pki_store
from hub.services import Services, utc_now
from signing.merkle.checkpoint import verify_checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import Sm2NoteVerifier
from signing.merkle.proofs import verify_inclusion
from signing.merkle.tree import Frontier, MerkleTree
from tests.hubs import PURPOSE, RunningHub

SUITE = HashSuite.SM3
ORIGIN = "shuzheng/log"


async def append(services: Services, count: int) -> list[object]:
    leaves = []
    for number in range(count):
        async with services.database.transaction() as connection:
            leaf = await services.log_writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "test", "leaves": number}
            )
            leaves.append(leaf)
    return leaves


def test_complete_nodes_equal_those_of_a_whole_tree() -> None:
    leaves = [bytes([n]) * 32 for n in range(37)]
    frontier = Frontier(SUITE)
    made = complete_nodes(frontier, leaves[:5]) + complete_nodes(frontier, leaves[5:])
    tree = MerkleTree(leaves, suite=SUITE)
    expected = {
        (level, index): node
        for level, nodes in enumerate(tree.levels)
        for index, node in enumerate(nodes)
        if level
    }
    assert {(level, index): node for level, index, node in made} == expected
    assert frontier.root() == tree.root()


async def test_leaf_of_a_transaction_that_rolls_back_is_nowhere(services: Services) -> None:
    with contextlib.suppress(RuntimeError):
        async with services.database.transaction() as connection:
            leaf = await services.log_writer.append(connection, event=Event.TOKEN_REVOKED, caller=None)
            raise RuntimeError
    async with services.database.acquire() as connection:
        assert await store_read.load_leaf(connection, leaf_id=leaf) is None


async def test_several_sequencers_leave_no_gap_and_no_leaf_twice(services: Services) -> None:
    leaves = await append(services, 40)
    others = [
        Sequencer(
            database=services.database,
            heads=services.log.heads,
            interval_s=1,
            now=utc_now,
        )
        for _ in range(3)
    ]
    while sum(await asyncio.gather(*(other.integrate_once() for other in others))):
        pass
    await asyncio.sleep(0.2)
    async with services.database.acquire() as connection:
        rows = await connection.fetch("SELECT leaf_index, leaf_id FROM core.log_entry ORDER BY leaf_index")
    assert [row["leaf_index"] for row in rows] == list(range(len(rows)))
    assert len({row["leaf_id"] for row in rows}) == len(rows)
    assert set(leaves) <= {row["leaf_id"] for row in rows}


async def test_inclusion_proof_and_checkpoint_verify_offline(hub: RunningHub) -> None:
    member = hub.members["police"]
    await hub.client.get("/v1/audit/cases", params={"case_number": "c"}, headers=member.headers)
    async with hub.services.database.acquire() as connection:
        leaf_id = await connection.fetchval("SELECT id FROM core.log_leaf WHERE event = 'audit.read'")
    for _ in range(100):
        answer = await hub.client.get(f"/v1/log/leaves/{leaf_id}", headers=member.headers)
        if answer.status_code == 200:
            break
        await asyncio.sleep(0.05)
    proof = answer.json()
    signer = await _hub_signer_key(hub)
    verified = verify_checkpoint(
        proof["checkpoint"].encode(),
        origin=ORIGIN,
        log_keys=[Sm2NoteVerifier(name=ORIGIN, public_key=signer)],
    )
    verify_inclusion(
        SUITE,
        leaf_hash=SUITE.leaf_hash(proof["entry"].encode()),
        index=proof["index"],
        size=verified.checkpoint.size,
        proof=[b64decode(node) for node in proof["proof"]],
        root=verified.checkpoint.root,
    )


async def _hub_signer_key(hub: RunningHub):  # type: ignore[no-untyped-def]
    async with hub.services.database.acquire() as connection:
        found = await pki_store.load_certificate_of_key(connection, key_name="hub-signer", valid_at=utc_now())
    assert found is not None
    return found.require_key()


async def test_leaf_of_another_organisation_is_not_proved_to_strangers(hub: RunningHub) -> None:
    police, market = hub.members["police"], hub.members["market"]
    await hub.client.get("/v1/audit/cases", params={"case_number": "c"}, headers=police.headers)
    async with hub.services.database.acquire() as connection:
        leaf_id = await connection.fetchval("SELECT id FROM core.log_leaf WHERE event = 'audit.read'")
    await asyncio.sleep(0.5)
    answer = await hub.client.get(f"/v1/log/leaves/{leaf_id}", headers=market.headers)
    assert answer.status_code == 404
    assert (await hub.client.get(f"/v1/log/leaves/{leaf_id}", headers=hub.auditor.headers)).status_code == 200


async def test_body_of_a_leaf_holds_no_personal_number(services: Services) -> None:
    number = "11010519491231002X"
    async with services.database.transaction() as connection:
        leaf_id = await services.log_writer.append(
            connection, event=Event.TOKEN_REVOKED, caller=None, subject=number
        )
    async with services.database.acquire() as connection:
        leaf = await store_read.load_leaf(connection, leaf_id=leaf_id)
    assert leaf is not None
    assert number not in leaf.body
    assert json.loads(leaf.body)["subject_hmac"] == services.log_writer.hash_subject(number).hex()


def test_purpose_headers_are_ascii() -> None:
    assert all(value.isascii() for value in PURPOSE.values())
