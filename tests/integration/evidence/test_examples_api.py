"""Example applicants over HTTP: a release in which one fails is refused, and it is named."""

from __future__ import annotations

import copy

from tests.evidence_rules import EXAMPLES, build_document
from tests.hubs import RunningHub
from tests.integration.evidence.test_rules_api import PATH, publish_resources, save


async def test_release_with_a_failing_example_is_refused_and_the_example_named(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    examples = copy.deepcopy(EXAMPLES)
    examples[1]["required"] = ["M01"]
    await save(hub, build_document(examples=examples))
    tested = (await hub.client.get(f"{PATH}/examples", headers=headers)).json()
    assert [(each["name"], each["passed"]) for each in tested] == [
        ("租赁场所的企业，配管理员", True),
        ("自有场所的企业", False),
    ]
    refused = await hub.client.post(f"{PATH}/release", headers=headers)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/examples/1/required", "EXAMPLE-FAILED")
    assert "自有场所的企业" in error["detail"]

    assert (await save(hub, build_document(examples=EXAMPLES))).json()["findings"] == []
    assert (await hub.client.post(f"{PATH}/release", headers=headers)).status_code == 200
    stored = (await hub.client.get(PATH, headers=headers)).json()
    assert stored["rules"]["examples"] == EXAMPLES


async def test_applicant_that_is_made_up_is_told_what_would_be_required(hub: RunningHub) -> None:
    await publish_resources(hub)
    headers = hub.members["approval"].headers
    await save(hub, build_document())
    body = {"roles": {"company": "organisation"}, "inputs": {"premises": "leased"}}
    demand = (await hub.client.post(f"{PATH}/demand", json=body, headers=headers)).json()
    assert demand == {
        "version": 1,
        "required": ["M01", "M02", "M04"],
        "not_required": ["M03"],
        "ways": {"registration": ["dataset"], "representative": ["commitment"], "lease": ["tolerance"]},
    }
    document = build_document()
    document["facts"][1]["ways"][0]["subject"]["tyxydm"] = "$nobody.code"
    await save(hub, document)
    refused = await hub.client.post(f"{PATH}/demand", json=body, headers=headers)
    assert refused.status_code == 409
