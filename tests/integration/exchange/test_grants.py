"""Grants in their life: quotas, masks, row filters, renewal, shrink, reports of use, deadlines."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from core.database import Database
from core.errors import Conflict, Forbidden, GrantMissing, NotFound, RateLimited, SchemaViolation
from exchange.access import store_applications
from exchange.access.decision import Verdict
from exchange.access.escalation import escalate_overdue
from exchange.access.grants import Shrink
from exchange.access.model import ApplicationState, Decision, Mode, Quotas, RequestType
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import ShareType
from exchange.notices import store as notice_store
from exchange.query.api import render_answer
from exchange.query.model import Question
from hub.services import utc_now
from tests.exchange_world import (
    CONSUMER,
    PROVIDER,
    PURPOSE,
    STRANGER,
    World,
    build_resource,
    build_row,
    build_terms,
    open_world,
    publish_version,
)

QUERY = frozenset({Mode.QUERY})


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


async def ask(world: World, **changes: object):
    fields = {"keys": None, "where": None, "items": None, "limit_rows": 100, "after": None}
    return await world.query_service().query(
        caller=world.consumer,
        purpose=PURPOSE,
        resource_code="people",
        question=Question(**(fields | changes)),
    )


async def notices(world: World, code: str | None) -> list[str]:
    async with world.database.acquire() as connection:
        found = await notice_store.load_notices(
            connection, organisation_code=code or "none", with_platform=code is None, unread_only=True
        )
    return [str(each.kind) for each in found]


async def test_quota_of_calls_and_rows_is_exact_and_renewed_tomorrow(world: World) -> None:
    await world.publish([build_row(n, XB="1") for n in range(5)])
    await world.give(modes=QUERY, quotas=Quotas(calls_per_day=3, rows_per_day=4))
    first = await ask(world, where={"XB": "1"}, limit_rows=3)
    assert len(first.snapshot.rows) == 3
    second = await ask(world, where={"XB": "1"}, limit_rows=3)
    assert len(second.snapshot.rows) == 1, "one row is left of today's four"
    assert second.has_more
    with pytest.raises(RateLimited) as refused:
        await ask(world, where={"XB": "1"})
    assert 0 < refused.value.retry_after_s <= 86_400
    service = world.query_service()
    service._now = lambda: utc_now() + timedelta(days=1)
    question = Question(
        keys={"GMSFHM": build_row(1)["GMSFHM"]}, where=None, items=None, limit_rows=1, after=None
    )
    again = await service.query(
        caller=world.consumer, purpose=PURPOSE, resource_code="people", question=question
    )
    assert len(again.snapshot.rows) == 1


async def test_refused_call_uses_no_quota(world: World) -> None:
    await world.publish([build_row(1)])
    await world.give(items=("XM",), modes=QUERY, quotas=Quotas(calls_per_day=1))
    for _ in range(3):
        with pytest.raises(GrantMissing):
            await ask(world, where={"CSRQ": "2020-01-01"})
    assert (await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]})).snapshot.rows


async def test_division_filter_gives_the_division_and_below_only(world: World) -> None:
    rows = [build_row(n, HJSZD=code) for n, code in enumerate(["110101", "110200", "120101", "110101"])]
    await world.publish(rows)
    await world.give(modes=QUERY, row_filter={"home": {"item": "HJSZD", "division": "110100"}})
    answer = await ask(world, where={"SFYX": True})
    assert {row["HJSZD"] for row in answer.snapshot.rows} == {"110101"}


async def test_own_subjects_filter_follows_the_holders_own_resource(world: World) -> None:
    own = replace(build_resource("insured"), provider_code=CONSUMER)
    async with world.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=own)
        await catalogue_store.create_tables(connection, resource=own)
    await world.publish([build_row(n) for n in range(4)])
    await publish_version(world.database, own, upserts=[build_row(2)], deletes=[])
    condition = {"mine": {"item": "GMSFHM", "in_own": {"resource": "insured", "item": "GMSFHM"}}}
    await world.give(modes=QUERY, row_filter=condition)
    assert [row["XM"] for row in (await ask(world, where={"XB": "1"})).snapshot.rows] == ["人2"]
    await publish_version(world.database, own, upserts=[build_row(0)], deletes=[str(build_row(2)["GMSFHM"])])
    assert [row["XM"] for row in (await ask(world, where={"XB": "1"})).snapshot.rows] == ["人0"]


@pytest.mark.parametrize(
    ("condition", "modes", "code"),
    [
        ({"item": "GMSFHM", "in_own": {"resource": "people", "item": "GMSFHM"}}, QUERY, "OWN"),
        ({"item": "GMSFHM", "in_own": {"resource": "nothing", "item": "GMSFHM"}}, QUERY, "OWN"),
        ({"item": "GMSFHM", "in_own": {"resource": 'x"; --', "item": "GMSFHM"}}, QUERY, "VALUE"),
        ({"item": "GMSFHM", "in_own": "people"}, QUERY, "OWN"),
        (
            {"item": "GMSFHM", "in_own": {"resource": "people", "item": "GMSFHM"}},
            frozenset({Mode.SUBSCRIBE}),
            "OWN-SUBJECTS",
        ),
        ({"item": "HJSZD", "division": "11"}, QUERY, "DIVISION"),
        ({"item": "HJSZD", "division": "000000"}, QUERY, "DIVISION"),
    ],
)
async def test_filter_that_cannot_be_kept_is_refused(world: World, condition, modes, code: str) -> None:
    with pytest.raises(SchemaViolation) as refused:
        await world.give(modes=modes, row_filter={"mine": condition})
    assert code in {error.code for error in refused.value.errors}


IN_OWN = {"item": "GMSFHM", "in_own": {"resource": "insured", "item": "GMSFHM"}}
IN_OTHERS = {"item": "GMSFHM", "in_own": {"resource": "people", "item": "GMSFHM"}}
MASKED_KEY = {"GMSFHM": {"*": "id_number"}}


@pytest.mark.parametrize(
    ("change", "modes", "code"),
    [
        ({"row_filter": {"mine": IN_OWN}}, frozenset({Mode.QUERY, Mode.SUBSCRIBE}), "OWN-SUBJECTS"),
        ({"row_filter": {"mine": IN_OWN}}, frozenset({Mode.BULK}), "OWN-SUBJECTS"),
        ({"row_filter": {"mine": IN_OTHERS}}, QUERY, "OWN"),
        ({"masks": MASKED_KEY}, frozenset({Mode.SUBSCRIBE}), "KEY-ITEMS"),
    ],
)
@pytest.mark.parametrize("by", ["provider", "holder", "decision"])
async def test_narrowing_keeps_to_what_could_have_been_asked_for(
    world: World, change: dict[str, Any], modes: frozenset[Mode], code: str, by: str
) -> None:
    own = replace(build_resource("insured"), provider_code=CONSUMER)
    async with world.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=own)
        await catalogue_store.create_tables(connection, resource=own)
    with pytest.raises(SchemaViolation) as refused:  # noqa: PT012 (the decision alone needs an application)
        if by == "decision":
            application = await world.access.apply(
                caller=world.consumer, resource_code="people", terms=build_terms(modes=modes)
            )
            verdict = Verdict(decision=Decision.APPROVE, **change)
            await world.access.decide(caller=world.provider, application_id=application.id, verdict=verdict)
        else:
            grant = await world.give(modes=modes)
            caller = world.provider if by == "provider" else world.consumer
            shrink = Shrink(reason="收窄", **change)
            await world.grants.shrink(caller=caller, grant_id=grant.id, shrink=shrink)
    assert code in {error.code for error in refused.value.errors}


async def test_shrinking_to_query_allows_own_subjects(world: World) -> None:
    own = replace(build_resource("insured"), provider_code=CONSUMER)
    async with world.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=own)
        await catalogue_store.create_tables(connection, resource=own)
    grant = await world.give(modes=frozenset({Mode.QUERY, Mode.SUBSCRIBE}))
    shrink = Shrink(modes=QUERY, row_filter={"mine": IN_OWN})
    narrowed = await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=shrink)
    assert narrowed.terms.row_filter == {"mine": IN_OWN}


async def test_masks_hide_by_service_item_and_close_the_search(world: World) -> None:
    await world.publish([build_row(1, XM="欧阳小明")])
    application = await world.access.apply(
        caller=world.consumer, resource_code="people", terms=build_terms(modes=QUERY)
    )
    masks = {"XM": {"*": "name"}, "SR": {PURPOSE.service_item: "hash"}, "GMSFHM": {"*": "id_number"}}
    await world.access.decide(
        caller=world.provider,
        application_id=application.id,
        verdict=Verdict(decision=Decision.APPROVE, masks=masks),
    )
    answer = await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]})
    text = render_answer(answer)
    assert '"XM":"欧***"' in text
    assert '"GMSFHM":"990***********0001"' in text
    assert "0.25" not in text
    with pytest.raises(GrantMissing) as refused:
        await ask(world, where={"XM": "欧阳小明"})
    assert refused.value.errors[0].code == "NOT-SEARCHABLE"


async def test_masks_of_the_resource_hold_at_once_and_only_the_provider_sets_them(world: World) -> None:
    await world.publish([build_row(1)])
    await world.give(modes=QUERY)
    for caller in (world.consumer, world.stranger):
        with pytest.raises(Forbidden):
            await world.grants.set_masks(caller=caller, resource_code="people", masks={})
    with pytest.raises(SchemaViolation):
        await world.grants.set_masks(
            caller=world.provider, resource_code="people", masks={"XM": {"*": "blur"}}
        )
    service_masks = {"XM": {"*": {"keep_first": 0, "keep_last": 1}}}
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks=service_masks)
    answer = await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]})
    assert '"XM":"*1"' in render_answer(answer)


async def test_search_is_limited_to_the_granted_search_items(world: World) -> None:
    await world.publish([build_row(1)])
    await world.give(modes=QUERY, search_items=("XB",))
    assert (await ask(world, where={"XB": "2"})).snapshot.rows
    with pytest.raises(GrantMissing):
        await ask(world, where={"XM": "人1"})


async def test_renewal_lasts_longer_once_approved_and_never_gives_more(world: World) -> None:
    grant = await world.give(modes=QUERY)
    end = grant.terms.valid_until + timedelta(days=100)
    with pytest.raises(NotFound):
        await world.access.renew(caller=world.stranger, grant_id=grant.id, valid_until=end)
    with pytest.raises(SchemaViolation):
        await world.access.renew(
            caller=world.consumer, grant_id=grant.id, valid_until=grant.terms.valid_until
        )
    asked = await world.access.renew(caller=world.consumer, grant_id=grant.id, valid_until=end)
    assert asked.state is ApplicationState.PENDING
    await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=Shrink(items=("XM",)))
    decided = await world.approve(asked)
    assert decided.grant_id == grant.id
    (held,) = await world.grants.list_grants(caller=world.consumer, as_provider=False)
    assert held.terms.valid_until == end
    assert held.terms.items == ("XM",)


async def test_renewal_of_a_revoked_grant_cannot_be_approved(world: World) -> None:
    grant = await world.give()
    end = grant.terms.valid_until + timedelta(days=1)
    asked = await world.access.renew(caller=world.consumer, grant_id=grant.id, valid_until=end)
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    with pytest.raises(Conflict):
        await world.approve(asked)


async def test_shrink_narrows_at_once_and_never_widens(world: World) -> None:
    await world.publish([build_row(1)])
    grant = await world.give(items=("XM", "CSRQ"), modes=QUERY)
    with pytest.raises(SchemaViolation):
        await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=Shrink(items=("XM", "SR")))
    with pytest.raises(SchemaViolation):
        await world.grants.shrink(caller=world.provider, grant_id=grant.id, shrink=Shrink(items=("XM",)))
    with pytest.raises(NotFound):
        await world.grants.shrink(caller=world.stranger, grant_id=grant.id, shrink=Shrink(items=("XM",)))
    narrowed = Shrink(items=("XM",), row_filter={"none": {"item": "XB", "equals": "9"}}, reason="不再需要")
    await world.grants.shrink(caller=world.provider, grant_id=grant.id, shrink=narrowed)
    with pytest.raises(GrantMissing):
        await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]}, items=("CSRQ",))
    assert not (await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]})).snapshot.rows
    assert "grant.changed" in await notices(world, CONSUMER)


async def test_use_report_names_unused_items_to_both_sides_only(world: World) -> None:
    await world.publish([build_row(1)])
    grant = await world.give(items=("XM", "CSRQ", "SR"), modes=QUERY)
    for _ in range(2):
        await ask(world, keys={"GMSFHM": build_row(1)["GMSFHM"]}, items=("XM",))
    since = utc_now() - timedelta(days=1)
    for caller in (world.consumer, world.provider):
        report = await world.grants.report_use(caller=caller, grant_id=grant.id, since=since)
        assert (report.calls, report.rows) == (2, 2)
        assert report.unused_items == ("CSRQ", "SR")
        assert report.items[0].calls == 2
    with pytest.raises(NotFound):
        await world.grants.report_use(caller=world.stranger, grant_id=grant.id, since=since)


async def test_scenario_asks_all_or_nothing_and_shows_each_part(world: World) -> None:
    other = build_resource("houses")
    async with world.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=other)
        await catalogue_store.create_tables(connection, resource=other)
    parts = {"people": build_terms(items=("XM",)), "houses": build_terms(items=("ZJXY", "nope"))}
    with pytest.raises(SchemaViolation) as refused:
        await world.access.apply_scenario(caller=world.consumer, title="开办餐饮店", parts=parts)
    assert {error.pointer for error in refused.value.errors} >= {"/parts/1/items/0", "/parts/1/items/1"}
    assert await world.access.list_applications(caller=world.consumer, as_provider=False) == []
    parts = {
        "people": build_terms(items=("XM",), modes=QUERY),
        "houses": build_terms(items=("XB",), modes=QUERY),
    }
    made = await world.access.apply_scenario(caller=world.consumer, title="开办餐饮店", parts=parts)
    found = await world.access.load_scenario(caller=world.consumer, scenario_id=made.id)
    assert {(each.resource_code, each.state) for each in found.applications} == {
        ("people", ApplicationState.PENDING),
        ("houses", ApplicationState.APPROVED),
    }
    with pytest.raises(NotFound):
        await world.access.load_scenario(caller=world.stranger, scenario_id=made.id)


async def test_provider_is_told_of_automatic_grants_and_of_requests(world: World) -> None:
    await world.access.apply(
        caller=world.consumer, resource_code="people", terms=build_terms(items=("XB",), modes=QUERY)
    )
    await world.give()
    assert await notices(world, PROVIDER) == ["application.received", "grant.automatic"]
    assert await notices(world, CONSUMER) == ["application.decided"]
    assert await notices(world, STRANGER) == []


async def test_overdue_request_is_escalated_once_and_the_superior_may_decide(world: World) -> None:
    async with world.database.transaction() as connection:
        await connection.execute(
            "UPDATE core.organisation SET parent_code = $1 WHERE code = $2", STRANGER, PROVIDER
        )
    waiting = await world.access.apply(caller=world.consumer, resource_code="people", terms=build_terms())
    with pytest.raises(NotFound):
        await world.access.decide(
            caller=world.stranger,
            application_id=waiting.id,
            verdict=Verdict(decision=Decision.REFUSE, reason="x"),
        )
    assert await escalate_overdue(database=world.database, log=world.log, now=utc_now) == 0
    later = waiting.due_at + timedelta(seconds=1)
    for expected in (1, 0):
        assert await escalate_overdue(database=world.database, log=world.log, now=lambda: later) == expected
    assert await notices(world, STRANGER) == ["application.overdue"]
    decided = await world.access.decide(
        caller=world.stranger,
        application_id=waiting.id,
        verdict=Verdict(decision=Decision.REFUSE, reason="依据不足"),
    )
    assert decided.state is ApplicationState.REFUSED


async def test_extension_is_taken_once_by_the_provider(world: World) -> None:
    waiting = await world.access.apply(caller=world.consumer, resource_code="people", terms=build_terms())
    with pytest.raises(Forbidden):
        await world.access.extend(caller=world.consumer, application_id=waiting.id, reason="x")
    extended = await world.access.extend(caller=world.provider, application_id=waiting.id, reason="需核实")
    assert extended.due_at > waiting.due_at
    with pytest.raises(Conflict):
        await world.access.extend(caller=world.provider, application_id=waiting.id, reason="再等等")


async def test_deadline_of_the_narrowest_jurisdiction_counts(world: World) -> None:
    rule = store_applications.Deadline(
        jurisdiction="99",
        request_type=RequestType.ACCESS,
        share_type=ShareType.CONDITIONAL,
        working_days=2,
        extension_days=0,
        legal_reference="本地规定",
        valid_from=date(2000, 1, 1),
        valid_until=None,
    )
    before = await world.access.apply(caller=world.consumer, resource_code="people", terms=build_terms())
    async with world.database.transaction() as connection:
        await store_applications.save_deadline(connection, deadline=rule)
    after = await world.access.apply(caller=world.consumer, resource_code="people", terms=build_terms())
    assert after.due_at < before.due_at
    assert {finding.code for finding in after.findings} == {"DUPLICATE-APPLICATION"}
    with pytest.raises(Conflict):
        await world.access.extend(caller=world.provider, application_id=after.id, reason="需核实")
