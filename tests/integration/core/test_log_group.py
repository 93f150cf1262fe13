"""Leaves of acts in flight, appended together."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from core.caller import Caller, OrganisationCode, SystemId
from core.database import Database
from core.errors import Unavailable
from core.log import store
from core.log.group import LeafGroup
from core.log.model import Event, Leaf
from core.log.writer import LogWriter, NewLeaf
from hub.services import utc_now

CALLER = Caller(
    system_id=SystemId(uuid4()),
    system_name="s",
    organisation_code=OrganisationCode("o"),
    organisation_name="o",
    scopes=frozenset(),
)
NEW = NewLeaf(
    event=Event.TOKEN_REVOKED, caller=CALLER, purpose=None, subject="99010119900101001X", details={}
)


@pytest.fixture
def log() -> LogWriter:
    return LogWriter(subject_key=b"k" * 32, now=utc_now)


async def count(database: Database) -> int:
    async with database.acquire() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM core.log_leaf"))


async def test_leaves_of_acts_in_flight_share_statements_and_are_all_queued(
    database: Database, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    save = store.save_leaves

    async def note(connection, *, leaves) -> bool:
        sizes.append(len(leaves))
        return await save(connection, leaves=leaves)

    monkeypatch.setattr(store, "save_leaves", note)
    group, before = LeafGroup(database=database, log=log), await count(database)
    await asyncio.gather(*(group.append(NEW, owner="o") for _ in range(100)))
    assert await count(database) - before == 100 == sum(sizes)
    assert len(sizes) <= 10
    assert max(sizes) <= store.MAX_IN_STATEMENT
    async with database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM core.log_pending") >= 100


async def test_leaf_that_comes_just_as_the_group_before_is_done_does_not_wait_for_a_third(
    database: Database, log: LogWriter
) -> None:
    group, before = LeafGroup(database=database, log=log), await count(database)
    async with asyncio.timeout(60):
        for _ in range(5):
            await group.append(NEW, owner="o")
    assert await count(database) - before == 5


async def test_leaf_that_the_database_refuses_takes_no_other_with_it(
    database: Database, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, before = LeafGroup(database=database, log=log), await count(database)
    build, made = log.build, []

    def build_one_twice(new: NewLeaf, *, owner: str | None) -> Leaf:
        made.append(made[0] if len(made) == 5 else build(new, owner=owner))
        return made[-1]

    monkeypatch.setattr(log, "build", build_one_twice)
    ends = await asyncio.gather(*(group.append(NEW, owner="o") for _ in range(9)), return_exceptions=True)
    assert [end is None for end in ends].count(False) == 1
    assert await count(database) - before == 8


async def test_trouble_with_the_database_reaches_every_act_and_the_next_goes_on(
    database: Database, log: LogWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, before = LeafGroup(database=database, log=log), await count(database)

    @asynccontextmanager
    async def broken():
        msg = "the database does not answer"
        raise Unavailable(msg)
        yield

    with monkeypatch.context() as patch:
        patch.setattr(database, "acquire", broken)
        ends = await asyncio.gather(*(group.append(NEW, owner="o") for _ in range(7)), return_exceptions=True)
    assert all(isinstance(end, Unavailable) for end in ends)
    await group.append(NEW, owner="o")
    assert await count(database) - before == 1


async def test_act_that_is_cancelled_while_it_waits_disturbs_no_other(
    database: Database, log: LogWriter
) -> None:
    group, before = LeafGroup(database=database, log=log), await count(database)
    acts = [asyncio.create_task(group.append(NEW, owner="o")) for _ in range(6)]
    await asyncio.sleep(0)
    acts[3].cancel()
    ends = await asyncio.gather(*acts, return_exceptions=True)
    assert [isinstance(end, asyncio.CancelledError) for end in ends] == [n == 3 for n in range(6)]
    assert 5 <= await count(database) - before <= 6
