"""Objections: the mark in every answer, the ruling, and corrections to those who hold the old value."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.database import Database
from core.errors import Conflict, Forbidden, GrantMissing, NotFound, SchemaViolation
from exchange.access.model import Mode
from exchange.notices.store import load_notices
from exchange.objections.model import HoldingBasis, ObjectionState, Ruling
from exchange.query.model import Question
from exchange.verify.model import Assertion, Operator
from exchange.verify.receipts import BatchReceiptIssuer
from exchange.verify.service import VerifyService
from hub.services import utc_now
from signing.merkle.receipts import BatchSigner
from signing.merkle.receipts_async import Batcher
from signing.sm2 import PrivateKey
from tests.exchange_world import CONSUMER, PROVIDER, PURPOSE, World, build_row, build_terms, open_world
from tests.integration.subscriptions.feed_world import open_feed

KEY = {"GMSFHM": build_row(1)["GMSFHM"]}
QUERY, VERIFY = frozenset({Mode.QUERY}), frozenset({Mode.VERIFY})


@pytest.fixture
async def world(database: Database) -> World:
    opened = await open_world(database)
    await opened.publish([build_row(n) for n in range(3)])
    return opened


@pytest.fixture
async def verify(world: World) -> AsyncIterator[VerifyService]:
    signer = BatchSigner(signer=PrivateKey.generate(), issuer="hub", clock=utc_now)
    async with Batcher(signer, max_wait_ms=0) as batcher:
        yield world.verify_service(BatchReceiptIssuer(batcher))


async def dispute(world: World, item: str = "XM", **changes: object):
    fields = {"keys": KEY, "claim": "姓名有误", "basis": "户口簿"} | changes
    return await world.objection_service().raise_objection(
        caller=world.consumer, purpose=PURPOSE, resource_code="people", item=item, **fields
    )


async def rule(world: World, objection, ruling=Ruling.UPHOLD, caller=None):
    return await world.objection_service().rule(
        caller=caller or world.provider, objection_id=objection.id, ruling=ruling, reason="已核实"
    )


async def ask(world: World, **changes: object):
    fields = {"keys": KEY, "where": None, "items": None, "limit_rows": 10, "after": None} | changes
    return await world.query_service().query(
        caller=world.consumer, purpose=PURPOSE, resource_code="people", question=Question(**fields)
    )


async def check(verify: VerifyService, world: World, **facts: object) -> list[str]:
    found = await verify.verify(
        caller=world.consumer,
        purpose=PURPOSE,
        resource_code="people",
        subject=KEY,
        assertions=[Assertion(item=i, operator=Operator.EQ, value=v) for i, v in facts.items()],
    )
    return [str(each.outcome) for each in found.judgements]


async def corrections(world: World):
    return await world.correction_service().take(caller=world.consumer, purpose=PURPOSE, unread_only=False)


async def test_disputed_value_is_marked_in_every_answer_until_ruled(world: World, verify) -> None:
    await world.give(modes=QUERY | VERIFY)
    objection = await dispute(world)
    assert objection.due_at > utc_now()
    assert (await ask(world)).snapshot.disputed == (("XM",),)
    assert (await ask(world, keys=None, where={"SFYX": False})).snapshot.disputed == (("XM",),)
    assert (await ask(world, items=("CSRQ",))).snapshot.disputed == ((),)
    assert (await ask(world, as_of_version=1)).snapshot.disputed == (("XM",),)
    assert await check(verify, world, XM="人1", CSRQ="1990-01-02") == ["disputed", "match"]
    assert await check(verify, world, XM="别人") == ["disputed"]
    await rule(world, objection, Ruling.REJECT)
    assert (await ask(world)).snapshot.disputed == ()
    assert await check(verify, world, XM="人1") == ["match"]


async def test_objection_needs_access_to_the_item_and_the_row(world: World) -> None:
    with pytest.raises(GrantMissing):
        await dispute(world)
    await world.give(items=("XM",), modes=QUERY, row_filter={"f": {"item": "XB", "equals": "1"}})
    with pytest.raises(NotFound):
        await dispute(world)
    with pytest.raises(GrantMissing):
        await dispute(world, item="CSRQ")
    with pytest.raises(SchemaViolation):
        await dispute(world, claim=" ")
    with pytest.raises(SchemaViolation):
        await dispute(world, keys={"XM": "人1"})


async def test_objection_is_raised_once_and_ruled_by_the_owner_only(world: World) -> None:
    await world.give(modes=QUERY)
    objection = await dispute(world)
    with pytest.raises(Conflict):
        await dispute(world)
    with pytest.raises(Forbidden):
        await rule(world, objection, caller=world.consumer)
    with pytest.raises(NotFound):
        await rule(world, objection, caller=world.stranger)
    with pytest.raises(Conflict):
        await rule(world, objection)  # the value still stands
    withdrawn = await world.objection_service().withdraw(
        caller=world.consumer, objection_id=objection.id, reason="看错了"
    )
    assert withdrawn.state is ObjectionState.WITHDRAWN
    with pytest.raises(Conflict):
        await rule(world, objection, Ruling.REJECT)


async def test_correction_goes_to_exactly_those_who_hold_the_old_value(world: World, verify) -> None:
    by_key = await world.give(items=("XM",), modes=QUERY, service_items=(PURPOSE.service_item,))
    await ask(world)
    await world.grants.revoke(caller=world.provider, grant_id=by_key.id, reason="试验")
    by_search = await world.give(items=("XM", "SFYX"), modes=QUERY)
    await ask(world, keys=None, where={"SFYX": False})
    await world.grants.revoke(caller=world.provider, grant_id=by_search.id, reason="试验")
    by_check = await world.give(items=("XM", "CSRQ"), modes=VERIFY)
    await check(verify, world, XM="人1")
    other_item = await world.give(items=("CSRQ",), modes=QUERY)
    await ask(world)
    other_row = await world.give(items=("XM", "XB", "CSRQ", "SR"), modes=QUERY)
    await ask(world, keys={"GMSFHM": build_row(2)["GMSFHM"]}, items=("XM",))
    objection = await dispute(world)
    await world.publish([build_row(1, XM="王正")])
    closed = await rule(world, objection)
    assert closed.corrected_version == 2
    found = {each.holder.grant_id: each for each in await corrections(world)}
    assert set(found) == {by_key.id, by_search.id, by_check.id}
    assert other_item.id not in found
    assert other_row.id not in found
    assert found[by_check.id].holder.basis is HoldingBasis.VERIFY
    assert all(each.change is None for each in found.values()), "ended grants and verification show nothing"


async def test_correction_shows_the_new_value_through_a_grant_in_force(world: World) -> None:
    await world.give(items=("XM",), modes=QUERY)
    await ask(world)
    objection = await dispute(world)
    await world.publish([build_row(1, XM="王正")])
    await ask(world)
    await rule(world, objection)
    (correction,) = await corrections(world)
    assert correction.change == {"version": 2, "operation": "update", "row": {"XM": "王正"}}
    assert (await world.events())[-1]["event"] == "corrections.read"


async def test_whoever_only_guessed_wrong_or_saw_the_new_value_holds_nothing_old(
    world: World, verify
) -> None:
    await world.give(items=("XM",), modes=QUERY | VERIFY)
    await check(verify, world, XM="猜错")
    objection = await dispute(world)
    await world.publish([build_row(1, XM="王正")])
    await ask(world)
    await rule(world, objection)
    assert await corrections(world) == []


@pytest.mark.parametrize("has_read_it", [True, False])
async def test_feed_holds_the_old_value_only_where_it_read_that_very_row(
    world: World, has_read_it: bool
) -> None:
    """Several rows come in one version; a page of a feed may end between them."""
    grant = await world.give(items=("GMSFHM", "XM"), modes=frozenset({Mode.SUBSCRIBE, Mode.QUERY}))
    async with open_feed(world) as feed:
        begun = await feed.create(caller=world.consumer, grant_id=grant.id, start=0)
        page = await feed.read(caller=world.consumer, subscription_id=begun.subscription.id, limit_rows=1)
    (first,) = page.changes
    rows = {row["GMSFHM"]: row for row in map(build_row, range(3))}
    number = first.key["GMSFHM"] if has_read_it else next(n for n in rows if n != first.key["GMSFHM"])
    objection = await dispute(world, keys={"GMSFHM": number})
    await world.publish([rows[number] | {"XM": "王正"}])
    await rule(world, objection)
    assert [each.holder.basis for each in await corrections(world)] == (
        [HoldingBasis.SUBSCRIPTION] if has_read_it else []
    )


async def test_both_sides_are_told_and_overdue_objections_escalate_once(world: World) -> None:
    await world.give(modes=QUERY)
    objection = await dispute(world)
    service = world.objection_service()
    assert await service.escalate_overdue() == 0
    service._now = lambda: objection.due_at + timedelta(seconds=1)
    assert [await service.escalate_overdue() for _ in range(2)] == [1, 0]
    await rule(world, objection, Ruling.REJECT)
    async with world.database.acquire() as connection:
        told = {
            code: [
                str(each.kind)
                for each in await load_notices(
                    connection, organisation_code=code, with_platform=False, unread_only=True
                )
                if each.kind.startswith("objection")
            ]
            for code in (CONSUMER, PROVIDER)
        }
    assert told[CONSUMER] == ["objection.closed"]
    assert sorted(told[PROVIDER]) == ["objection.closed", "objection.overdue", "objection.raised"]


async def test_waiting_application_is_not_access(world: World) -> None:
    await world.access.apply(caller=world.consumer, resource_code="people", terms=build_terms())
    with pytest.raises(GrantMissing):
        await dispute(world)
