"""Leads: each change once, signed for and answered in time, or shown as late to both sides."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from core.errors import BadInput, Conflict, Forbidden, GrantMissing, NotFound, SchemaViolation
from exchange.notices.store import load_notices
from hub.services import utc_now
from subscriptions.cursor import CursorSeal
from subscriptions.feed.wake import Waker
from subscriptions.leads.keeper import LeadKeeper
from subscriptions.leads.model import LeadState, LeadTerms, Result
from subscriptions.leads.service import LeadService
from subscriptions.model import Start
from tests.exchange_world import PURPOSE, World, build_row
from tests.hubs import RunningHub
from tests.integration.exchange.catalogue_bodies import body, grant, ok, publish, send
from tests.integration.subscriptions.feed_world import Feed

TERMS = LeadTerms(sign_working_days=1, answer_working_days=5)


def build_keeper(world: World) -> LeadKeeper:
    return LeadKeeper(
        database=world.database,
        log=world.log,
        seal=CursorSeal(b"cursor".ljust(16, b".")),
        waker=Waker(None),
        now=utc_now,
    )


async def begin(feed: Feed, **changes: Any) -> UUID:
    fields: dict[str, Any] = {"grant_id": None, "resource_code": "people", "start": Start.NOW}
    standing = await feed.services.leads.begin(
        caller=feed.world.consumer, purpose=PURPOSE, terms=TERMS, **(fields | changes)
    )
    return standing.subscription.id


async def test_lead_is_made_once_signed_for_and_answered(world: World, feed: Feed) -> None:
    await world.give(row_filter={"sex": {"item": "XB", "equals": "1"}})
    await world.publish([build_row(0)])
    subscription = await begin(feed)
    await world.publish([build_row(n) for n in range(1, 6)])
    await world.publish([build_row(2, XM="改")], [str(build_row(4)["GMSFHM"])])
    keeper = build_keeper(world)
    await keeper.work_once()
    await keeper.work_once()
    leads: LeadService = feed.services.leads
    where = {"caller": world.consumer, "subscription_id": subscription}
    found = await leads.list_own(**where, overdue_only=False, open_only=False)
    assert [str(lead.position) for lead in found] == ["2.2", "2.4", "3.1"]
    lead, page = await leads.read(**where, purpose=PURPOSE, lead_id=found[0].id)
    assert page is not None
    assert (page.changes[0].row or {})["XM"] == "人2"
    act = {**where, "purpose": PURPOSE, "lead_id": lead.id}
    with pytest.raises(Conflict):
        await leads.answer(**act, result=Result.HANDLED, text="已处理")
    assert (await leads.sign(**act)).state is LeadState.SIGNED
    with pytest.raises(Conflict):
        await leads.sign(**act)
    with pytest.raises(SchemaViolation):
        await leads.answer(**act, result=Result.HANDLED, text=" ")
    answered = await leads.answer(**act, result=Result.HANDLED, text="已上门核实")
    assert (answered.state, answered.answered_by) == (LeadState.ANSWERED, PURPOSE.operator)
    with pytest.raises(Conflict):
        await leads.answer(**act, result=Result.HANDLED, text="再次")
    assert len(await leads.list_own(**where, overdue_only=False, open_only=True)) == 2
    events = [leaf["event"] for leaf in await world.events()]
    assert events.count("lead.signed") == events.count("lead.answered") == 1
    assert not any("已上门核实" in str(leaf) for leaf in await world.events())


async def test_late_leads_are_shown_and_both_sides_are_told_once(world: World, feed: Feed) -> None:
    await world.give()
    subscription = await begin(feed)
    await world.publish([build_row(1), build_row(2)])
    await build_keeper(world).work_once()
    long_ago = utc_now() - timedelta(days=30)
    async with world.database.acquire() as connection:
        await connection.execute(
            "UPDATE subscriptions.lead SET sign_due_at = now() - interval '9 days',"
            " answer_due_at = now() - interval '5 days'"
        )
    leads = feed.services.leads
    where = {"caller": world.consumer, "subscription_id": subscription}
    late = await leads.list_own(**where, overdue_only=True, open_only=True)
    assert len(late) == 2
    assert all(lead.is_overdue(utc_now()) and not lead.is_overdue(long_ago) for lead in late)
    signed = await leads.sign(**where, purpose=PURPOSE, lead_id=late[0].id)
    assert signed.is_overdue(utc_now())
    for _ in range(2):
        await build_keeper(world).work_once()
    async with world.database.acquire() as connection:
        for caller in (world.consumer, world.provider):
            notices = await load_notices(
                connection,
                organisation_code=caller.organisation_code,
                with_platform=False,
                unread_only=False,
            )
            told = [notice.details["leads"] for notice in notices if notice.kind == "leads.overdue"]
            assert told == [2]
    of_resource = {"resource_code": "people", "overdue_only": True, "open_only": True}
    assert len(await leads.list_of_resource(caller=world.provider, **of_resource)) == 2
    with pytest.raises(Forbidden):
        await leads.list_of_resource(caller=world.consumer, **of_resource)


async def test_leads_end_with_their_grant_and_are_nobody_elses(world: World, feed: Feed) -> None:
    given = await world.give()
    subscription = await begin(feed)
    await world.publish([build_row(1)])
    await build_keeper(world).work_once()
    leads = feed.services.leads
    where = {"caller": world.consumer, "subscription_id": subscription}
    lead = (await leads.list_own(**where, overdue_only=False, open_only=False))[0]
    with pytest.raises(NotFound):
        await leads.list_own(
            caller=world.stranger, subscription_id=subscription, overdue_only=False, open_only=False
        )
    with pytest.raises(NotFound):
        await leads.sign(**where, purpose=PURPOSE, lead_id=UUID(int=1))
    with pytest.raises(BadInput):
        await begin(feed, start=Start.START)
    await world.grants.revoke(caller=world.provider, grant_id=given.id, reason="用途不符")
    await world.publish([build_row(2)])
    await build_keeper(world).work_once()
    assert len(await leads.list_own(**where, overdue_only=False, open_only=False)) == 1
    for call in (
        leads.read(**where, purpose=PURPOSE, lead_id=lead.id),
        leads.sign(**where, purpose=PURPOSE, lead_id=lead.id),
    ):
        with pytest.raises(GrantMissing):
            await call


async def test_leads_over_http_go_from_push_to_answer(hub: RunningHub) -> None:
    await ok(hub, "POST", "/v1/resources", body())
    await grant(hub, "things", ["code", "name"], ["subscribe"])
    made = await ok(hub, "POST", "/v1/lead-subscriptions", {"resource": "things"}, who="approval")
    wrong = {"resource": "things", "sign_working_days": 5, "answer_working_days": 1}
    assert (await send(hub, "POST", "/v1/lead-subscriptions", wrong, who="approval")).status_code == 422
    await publish(hub, "things", "code,name\na,甲\n", "1")
    base = f"/v1/subscriptions/{made['id']}/leads"
    async with asyncio.timeout(20):
        while not (listed := await ok(hub, "GET", base, who="approval")):
            await asyncio.sleep(0.05)
    assert [lead["state"] for lead in listed] == ["pushed"]
    one = f"{base}/{listed[0]['id']}"
    assert (await ok(hub, "GET", one, who="approval"))["row"] == {"code": "a", "name": "甲"}
    await ok(hub, "POST", f"{one}/sign", who="approval")
    answer = {"result": "handled", "answer": "已核实"}
    assert (await ok(hub, "POST", f"{one}/answer", answer, who="approval"))["state"] == "answered"
    shown = await ok(hub, "GET", "/v1/resources/things/leads", who="market")
    assert [(lead["result"], lead["answer"]) for lead in shown] == [("handled", "已核实")]
