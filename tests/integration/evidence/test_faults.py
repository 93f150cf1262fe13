"""Real faults of real sources, and the promise that nothing is supplied beyond grants."""

from __future__ import annotations

import random
from typing import Any

import pytest

from core.settings import Settings
from exchange.catalogue.store import table_of
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, fact, outcomes

LIMIT_S = 1.0
ITEMS = ("tyxydm", "frmc", "fddbr", "zs", "cxzt", "djjg", "djrq", "ywfw")


@pytest.fixture
def hub_settings(hub_settings: Settings) -> Settings:
    """A hub whose cases wait one second for their sources."""
    return hub_settings.model_copy(update={"evidence_limit_s": LIMIT_S})


async def test_source_that_hangs_is_named_and_the_others_are_supplied(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    applicants = [world.company, world.manager]
    async with world.hub.services.database.transaction() as connection:
        await connection.execute(f"LOCK TABLE {table_of('fr_jbxx')} IN ACCESS EXCLUSIVE MODE")
        answer = await world.ask(applicants=applicants)
    assert outcomes(answer) == {
        "M01": "source_unavailable",
        "M02": "source_unavailable",
        "M03": "supplied",
    }
    assert fact(answer, "registration")["reason"] == "TIMEOUT"
    answer = await world.ask(applicants=applicants)
    assert outcomes(answer) == {"M01": "supplied", "M02": "supplied"}


async def test_source_that_is_recalled_in_the_middle_of_a_case_is_unavailable(world: EvidenceWorld) -> None:
    await world.grant_all()
    await world.release(build_document())
    assert (await world.ask())["complete"] is True
    recalled = await world.hub.client.post(
        "/v1/resources/fr_jbxx/recall",
        json={"reason": "目录调整"},
        headers=world.hub.members["market"].headers,
    )
    assert recalled.status_code == 200, recalled.text
    answer = await world.ask()
    assert set(outcomes(answer).values()) == {"source_unavailable"}
    assert {each["reason"] for found in answer["materials"] for each in found["facts"]} == {"CLOSED"}


async def test_data_older_than_the_item_allows_are_not_used(world: EvidenceWorld) -> None:
    await world.grant_all()
    document = build_document()
    document["facts"][0]["ways"][0]["max_age_days"] = 3
    await world.release(document)
    assert fact(await world.ask(case="a"), "registration")["outcome"] == "supplied"
    async with world.hub.services.database.acquire() as connection:
        await connection.execute(
            "UPDATE exchange.version SET committed_at = committed_at - interval '4 days'"
        )
    found = fact(await world.ask(case="b"), "registration")
    assert (found["outcome"], found["reason"]) == ("source_unavailable", "STALE")


async def test_revoked_grant_stops_the_next_run(world: EvidenceWorld) -> None:
    grant = await world.grant("fr_jbxx", list(ITEMS))
    await world.release(build_document())
    assert (await world.ask())["complete"] is True
    headers = world.hub.members["market"].headers
    revoked = await world.hub.client.post(
        f"/v1/grants/{grant}/revocation", json={"reason": "停用"}, headers=headers
    )
    assert revoked.status_code == 200, revoked.text
    answer = await world.ask()
    assert set(outcomes(answer).values()) == {"not_authorised"}


def build_random_rules(chance: random.Random) -> dict[str, Any]:
    """Ask for random items of a firm, each by query or by verification."""
    facts, materials = [], []
    for number in range(chance.randint(1, 5)):
        items = chance.sample(ITEMS[1:], chance.randint(1, 3))
        way: dict[str, Any] = {"resource": "fr_jbxx"}
        if chance.random() < 0.5:
            way |= {"kind": "dataset", "keys": {"tyxydm": "$company.code"}}
            way["gives"] = {f"a{n}": item for n, item in enumerate(items)}
        else:
            way |= {"kind": "verification", "subject": {"tyxydm": "$company.code"}}
            way["assertions"] = {item: f"$input.{item}" for item in items}
        facts.append({"code": f"f{number}", "title": "f", "ways": [way]})
        materials.append({"code": f"M{number}", "title": "m", "facts": [f"f{number}"]})
    inputs = [{"name": item, "title": item} for item in ITEMS[1:]]
    return build_document(facts=facts, materials=materials, inputs=inputs, form={})


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_supplied_beyond_the_grant(world: EvidenceWorld, seed: int) -> None:
    """Whatever the rules ask for and whatever was granted: each fact is supplied exactly where a grant of its
    mode, for this item, covers all that it asks; and no value of an item outside ever stands in an answer."""
    chance = random.Random(seed)
    document = build_random_rules(chance)
    await world.release(document)
    for round_number in range(4):
        granted = ["tyxydm", *chance.sample(ITEMS[1:], chance.randint(0, 5))]
        modes = chance.choice([["query"], ["verify"], ["query", "verify"]])
        service_items = [chance.choice([ITEM_CODE, "别的事项"])]
        grant = await world.grant("fr_jbxx", granted, modes=modes, service_items=service_items)
        answer = await world.ask(
            case=f"c{round_number}", inputs={item: world.firm[item] for item in ITEMS[1:]}
        )
        for each in document["facts"]:
            way = each["ways"][0]
            items = set(way["gives"].values() if way["kind"] == "dataset" else way["assertions"])
            mode = "query" if way["kind"] == "dataset" else "verify"
            covered = mode in modes and items <= set(granted) and service_items == [ITEM_CODE]
            found = fact(answer, each["code"])
            assert (found["outcome"] == "supplied") is covered, (way, granted, modes, found)
            assert covered or found["outcome"] == "not_authorised"
            assert covered or "data" not in found
        values = {world.firm[item] for item in set(ITEMS) - set(granted) if len(world.firm[item]) > 3}
        assert not any(value in str(answer["materials"]) for value in values)
        await world.hub.client.post(
            f"/v1/grants/{grant}/revocation",
            json={"reason": "下一轮"},
            headers=world.hub.members["market"].headers,
        )
