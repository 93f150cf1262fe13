"""Nothing is supplied beyond authorisations and grants by the ways of certificates and credit, nor hinted at.

Random rules meet random authorisations; what must be supplied is said by the rule alone, in the test's own
words. `test_faults` holds the same of rows and verifications.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from exchange.standards.samples import SampleKind
from tests.evidence_rules import ITEM_CODE, build_document
from tests.evidence_world import EvidenceWorld, certificate_way, fact, sample_rows

OTHER_ITEM = "别的事项"
CASE = "c"
FACE = {"representative": "FDDBR", "address": "ZS", "capital": "ZCZB"}
SEARCHED = {"tyxydm": "$company.code", "frmc": "$company.name", "fddbr": "$input.representative"}


def build_rules(chance: random.Random, ways: list[dict[str, Any]]) -> dict[str, Any]:
    """Build an item that asks one fact by each way."""
    facts = [{"code": f"f{n}", "title": "f", "ways": [way]} for n, way in enumerate(ways)]
    materials = [{"code": f"M{n}", "title": "m", "facts": [f"f{n}"]} for n in range(len(ways))]
    return build_document(facts=facts, materials=materials, form={}, examples=[])


async def give_code(world: EvidenceWorld, identifier: str, **changes: Any) -> str:
    """Have the holder authorise the use of its licence for a case; return the code."""
    body = {
        "identifier": identifier,
        "acting": {"code": world.firm["tyxydm"], "code_type": "001"},
        "organisation_code": world.hub.members["approval"].code,
        "service_item": ITEM_CODE,
        "case_number": CASE,
        "max_uses": 50,
        "minutes": 60,
    } | changes
    headers = world.hub.members["civil"].headers
    given = await world.hub.client.post("/v1/holders/authorisations", json=body, headers=headers)
    assert given.status_code == 201, given.text
    return str(given.json()["code"])


def said_of(answer: dict[str, Any], code: str) -> tuple[Any, ...]:
    """Return all that an answer says of a fact."""
    found = fact(answer, code)
    return tuple(found.get(name) for name in ("outcome", "reason", "detail", "source", "data", "tried"))


def unlicensed(world: EvidenceWorld) -> dict[str, str]:
    """Return another firm, which holds no licence."""
    rows = sample_rows(SampleKind.LEGAL_PERSON)
    other = next(each for each in rows if each["tyxydm"] != world.firm["tyxydm"])
    return {"role": "company", "code": other["tyxydm"], "name": other["frmc"]}


@pytest.mark.parametrize("seed", range(3))
async def test_certificate_is_supplied_where_its_type_or_its_holder_allows_it_and_nowhere_else(
    world: EvidenceWorld, seed: int
) -> None:
    chance = random.Random(seed)
    identifier = await world.issue_licence()
    values = {"FDDBR": world.firm["fddbr"], "ZS": world.firm["zs"], "ZCZB": "100万元人民币"}
    ways = [
        certificate_way(gives=dict(chance.sample(sorted(FACE.items()), chance.randint(0, 3))))
        for _ in range(chance.randint(1, 4))
    ]
    await world.release(build_rules(chance, ways))
    wrong = [
        {"case_number": "another"},
        {"service_item": OTHER_ITEM},
        {"organisation_code": world.hub.members["police"].code},
    ]
    for number in range(5):
        allowed_item = chance.choice([ITEM_CODE, OTHER_ITEM, OTHER_ITEM])
        await world.allow_licence(allowed_item)
        case, has_code = f"{CASE}{number}", chance.random() < 0.5
        given: list[dict[str, str]] = [
            *chance.sample(wrong, chance.randint(0, 2)),
            *([{}] if has_code else []),
        ]
        codes = [await give_code(world, identifier, **{"case_number": case} | changes) for changes in given]
        chance.shuffle(codes)
        answer = await world.ask(case=case, authorisations=codes)
        is_allowed = allowed_item == ITEM_CODE or has_code
        for place, way in enumerate(ways):
            found = fact(answer, f"f{place}")
            assert found["outcome"] == ("supplied" if is_allowed else "not_authorised"), (codes, found)
            wanted = {name: values[item] for name, item in way["gives"].items()} if is_allowed else {}
            assert found.get("data", {}) == wanted
        if not is_allowed:
            assert not any(value in str(answer["materials"]) for value in (*values.values(), identifier))
            other = await world.ask(
                case=f"{case}-other", applicants=[unlicensed(world)], authorisations=codes
            )
            assert said_of(other, "f0") == said_of(answer, "f0")


@pytest.mark.parametrize("seed", range(3))
async def test_credit_is_judged_where_a_grant_covers_all_that_is_searched_by_and_nowhere_else(
    world: EvidenceWorld, seed: int
) -> None:
    chance = random.Random(seed)
    ways = []
    for _ in range(chance.randint(2, 5)):
        names = ["tyxydm", *chance.sample(["frmc", "fddbr"], chance.randint(0, 2))]
        clean = chance.choice(["absent", "present"])
        where = {name: SEARCHED[name] for name in names}
        ways.append({"kind": "credit", "resource": "fr_jbxx", "where": where, "clean": clean})
    await world.release(build_rules(chance, ways))
    for number in range(5):
        granted = ["tyxydm", *chance.sample(["frmc", "fddbr", "zs"], chance.randint(0, 3))]
        modes = chance.choice([["query"], ["verify"], ["query", "verify"]])
        item = chance.choice([ITEM_CODE, ITEM_CODE, OTHER_ITEM])
        searched = chance.choice([granted, chance.sample(granted, chance.randint(1, len(granted)))])
        grant = await world.grant(
            "fr_jbxx", granted, modes=modes, service_items=[item], search_items=searched
        )
        is_listed = chance.random() < 0.5
        representative = world.firm["fddbr"] if is_listed else "无此人"
        answer = await world.ask(case=f"{CASE}{number}", inputs={"representative": representative})
        for place, way in enumerate(ways):
            found = fact(answer, f"f{place}")
            if not ("query" in modes and item == ITEM_CODE and set(way["where"]) <= set(searched)):
                assert found["outcome"] == "not_authorised", (way, searched, modes, found)
                assert "source" not in found
                continue
            is_there = is_listed or "fddbr" not in way["where"]
            expected = "supplied" if is_there is (way["clean"] == "present") else "not_held"
            assert found["outcome"] == expected, (way, granted, found)
            assert "data" not in found
        revoked = await world.hub.client.post(
            f"/v1/grants/{grant}/revocation",
            json={"reason": "下一轮"},
            headers=world.hub.members["market"].headers,
        )
        assert revoked.status_code == 200, revoked.text
