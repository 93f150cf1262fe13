"""Who used a subject's data: the numbered list, and the proof that it is complete."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from core.caller import OrganisationCode
from core.log.chain import name_mass_reading
from core.log.events import CATALOGUE, Kind
from core.log.export_check import ExportCheck
from core.log.model import Event
from core.log.privacy import contains_number
from core.log.statement_check import verify_statement_in_export
from core.log.subject_proof import parse_subject_proof, read_statement, verify_subject_proof
from exchange.catalogue import store as catalogue_store
from hub.services import Services, utc_now
from signing.canonical_json import build_canonical_json
from signing.errors import ShuzhengError
from signing.merkle.errors import ProofRefused
from tests.exchange_world import build_resource
from tests.hubs import RunningHub
from tests.integration.core.log_acts import (
    NUMBER,
    OTHER,
    SUITE,
    act,
    caller_of,
    settle,
    trust_of,
    verifier_of,
)


async def test_subjects_list_is_numbered_and_its_completeness_proof_verifies_offline(hub: RunningHub) -> None:
    police = caller_of(hub.members["police"])
    for subject in (NUMBER, OTHER, NUMBER):
        await act(hub.services, police, subject=subject)
    await act(hub.services, police, subjects=[OTHER, NUMBER])
    await settle(hub.services)
    body = {"number": NUMBER.lower(), "limit": 2}
    page = (await hub.client.post("/v1/audit/subjects", json=body, headers=hub.auditor.headers)).json()
    assert page["total"] == 3
    assert [leaf["number"] for leaf in page["leaves"]] == [1, 2]
    assert page["next_after"] == 2
    denied = await hub.client.post("/v1/audit/subjects", json=body, headers=hub.members["police"].headers)
    assert denied.status_code == 403
    answer = await hub.client.post(
        "/v1/audit/subjects/proof", json={"number": NUMBER}, headers=hub.auditor.headers
    )
    document = answer.json()
    assert not contains_number(json.dumps(document))
    heads, trust = await verifier_of(hub), trust_of(hub.services).receipts()

    def check(changed: dict[str, object], number: str | None = NUMBER) -> int:
        proof = parse_subject_proof(changed)
        return verify_subject_proof(proof, heads=heads, suite=SUITE, trust=trust, number=number).leaves

    assert check(document) >= 3
    leaves = document["leaves"]
    for left_out in range(len(leaves)):
        with pytest.raises(ShuzhengError):
            check(document | {"leaves": leaves[:left_out] + leaves[left_out + 1 :]})
    renumbered = [leaf | {"number": n + 1} for n, leaf in enumerate(leaves[1:])]
    with pytest.raises(ShuzhengError):
        check(document | {"leaves": renumbered})
    with pytest.raises(ShuzhengError):
        check(document | {"leaves": [leaves[0] | {"entry": leaves[1]["entry"]}, *leaves[1:]]})
    with pytest.raises(ShuzhengError):
        check(document, number=OTHER)


async def read_in_mass(services: Services, code: str, times: int) -> None:
    samples = {Kind.TEXT: "x", Kind.INTEGER: 1, Kind.BOOLEAN: True, Kind.TEXTS: ["XM"]}
    fields = CATALOGUE[Event.CHANGES_READ].fields.values()
    details = {field.name: samples[field.kind] for field in fields if not field.is_optional}
    for _ in range(times):
        await act(
            services,
            None,
            event=Event.CHANGES_READ,
            resource_code=code,
            subject=name_mass_reading(code),
            details=details,
        )


@pytest.fixture
async def catalogued(hub: RunningHub) -> RunningHub:
    """A hub whose catalogue has the resource `people`."""
    resource = build_resource()
    async with hub.services.database.transaction() as connection:
        provider = replace(resource, provider_code=OrganisationCode(hub.members["police"].code))
        await catalogue_store.save_resource(connection, resource=provider)
    return hub


async def prove(hub: RunningHub, number: str = NUMBER) -> dict[str, Any]:
    answer = await hub.client.post(
        "/v1/audit/subjects/proof", json={"number": number}, headers=hub.auditor.headers
    )
    document: dict[str, Any] = answer.json()
    return document


async def test_subjects_proof_names_the_resources_that_were_read_in_mass(catalogued: RunningHub) -> None:
    hub = catalogued
    await act(hub.services, None, subject=NUMBER)
    await read_in_mass(hub.services, "people", 3)
    await settle(hub.services)
    page = await hub.client.post("/v1/audit/subjects", json={"number": NUMBER}, headers=hub.auditor.headers)
    assert page.json()["mass_readings"] == [{"resource": "people", "leaves": 3}]
    heads, trust = await verifier_of(hub), trust_of(hub.services).receipts()
    signed = read_statement(build_canonical_json(page.json()["statement"]), trust=trust)
    assert signed.leaves == page.json()["total"] == 1
    proof = parse_subject_proof(await prove(hub))
    verified = verify_subject_proof(proof, heads=heads, suite=SUITE, trust=trust, number=NUMBER)
    assert [(each.resource, each.leaves) for each in verified.mass_readings] == [("people", 3)]
    of_resource = parse_subject_proof(await prove(hub, name_mass_reading("people")))
    listed = verify_subject_proof(of_resource, heads=heads, suite=SUITE, trust=trust)
    assert listed.leaves == 3
    assert of_resource.subject_hmac == verified.mass_readings[0].chain


async def test_subjects_list_as_csv_has_a_line_for_each_leaf(hub: RunningHub) -> None:
    for _ in range(2):
        await act(hub.services, None, subject=NUMBER)
    await settle(hub.services)
    body = {"number": NUMBER, "format": "csv"}
    answer = await hub.client.post("/v1/audit/subjects", json=body, headers=hub.auditor.headers)
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.splitlines()
    assert lines[0].lstrip("\ufeff").startswith("number,index,time,event")
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        ({"leaves": 1}, "2, or another last one"),
        ({"last_leaf_hash": bytes(32)}, "another last one"),
        ({"mass_readings": ()}, "left readings in mass out"),
        ({"root": bytes(32)}, "another tree"),
        ({"tree_size": 10_000}, "older than the statement"),
    ],
)
async def test_statement_that_lies_is_disproved_by_an_export(
    catalogued: RunningHub, tmp_path: Path, lie: dict[str, Any], told: str
) -> None:
    """Whoever holds the whole log counts again: leaving out the newest leaf is seen here."""
    hub = catalogued
    for _ in range(2):
        await act(hub.services, None, subject=NUMBER)
    await read_in_mass(hub.services, "people", 2)
    await settle(hub.services)
    trust = trust_of(hub.services)
    proof = parse_subject_proof(await prove(hub))
    path = tmp_path / "log.zip"
    await hub.services.log.export.export(path, caller=None)
    report, manifest, _ = ExportCheck(path, trust=trust, now=utc_now).run()
    assert report.is_whole
    statement = read_statement(proof.statement, trust=trust.receipts())
    verify_statement_in_export(statement, path, manifest)
    with pytest.raises(ProofRefused, match=told):
        verify_statement_in_export(replace(statement, **lie), path, manifest)
    fewer = [replace(each, leaves=1) for each in statement.mass_readings]
    with pytest.raises(ProofRefused, match="read in mass 1 times"):
        verify_statement_in_export(replace(statement, mass_readings=tuple(fewer)), path, manifest)
