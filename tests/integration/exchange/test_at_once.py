"""Calls whose ground this process knows: read and proved in one statement, and never on an old word.

`warm` are services that have answered before, as a process under load has; `cold` ones have seen nothing, so
that everything they say comes from the database. After any change the two say the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from core.database import Database
from core.errors import RateLimited, ShuzhengError
from exchange.access.grants import Shrink
from exchange.access.model import Grant
from exchange.query.api import render_answer
from exchange.query.model import Question
from exchange.query.service import QueryService
from exchange.verify.model import Assertion, Operator, Verification
from exchange.verify.receipts import BatchReceiptIssuer
from exchange.verify.service import VerifyService
from hub.services import utc_now
from signing.merkle.receipts import BatchSigner
from signing.merkle.receipts_async import Batcher
from signing.sm2 import PrivateKey
from tests.exchange_world import PURPOSE, World, build_row, open_world
from tests.integration.exchange.test_equal_work import noting_statements

KEY = {"GMSFHM": build_row(1)["GMSFHM"]}
SIGNING_KEY = PrivateKey.generate()


@dataclass(frozen=True, slots=True)
class Answerers:
    """A world, with the services of one process."""

    world: World
    query: QueryService
    verify: VerifyService

    async def ask(self, *items: str) -> str:
        """Query, and write down the answer or the refusal."""
        question = Question(keys=KEY, where=None, items=items or None, limit_rows=100, after=None)
        try:
            answer = await self.query.query(
                caller=self.world.consumer, purpose=PURPOSE, resource_code="people", question=question
            )
        except ShuzhengError as refused:
            return f"{refused.code}: {refused.detail}"
        return render_answer(answer)

    async def check(self, **facts: object) -> Verification:
        """Verify facts about the subject."""
        return await self.verify.verify(
            caller=self.world.consumer,
            purpose=PURPOSE,
            resource_code="people",
            subject=KEY,
            assertions=[
                Assertion(item=item, operator=Operator.EQ, value=fact) for item, fact in facts.items()
            ],
        )

    async def say(self) -> list[str]:
        """Ask everything, and write down what was said."""
        try:
            found = await self.check(XM="人1", XB="2")
            said = str([(each.item, each.outcome) for each in found.judgements])
        except ShuzhengError as refused:
            said = f"{refused.code}: {refused.detail}"
        return [await self.ask(), await self.ask("XM"), said]


@pytest.fixture
async def batcher() -> AsyncIterator[Batcher]:
    async with Batcher(BatchSigner(signer=SIGNING_KEY, issuer="hub", clock=utc_now), max_wait_ms=0) as opened:
        yield opened


@pytest.fixture
async def world(database: Database) -> World:
    opened = await open_world(database)
    await opened.publish([build_row(1), build_row(2)])
    return opened


def start_process(world: World, batcher: Batcher) -> Answerers:
    """Start what one process of a hub holds."""
    return Answerers(
        world, world.query_service(), world.verify_service(BatchReceiptIssuer(batcher), mismatches_a_day=3)
    )


async def revoke(world: World, grant: Grant) -> None:
    await world.grants.revoke(caller=world.provider, grant_id=grant.id, reason="用途不符")


async def shrink_items(world: World, grant: Grant) -> None:
    await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=Shrink(items=("GMSFHM", "XB")))


async def shrink_rows(world: World, grant: Grant) -> None:
    narrowed = Shrink(row_filter={"none": {"item": "XB", "equals": "9"}}, reason="不再需要")
    await world.grants.shrink(caller=world.provider, grant_id=grant.id, shrink=narrowed)


async def mask(world: World, _grant: Grant) -> None:
    masks = {"XM": {"*": "name"}}
    await world.grants.set_masks(caller=world.provider, resource_code="people", masks=masks)


async def dispute(world: World, _grant: Grant | None) -> None:
    await world.objection_service().raise_objection(
        caller=world.consumer,
        purpose=PURPOSE,
        resource_code="people",
        keys=KEY,
        item="XM",
        claim="错",
        basis="证",
    )


async def give_another(world: World, _grant: Grant) -> None:
    await world.give(items=("GMSFHM", "XM", "XB", "CSRQ"))


async def expire(world: World, grant: Grant) -> None:
    await _execute(world, "UPDATE exchange.grant_ SET valid_until = now() WHERE id = $1", grant.id)


async def close_item(world: World, _grant: Grant) -> None:
    await _execute(
        world,
        "UPDATE exchange.resource_item SET share_type = 'not_shared'"
        " WHERE resource_code = 'people' AND name = $1",
        "XM",
    )


async def recall(world: World, _grant: Grant) -> None:
    await _execute(world, "UPDATE exchange.resource SET state = 'recalled' WHERE code = $1", "people")


async def publish_change(world: World, _grant: Grant) -> None:
    await world.publish([build_row(1, XM="新名")])


async def _execute(world: World, statement: str, value: object) -> None:
    async with world.database.transaction() as connection:
        await connection.execute(statement, value)


CHANGES: list[Callable[[World, Grant], Awaitable[None]]] = [
    revoke, shrink_items, shrink_rows, mask, dispute, give_another, expire, close_item, recall,
    publish_change,
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
async def test_process_that_answered_before_says_what_one_that_saw_nothing_says(
    world: World, batcher: Batcher, change: Callable[[World, Grant], Awaitable[None]]
) -> None:
    grant = await world.give(items=("GMSFHM", "XM", "XB"))
    warm = start_process(world, batcher)
    before = await warm.say()
    assert await warm.say() == before
    await change(world, grant)
    said = await warm.say()
    assert said == await start_process(world, batcher).say()
    assert said != before
    assert await warm.say() == said


async def test_every_call_of_many_at_once_has_its_leaf_when_it_is_answered(
    world: World, batcher: Batcher
) -> None:
    await world.give(items=("GMSFHM", "XM", "XB"))
    warm = start_process(world, batcher)
    await warm.say()
    before = len(await world.events())
    answered = 0

    async def call(number: int) -> None:
        nonlocal answered
        await (warm.ask() if number % 2 else warm.check(XM="人1"))
        answered += 1
        told = answered
        assert len(await world.events()) - before >= told

    await asyncio.gather(*(call(number) for number in range(60)))
    new = (await world.events())[before:]
    assert [leaf["event"] for leaf in new].count("data.queried") == 30
    assert [leaf["event"] for leaf in new].count("facts.verified") == 30


async def test_budget_of_mismatches_is_exact_over_processes_that_know_the_ground(
    world: World, batcher: Batcher
) -> None:
    await world.give(items=("GMSFHM", "XM", "XB"))
    processes = [start_process(world, batcher) for _ in range(3)]
    for process in processes:
        await process.say()
    answers = await asyncio.gather(
        *(processes[n % 3].check(XM=f"猜{n}") for n in range(24)), return_exceptions=True
    )
    assert sum(isinstance(answer, Verification) for answer in answers) == 3
    assert sum(isinstance(answer, RateLimited) for answer in answers) == 21
    with pytest.raises(RateLimited):
        await processes[0].check(XM="人1")
    processes[0].verify._now = lambda: utc_now() + timedelta(days=1)
    assert (await processes[0].check(XM="人1")).judgements[0].outcome == "match"


async def test_nothing_is_answered_where_its_leaf_cannot_be_written(world: World, batcher: Batcher) -> None:
    await world.give(items=("GMSFHM", "XM", "XB"))
    warm = start_process(world, batcher)
    await warm.say()
    async with world.database.acquire() as connection:
        await connection.execute(
            "ALTER TABLE core.log_leaf ADD CONSTRAINT none_more CHECK (event <> 'data.queried') NOT VALID"
        )
    with pytest.raises(Exception, match="none_more"):
        await warm.ask()
    assert (await warm.check(XM="人1")).judgements[0].outcome == "match"


async def test_only_what_is_judged_a_mismatch_stays_counted(world: World, batcher: Batcher) -> None:
    await world.give(items=("GMSFHM", "XM", "XB", "JKSJ"))
    warm = start_process(world, batcher)
    await warm.say()

    async def count() -> int:
        async with world.database.acquire() as connection:
            return int(
                await connection.fetchval("SELECT coalesce(sum(mismatches), 0) FROM exchange.mismatch_count")
            )

    before = await count()
    written_otherwise = await warm.check(XM="人１", JKSJ="20260101000000", XB="9", SR="9")
    said = [str(each.outcome) for each in written_otherwise.judgements]
    assert said == ["match", "not_found", "mismatch", "not_authorised"]
    assert await count() - before == 1
    assert [str(each.outcome) for each in (await warm.check(XM="人１")).judgements] == ["match"]
    assert await count() - before == 1
    await dispute(world, None)
    assert [str(each.outcome) for each in (await warm.check(XM="猜")).judgements] == ["disputed"]
    assert await count() - before == 1


async def test_call_on_known_ground_takes_two_statements(
    world: World, batcher: Batcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reads and proves, one appends the leaf; begin and commit are statements too."""
    await world.give(items=("GMSFHM", "XM", "XB"))
    warm = start_process(world, batcher)
    await warm.say()
    with noting_statements(monkeypatch) as noted:
        await warm.ask()
        await warm.check(XM="人1")
    assert len(noted) == 4, noted
    assert [("data" in statement, "log_leaf" in statement) for statement in noted] == [
        (True, False),
        (False, True),
    ] * 2
