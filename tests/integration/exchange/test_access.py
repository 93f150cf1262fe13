"""Applications and grants, by service and over HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from core.database import Database
from core.errors import Conflict, Forbidden, NotFound, SchemaViolation
from exchange.access.decision import Verdict
from exchange.access.model import ApplicationState, Decision, Mode
from hub.services import utc_now
from tests.exchange_world import PURPOSE, World, build_terms, open_world
from tests.hubs import PURPOSE as PURPOSE_HEADERS
from tests.hubs import RunningHub


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


async def apply(world: World, **changes: object):
    return await world.access.apply(
        caller=world.consumer, resource_code="people", terms=build_terms(**changes)
    )


async def decide(world: World, application, caller=None, decision=Decision.APPROVE, items=None, reason=None):
    return await world.access.decide(
        caller=caller or world.provider,
        application_id=application.id,
        verdict=Verdict(decision=decision, items=items, reason=reason),
    )


async def test_application_for_unconditional_items_is_granted_at_once(world: World) -> None:
    application = await apply(world, items=("XB", "HJSZD"), modes=frozenset({Mode.QUERY}))
    assert application.state is ApplicationState.APPROVED
    assert application.grant_id is not None
    leaves = [leaf for leaf in await world.events() if leaf["event"] == "access.decided"]
    assert leaves[0]["details"]["automatic"] is True
    assert leaves[0]["organisation"] == "hub"


@pytest.mark.parametrize(
    "changes", [{"items": ("XB", "XM")}, {"row_filter": {"a": {"item": "XM", "equals": "甲"}}}]
)
async def test_application_touching_conditional_items_waits(world: World, changes: dict[str, object]) -> None:
    terms = {"items": ("XB",), "modes": frozenset({Mode.QUERY})} | changes
    application = await apply(world, **terms)
    assert application.state is ApplicationState.PENDING
    assert application.grant_id is None
    assert timedelta(days=13) < application.due_at - utc_now() < timedelta(days=16)


async def test_application_with_many_faults_is_told_all_at_once_and_changes_nothing(world: World) -> None:
    with pytest.raises(SchemaViolation) as refused:
        await apply(
            world,
            items=("XM", "ZJXY", "nope", "XM"),
            modes=frozenset({Mode.SUBSCRIBE}),
            purpose=" ",
            service_items=(),
            valid_until=utc_now(),
            row_filter={"x": {"item": "nope", "equals": 1}},
        )
    codes = {error.code for error in refused.value.errors}
    wanted = {"NOT-SHARED", "UNKNOWN-ITEM", "DUPLICATE", "KEY-ITEMS", "BLANK", "COUNT", "VALIDITY", "ITEM"}
    assert codes == wanted
    assert any("第二十八条" in error.detail for error in refused.value.errors)
    assert await world.access.list_applications(caller=world.consumer, as_provider=False) == []
    assert [leaf["event"] for leaf in await world.events()] == ["access.refused"]


async def test_duplicate_application_is_noted(world: World) -> None:
    await world.give(items=("XB", "XM"), modes=frozenset({Mode.QUERY}))
    same = await apply(world, items=("XM",), modes=frozenset({Mode.QUERY}))
    part = await apply(world, items=("XM", "SR"), modes=frozenset({Mode.QUERY}))
    assert [finding.code for finding in (*same.findings, *part.findings)] == [
        "DUPLICATE-GRANT",
        "OVERLAPPING-GRANT",
    ]


async def test_partial_yes_grants_the_part_only(world: World) -> None:
    application = await apply(world, items=("XM", "SR"), modes=frozenset({Mode.QUERY}))
    await decide(world, application, items=("SR",))
    grants = await world.grants.list_grants(caller=world.consumer, as_provider=False)
    assert [grant.terms.items for grant in grants] == [("SR",)]


async def test_decision_beyond_the_application_or_without_reason_is_refused(world: World) -> None:
    application = await apply(world, items=("XM",), modes=frozenset({Mode.QUERY}))
    for changes in (
        {"items": ("SR",)},
        {"items": ()},
        {"decision": Decision.REFUSE},
        {"decision": Decision.REFUSE, "reason": " "},
        {"decision": Decision.REFUSE, "reason": "x", "items": ("XM",)},
    ):
        with pytest.raises(SchemaViolation):
            await decide(world, application, **changes)
    refused = await decide(world, application, decision=Decision.REFUSE, reason="依据不足")
    assert refused.state is ApplicationState.REFUSED
    with pytest.raises(Conflict):
        await decide(world, application)
    assert await world.grants.list_grants(caller=world.consumer, as_provider=False) == []


async def test_decisions_at_the_same_time_make_one_grant(world: World) -> None:
    application = await apply(world, items=("XM",), modes=frozenset({Mode.QUERY}))
    answers = await asyncio.gather(*(decide(world, application) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(answer, Conflict) for answer in answers) == 4
    assert len(await world.grants.list_grants(caller=world.provider, as_provider=True)) == 1


async def test_decision_and_revocation_belong_to_the_provider(world: World) -> None:
    application = await apply(world, items=("XM",), modes=frozenset({Mode.QUERY}))
    with pytest.raises(Forbidden):
        await decide(world, application, caller=world.consumer)
    with pytest.raises(NotFound):
        await decide(world, application, caller=world.stranger)
    approved = await decide(world, application)
    for caller, error in ((world.consumer, Forbidden), (world.stranger, NotFound)):
        with pytest.raises(error):
            await world.grants.revoke(caller=caller, grant_id=approved.grant_id, reason="x")
    await world.grants.revoke(caller=world.provider, grant_id=approved.grant_id, reason="x")
    with pytest.raises(Conflict):
        await world.grants.revoke(caller=world.provider, grant_id=approved.grant_id, reason="x")
    for as_provider in (True, False):
        listed = await world.access.list_applications(caller=world.stranger, as_provider=as_provider)
        assert listed == await world.grants.list_grants(caller=world.stranger, as_provider=as_provider) == []


RESOURCE = {
    "code": "people",
    "title": "人口",
    "summary": "",
    "theme": "population",
    "update_cycle": "daily",
    "items": [
        {"name": "GMSFHM", "title": "号码", "format": "C18", "is_key": True, "is_required": True},
        {"name": "XM", "title": "姓名", "format": "C..50"},
    ],
}
APPLICATION = {
    "items": ["GMSFHM", "XM"],
    "modes": ["query", "verify", "subscribe"],
    "service_items": [PURPOSE.service_item],
    "purpose": "核验",
    "legal_basis": "行政许可法",
}


async def test_every_route_over_http_serves_the_holder_and_refuses_everybody_else(hub: RunningHub) -> None:
    owner, holder, other = (hub.members[name] for name in ("police", "approval", "market"))

    async def call(member, method: str, path: str, body=None, headers=PURPOSE_HEADERS):
        return await hub.client.request(method, path, json=body, headers=member.headers | headers)

    registered = await call(owner, "POST", "/v1/resources", RESOURCE)
    assert registered.status_code == 201, registered.text
    csv = "GMSFHM,XM\n990101199001010010,张三\n"
    headers = owner.headers | {"Content-Type": "text/csv", "Idempotency-Key": "1"}
    published = await hub.client.post("/v1/resources/people/batches", content=csv.encode(), headers=headers)
    assert published.status_code == 200, published.text
    applied = await call(holder, "POST", "/v1/resources/people/applications", APPLICATION)
    assert applied.status_code == 201, applied.text
    decision = f"/v1/applications/{applied.json()['id']}/decision"
    assert (await call(other, "POST", decision, {"decision": "approve"})).status_code == 404
    decided = await call(owner, "POST", decision, {"decision": "approve"})
    assert decided.status_code == 200, decided.text
    subscribed = await call(holder, "POST", "/v1/subscriptions", {"resource": "people", "from": "start"})
    assert subscribed.status_code == 201, subscribed.text
    changes = f"/v1/subscriptions/{subscribed.json()['id']}"
    query = {"keys": {"GMSFHM": "990101199001010010"}}
    facts = {"subject": query["keys"], "assertions": [{"item": "XM", "value": "张三"}]}
    calls = [
        ("POST", "/v1/resources/people/query", query),
        ("POST", "/v1/resources/people/verify", facts),
        ("GET", f"{changes}/changes", None),
        ("POST", f"{changes}/ack", {"cursor": "2.0"}),
        ("POST", "/v1/subscriptions", {"grant_id": decided.json()["grant_id"]}),
    ]
    for method, path, body in calls:
        good = await call(holder, method, path, body)
        assert good.is_success, (path, good.text)
        refused = await call(other, method, path, body)
        assert refused.status_code in {403, 404}, (path, refused.text)
        assert "张三" not in refused.text
        if not path.endswith("ack"):
            unpurposed = await call(holder, method, path, body, headers={})
            assert unpurposed.json()["code"] == "ACCESS-PURPOSE-MISSING"
    read = await call(holder, "GET", f"{changes}/changes?after=1.0")
    assert '"operation":"insert"' in read.text
    assert read.headers["shuzheng-next-cursor"] == "2.0"
    for path in ("/v1/applications", "/v1/grants", "/v1/subscriptions"):
        assert (await call(other, "GET", path)).json() == []
        assert len((await call(holder, "GET", path)).json()) >= 1
    revocation = f"/v1/grants/{decided.json()['grant_id']}/revocation"
    assert (await call(other, "POST", revocation, {"reason": "x"})).status_code == 404
    assert (await call(owner, "POST", revocation, {"reason": "用途不符"})).status_code == 200
    for method, path, body in calls:
        assert (await call(holder, method, path, body)).status_code == 403, path


async def test_routes_with_malformed_input_answer_4xx(hub: RunningHub) -> None:
    member = hub.members["approval"]
    await hub.client.post("/v1/resources", json=RESOURCE, headers=hub.members["police"].headers)
    for path, body in (
        ("/v1/resources/people/applications", APPLICATION | {"modes": ["steal"]}),
        ("/v1/resources/people/applications", APPLICATION | {"extra": 1}),
        (
            "/v1/resources/people/applications",
            APPLICATION | {"valid_days": 1, "valid_until": "2030-01-01T00:00:00Z"},
        ),
        (
            "/v1/resources/people/applications",
            APPLICATION | {"row_filter": {"a": {"item": "XM", "prefix": "\u0000"}}},
        ),
        ("/v1/resources/nope/applications", APPLICATION),
        ("/v1/resources/%22%3B--/query", {"keys": {}}),
        ("/v1/resources/people/query", {"limit": 10_000}),
        ("/v1/resources/people/verify", {"subject": {}, "assertions": []}),
        ("/v1/applications/nope/decision", {"decision": "approve"}),
        (f"/v1/applications/{uuid4()}/decision", {"decision": "approve"}),
        (f"/v1/grants/{uuid4()}/revocation", {"reason": "x"}),
        ("/v1/subscriptions", {"resource": "people", "grant_id": str(uuid4())}),
        ("/v1/subscriptions", {"resource": "people", "from": "yesterday"}),
    ):
        answer = await hub.client.post(path, json=body, headers=member.purposeful)
        assert 400 <= answer.status_code < 500, (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
