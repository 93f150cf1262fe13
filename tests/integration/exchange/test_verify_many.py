"""Many checks in one call, and the kinds of difference, through the service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from core.database import Database
from core.errors import GrantMissing, RateLimited, SchemaViolation
from exchange.access.model import Mode, Quotas
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Item
from exchange.verify.model import Assertion, Check, Operator, SignedFindings
from exchange.verify.receipts import BatchReceiptIssuer, build_salted_digest
from exchange.verify.service import VerifyService
from hub.services import utc_now
from signing.merkle.receipts import BatchSigner, TrustedKeys, verify_receipt
from signing.merkle.receipts_async import Batcher
from signing.sm2 import PrivateKey
from tests.exchange_world import PURPOSE, World, build_resource, build_row, open_world

KEY = PrivateKey.generate()


@pytest.fixture
async def world(database: Database) -> World:
    opened = await open_world(database)
    await opened.publish([build_row(n) for n in range(5)])
    return opened


@pytest.fixture
async def verify(world: World) -> AsyncIterator[VerifyService]:
    signer = BatchSigner(signer=KEY, issuer="hub", clock=utc_now)
    async with Batcher(signer, max_wait_ms=0) as batcher:
        yield world.verify_service(BatchReceiptIssuer(batcher), mismatches_a_day=2)


def check(number: int, resource: str = "people", **facts: object) -> Check:
    return Check(
        resource_code=resource,
        subject={"GMSFHM": build_row(number)["GMSFHM"]},
        assertions=[Assertion(item=i, operator=Operator.EQ, value=v) for i, v in facts.items()],
    )


async def ask(verify: VerifyService, world: World, *checks: Check) -> SignedFindings:
    return await verify.verify_many(caller=world.consumer, purpose=PURPOSE, checks=checks)


def outcomes(found: SignedFindings) -> list[list[str]]:
    return [[str(each.outcome) for each in finding.judgements] for finding in found.findings]


async def register(world: World, code: str) -> None:
    async with world.database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=build_resource(code))
        await catalogue_store.create_tables(connection, resource=build_resource(code))


async def test_many_checks_are_answered_in_their_order_with_one_receipt(world: World, verify) -> None:
    await register(world, "houses")
    await world.give(items=("XM", "XB"), modes=frozenset({Mode.VERIFY}))
    found = await ask(
        verify,
        world,
        check(1, XM="人1", XB="9"),
        check(9, XM="人9"),
        check(2, CSRQ="1990-01-03", XM="人2"),
        check(1, "houses", XM="人1"),
    )
    assert outcomes(found) == [
        ["match", "mismatch"],
        ["not_found"],
        ["not_authorised", "match"],
        ["not_authorised"],
    ]
    verify_receipt(found.receipt_json, trust=TrustedKeys(keys=(KEY.public_key,)))
    payload = found.receipt["payload"]
    subject = {"GMSFHM": build_row(2)["GMSFHM"]}
    digest = build_salted_digest(bytes.fromhex(found.opening), subject)
    assert payload["checks"][2]["subject_digest"] == digest
    leaves = [leaf for leaf in await world.events() if leaf["event"] == "facts.verified"]
    assert [leaf["details"]["matched"] for leaf in leaves].count(["XM"]) == 2
    assert len(leaves) == 4


async def test_faults_in_any_check_are_told_at_once_and_nothing_is_answered(world: World, verify) -> None:
    await world.give()
    with pytest.raises(SchemaViolation) as refused:
        await ask(verify, world, check(1, XM="人1"), check(1, NOPE="x"), check(1, "nothing", XM="x"))
    assert {error.pointer for error in refused.value.errors} == {
        "/checks/1/assertions/0/item",
        "/checks/2/resource",
    }
    for checks in ([], [check(1)], [check(1, XM="1")] * 201):
        with pytest.raises(SchemaViolation):
            await ask(verify, world, *checks)
    assert "facts.verified" not in {leaf["event"] for leaf in await world.events()}


async def test_guessing_one_item_in_several_checks_is_refused(world: World, verify) -> None:
    await world.give()
    with pytest.raises(SchemaViolation) as refused:
        await ask(verify, world, check(1, XM="张"), check(1, XM="李"))
    assert refused.value.errors[0].code == "DUPLICATE"


async def test_used_up_budget_names_the_check_and_answers_nothing(world: World, verify) -> None:
    await world.give()
    await ask(verify, world, check(1, XM="错", XB="9"))
    with pytest.raises(RateLimited) as refused:
        await ask(verify, world, check(2, XM="人2"), check(1, XM="人1"))
    assert [error.pointer for error in refused.value.errors] == ["/checks/1"]
    assert refused.value.retry_after_s > 0


async def test_quota_of_calls_counts_a_bundle_as_one_call(world: World, verify) -> None:
    await world.give(quotas=Quotas(calls_per_day=2))
    for _ in range(2):
        await ask(verify, world, check(1, XM="人1"), check(2, XM="人2"))
    with pytest.raises(RateLimited):
        await ask(verify, world, check(1, XM="人1"))


async def test_former_name_is_named_only_where_the_grant_covers_it(database: Database) -> None:
    world = await open_world(database)
    base = build_resource("named")
    former = Item(name="CYM", title="曾用名", format="C..50")
    resource = replace(base, items=(*base.items, former))
    async with database.transaction() as connection:
        await catalogue_store.save_resource(connection, resource=resource)
        await catalogue_store.create_tables(connection, resource=resource)
    named = replace(world, resource=resource)
    await named.publish([build_row(1, XM="王新", CYM="王旧")])
    signer = BatchSigner(signer=KEY, issuer="hub", clock=utc_now)
    async with Batcher(signer, max_wait_ms=0) as batcher:
        verify = named.verify_service(BatchReceiptIssuer(batcher))
        first = await named.give(items=("XM",), modes=frozenset({Mode.VERIFY}))
        found = await ask(verify, named, check(1, "named", XM="王旧"))
        assert found.findings[0].judgements[0].difference == "other"
        await named.grants.revoke(caller=named.provider, grant_id=first.id, reason="试验")
        await named.give(items=("XM", "CYM"), modes=frozenset({Mode.VERIFY}))
        found = await ask(verify, named, check(1, "named", XM="王旧"))
        assert found.findings[0].judgements[0].difference == "former_name"
        assert "王新" not in found.receipt_json.decode()


async def test_recalled_resource_is_unavailable_in_a_bundle(world: World, verify) -> None:
    await world.give()
    async with world.database.transaction() as connection:
        await connection.execute("UPDATE exchange.resource SET state = 'recalled', state_reason = '停用'")
    assert outcomes(await ask(verify, world, check(1, XM="人1", ZJXY="x"))) == [
        ["source_unavailable", "not_authorised"]
    ]


async def test_revoked_grant_stops_the_bundle_at_once(world: World, verify) -> None:
    grant = await world.give()
    assert outcomes(await ask(verify, world, check(1, XM="人1"))) == [["match"]]
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")
    assert outcomes(await ask(verify, world, check(1, XM="人1"))) == [["not_authorised"]]
    with pytest.raises(GrantMissing):
        await verify.verify(
            caller=world.consumer,
            purpose=PURPOSE,
            resource_code="people",
            subject={"GMSFHM": build_row(1)["GMSFHM"]},
            assertions=[Assertion(item="XM", operator=Operator.EQ, value="人1")],
        )
