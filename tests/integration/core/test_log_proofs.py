"""Proofs, tiles and leaves over HTTP."""

from __future__ import annotations

import base64

from core.log.model import Event
from signing.merkle.proofs import verify_consistency, verify_inclusion
from signing.merkle.tiles import TileEdge, list_tiles, parse_entry_bundle
from tests.hubs import Member, RunningHub
from tests.integration.core.log_acts import (
    NUMBER,
    SUITE,
    act,
    caller_of,
    settle,
    verifier_of,
)


async def test_index_and_consistency_proofs_verify_and_bad_sizes_are_refused(hub: RunningHub) -> None:
    for _ in range(5):
        await act(hub.services, None)
        await settle(hub.services)
    heads = await verifier_of(hub)
    newest = heads.read((await hub.client.get("/v1/log/checkpoint")).text)
    old = heads.read((await hub.client.get(f"/v1/log/checkpoints/{newest.previous_size}")).text)
    answer = (await hub.client.get("/v1/log/consistency", params={"old_size": old.size})).json()
    verify_consistency(
        SUITE,
        old_size=old.size,
        old_root=old.root,
        new_size=newest.size,
        new_root=newest.root,
        proof=[base64.b64decode(node) for node in answer["proof"]],
    )
    proved = (await hub.client.get("/v1/log/inclusion", params={"index": 2, "tree_size": old.size})).json()
    assert "entry" not in proved
    verify_inclusion(
        SUITE,
        leaf_hash=bytes.fromhex(proved["leaf_hash"]),
        index=2,
        size=old.size,
        proof=[base64.b64decode(node) for node in proved["proof"]],
        root=old.root,
    )
    for path, query, status in [
        ("/v1/log/consistency", {"old_size": newest.size + 1}, 400),
        ("/v1/log/consistency", {"old_size": 5, "new_size": 3}, 400),
        ("/v1/log/inclusion", {"index": 10**9}, 404),
        ("/v1/log/inclusion", {"index": -1}, 422),
        ("/v1/log/checkpoints/999999", {}, 404),
    ]:
        assert (await hub.client.get(path, params=query)).status_code == status, path


async def test_tiles_are_those_of_the_tree_for_anyone_and_bundles_for_auditors_alone(hub: RunningHub) -> None:
    async with hub.services.database.transaction() as connection:
        for number in range(300):
            await hub.services.log_writer.append(
                connection, event=Event.AUDIT_READ, caller=None, details={"view": "t", "leaves": number}
            )
    await settle(hub.services)
    heads = await verifier_of(hub)
    head = heads.read((await hub.client.get("/v1/log/checkpoint")).text)
    edge, hashes = TileEdge(SUITE), []
    for tile in list_tiles(head.size):
        answer = await hub.client.get(f"/v1/log/{tile.path}")
        assert answer.status_code == 200, tile.path
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        if tile.level == 0:
            hashes += [answer.content[at : at + 32] for at in range(0, len(answer.content), 32)]
            bundle = tile.path.replace("tile/0/", "tile/entries/")
            assert (await hub.client.get(f"/v1/log/{bundle}")).status_code == 401
            denied = await hub.client.get(f"/v1/log/{bundle}", headers=hub.members["police"].headers)
            assert denied.status_code == 403
            entries = await hub.client.get(f"/v1/log/{bundle}", headers=hub.auditor.headers)
            assert entries.headers["cache-control"] == "private, max-age=31536000, immutable"
            found = parse_entry_bundle(entries.content, tile.width)
            assert [SUITE.leaf_hash(entry) for entry in found] == hashes[-tile.width :]
    edge.extend(hashes)
    assert edge.root() == head.root
    assert (await hub.client.get("/v1/log/tile/0/999")).status_code == 404
    assert (await hub.client.get("/v1/log/tile/0/01")).status_code == 404
    assert (await hub.client.get("/v1/log/checkpoint")).headers["cache-control"] == "no-cache"


async def test_leaves_in_order_show_to_each_what_is_its_own(hub: RunningHub) -> None:
    police, market = (caller_of(hub.members[key]) for key in ("police", "market"))
    await act(hub.services, police, case="of-police", subject=NUMBER)
    await act(hub.services, market, case="of-market")
    await settle(hub.services)

    async def seen(member: Member) -> list[str | None]:
        answer = await hub.client.get("/v1/log/leaves", params={"limit": 1000}, headers=member.headers)
        leaves = answer.json()["leaves"]
        assert [leaf["index"] for leaf in leaves] == list(range(len(leaves)))
        for leaf in leaves:
            entry = leaf["entry"]
            assert entry is None or SUITE.leaf_hash(entry.encode()).hex() == leaf["leaf_hash"]
        return [leaf["entry"] for leaf in leaves]

    assert None not in await seen(hub.auditor)
    own = [entry for entry in await seen(hub.members["market"]) if entry]
    assert any("of-market" in entry for entry in own)
    assert not any("of-police" in entry for entry in own)
    assert (await hub.client.get("/v1/log/leaves")).status_code == 401
