"""Verification: every outcome, the budget, and receipts that hold offline and tell nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from core.database import Database
from core.errors import GrantMissing, RateLimited, SchemaViolation
from exchange.access.model import Mode
from exchange.verify.model import Assertion, Operator, Outcome, Verification
from exchange.verify.receipts import BatchReceiptIssuer, build_salted_digest
from exchange.verify.service import VerifyService
from hub.services import utc_now
from signing.canonical_json import build_canonical_json
from signing.merkle.errors import ReceiptRefused
from signing.merkle.receipts import BatchSigner, TrustedKeys, verify_receipt
from signing.merkle.receipts_async import Batcher
from signing.sm2 import PrivateKey
from tests.exchange_world import PURPOSE, World, build_row, open_world

KEY = PrivateKey.generate()
SUBJECT = {"GMSFHM": build_row(1)["GMSFHM"]}


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


@pytest.fixture
async def verify(world: World) -> AsyncIterator[VerifyService]:
    signer = BatchSigner(signer=KEY, issuer="hub", clock=utc_now)
    async with Batcher(signer, max_wait_ms=0) as batcher:
        yield world.verify_service(BatchReceiptIssuer(batcher), mismatches_a_day=3)


async def check(verify: VerifyService, world: World, subject=None, **facts: object) -> Verification:
    return await verify.verify(
        caller=world.consumer,
        purpose=PURPOSE,
        resource_code="people",
        subject=SUBJECT if subject is None else subject,
        assertions=[Assertion(item=item, operator=Operator.EQ, value=value) for item, value in facts.items()],
    )


def outcomes(found: Verification) -> list[str]:
    return [str(judgement.outcome) for judgement in found.judgements]


async def test_verify_answers_every_assertion_at_once(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give(items=("XM", "CSRQ", "JKSJ"), modes=frozenset({Mode.VERIFY}))
    found = await check(verify, world, XM="人1", CSRQ="1999-01-01", JKSJ="20260101000000", SR="1")
    assert outcomes(found) == ["match", "mismatch", "not_found", "not_authorised"]
    assert found.version == 1
    assert "人1" not in json.dumps(found.receipt, ensure_ascii=False)


async def test_verify_of_absent_subject_answers_not_found(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give()
    assert outcomes(await check(verify, world, subject={"GMSFHM": "0"}, XM="人1")) == ["not_found"]


async def test_verify_before_first_version_answers_source_unavailable(
    world: World, verify: VerifyService
) -> None:
    await world.give()
    assert outcomes(await check(verify, world, XM="人1")) == ["source_unavailable"]


async def test_verify_outside_row_filter_answers_not_found(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give(row_filter={"place": {"item": "HJSZD", "prefix": "9902"}})
    assert outcomes(await check(verify, world, XM="人1")) == ["not_found"]


async def test_verify_without_grant_is_refused_in_the_same_words(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give(modes=frozenset({Mode.QUERY}))
    said = set()
    for subject, facts in ((SUBJECT, {"XM": "人1"}), ({"GMSFHM": "0"}, {"XM": "?"}), ({}, {"nope": 1})):
        with pytest.raises(GrantMissing) as refused:
            await check(verify, world, subject=subject, **facts)
        said.add(refused.value.detail)
    assert len(said) == 1


async def test_verify_mismatches_over_budget_are_refused_until_tomorrow(
    world: World, verify: VerifyService
) -> None:
    await world.publish([build_row(1), build_row(2)])
    await world.give()
    for guess in range(3):
        assert outcomes(await check(verify, world, XM=f"猜{guess}")) == ["mismatch"]
    with pytest.raises(RateLimited):
        await check(verify, world, XM="人1")
    other = {"GMSFHM": build_row(2)["GMSFHM"]}
    assert outcomes(await check(verify, world, subject=other, XM="人2")) == ["match"]
    assert (await world.events())[-2]["event"] == "access.refused"
    verify._now = lambda: utc_now() + timedelta(days=1)
    assert outcomes(await check(verify, world, XM="人1")) == ["match"]


async def test_verify_budget_holds_against_many_calls_at_once(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give()
    answers = await asyncio.gather(
        *(check(verify, world, XM=f"猜{guess}") for guess in range(12)), return_exceptions=True
    )
    assert sum(isinstance(answer, Verification) for answer in answers) == 3
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 9


async def test_verify_several_values_for_one_item_is_refused(world: World, verify: VerifyService) -> None:
    await world.give()
    guesses = [Assertion(item="XB", operator=Operator.EQ, value=value) for value in "12"]
    with pytest.raises(SchemaViolation) as refused:
        await verify.verify(
            caller=world.consumer,
            purpose=PURPOSE,
            resource_code="people",
            subject=SUBJECT,
            assertions=guesses,
        )
    assert refused.value.errors[0].code == "DUPLICATE"


@pytest.mark.parametrize("text", ["'; DROP TABLE data.people; --", "a\x00", "\ud800", "x" * 20_000])
async def test_verify_with_hostile_text_is_a_clear_error_or_no_match(
    world: World, verify: VerifyService, text: str
) -> None:
    await world.publish([build_row(1)])
    await world.give()
    for subject, facts in (({"GMSFHM": text}, {"XM": "1"}), (SUBJECT, {"XM": text}), (SUBJECT, {text: 1})):
        try:
            found = await check(verify, world, subject=subject, **facts)
        except SchemaViolation:
            continue
        assert Outcome.MATCH not in {judgement.outcome for judgement in found.judgements}


async def test_receipt_verifies_offline_and_opens_with_the_salt(world: World, verify: VerifyService) -> None:
    await world.publish([build_row(1)])
    await world.give()
    found = await check(verify, world, XM="人1", CSRQ="19900102")
    receipt = build_canonical_json(found.receipt)
    verify_receipt(receipt, trust=TrustedKeys(keys=(KEY.public_key,)))
    payload = found.receipt["payload"]
    assert payload["case_number"] == PURPOSE.case_number
    assert payload["organisation"] == world.consumer.organisation_code
    assert [answer["outcome"] for answer in payload["answers"]] == ["match", "match"]
    assert payload["subject_digest"] == build_salted_digest(bytes.fromhex(found.opening), SUBJECT)
    assert str(SUBJECT["GMSFHM"]).encode() not in receipt
    forged = receipt.replace(b'"outcome":"match"', b'"outcome":"mismatch"', 1)
    with pytest.raises(ReceiptRefused):
        verify_receipt(forged, trust=TrustedKeys(keys=(KEY.public_key,)))


async def test_verify_leaf_holds_outcomes_and_hashed_subject_only(
    world: World, verify: VerifyService
) -> None:
    await world.publish([build_row(1)])
    await world.give()
    await check(verify, world, XM="人1", SR="99")
    leaf = (await world.events())[-1]
    assert leaf["event"] == "facts.verified"
    assert leaf["details"]["outcomes"] == {"match": 1, "mismatch": 1}
    assert leaf["subject_hmac"] == world.log.hash_subject(str(SUBJECT["GMSFHM"])).hex()
    assert "人1" not in str(leaf)
