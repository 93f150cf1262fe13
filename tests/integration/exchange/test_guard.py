"""The guard: patterns over the calls of all processes, what is done about them, and limits on calls."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.caller import Purpose
from core.database import Database
from core.errors import RateLimited
from exchange.guard import store
from exchange.guard.desk import GuardDesk
from exchange.guard.gate import SLOWED_BY_S, Gate
from exchange.guard.model import AlertKind, CallLimit, GuardRule, LimitScope, Sighting
from exchange.guard.service import Guard
from hub.services import utc_now
from tests.exchange_world import PROVIDER, PURPOSE, World, open_world
from tests.hubs import RunningHub

KEY = b"g" * 32


@pytest.fixture
async def world(database: Database) -> World:
    return await open_world(database)


class Sleeps(list[float]):
    """The delays that a gate asked for."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


def gate_of(world: World, sleeps: Sleeps | None = None) -> Gate:
    return Gate(database=world.database, now=utc_now, sleep=Sleeps() if sleeps is None else sleeps)


def guard_of(world: World, gate: Gate | None = None) -> Guard:
    return Guard(database=world.database, log=world.log, gate=gate or gate_of(world), key=KEY, now=utc_now)


def sighting(
    world: World, subject: str, *, found: bool = True, case: str = "1", operator: str = "王"
) -> Sighting:
    return Sighting(
        caller=world.consumer,
        purpose=Purpose(service_item="x", case_number=case, operator=operator),
        resource_code="people",
        provider_code=PROVIDER,
        subjects=((subject, found),),
        rows=int(found),
    )


def numbers(count: int, start: int = 0, step: int = 1) -> list[str]:
    return [f"99010119900101{start + n * step:04d}" for n in range(count)]


async def test_sequential_numbers_raise_one_alert_with_evidence_and_tell_the_owner(world: World) -> None:
    guard = guard_of(world)
    for number in numbers(7):
        guard.note(sighting(world, number, case=number))
    assert await guard.judge() == []
    guard.note(sighting(world, numbers(8)[-1], case="8"))
    (alert,) = await guard.judge()
    assert (alert.kind, alert.level) == (AlertKind.SEQUENTIAL, 1)
    assert alert.evidence["seen"] == 8
    guard.note(sighting(world, numbers(1)[0]))
    assert await guard.judge() == [], "the same pattern is not told twice"
    leaf = (await world.events())[-1]
    assert leaf["event"] == "guard.alerted"
    assert "9901011990" not in str(leaf)
    async with world.database.acquire() as connection:
        told = await connection.fetch(
            "SELECT organisation_code FROM exchange.notice WHERE kind = 'guard.alert'"
        )
        kept = await connection.fetch("SELECT key, member FROM exchange.guard_sighting")
    assert {row["organisation_code"] for row in told} == {PROVIDER, world.consumer.organisation_code, None}
    assert all(b"9901" not in bytes(row["key"]) + bytes(row["member"]) for row in kept)


async def test_pattern_spread_over_two_processes_is_seen(world: World) -> None:
    one, two = guard_of(world), guard_of(world)
    for number, guard in zip(numbers(8), [one, two] * 4, strict=True):
        guard.note(sighting(world, number, case=number))
    assert len(await one.judge() + await two.judge()) == 1


async def test_unrelated_numbers_of_many_cases_raise_nothing(world: World) -> None:
    guard = guard_of(world)
    for n in range(40):
        guard.note(
            sighting(world, f"9901{n:02d}19{50 + n}0101{n * 37 % 1000:03d}X", case=str(n), operator=str(n))
        )
    assert await guard.judge() == []


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (
            AlertKind.MISSES,
            lambda world, n: sighting(world, f"{n}" * 18, found=False, case=f"{n}", operator=f"{n}"),
        ),
        (AlertKind.OPERATOR_CASE, lambda world, n: sighting(world, f"{n}" * 18)),
        (AlertKind.OPERATOR_SUBJECTS, lambda world, n: sighting(world, f"{n}" * 18, case=f"{n}")),
        (AlertKind.VOLUME, lambda world, n: sighting(world, "1" * 18)),
    ],
)
async def test_each_kind_is_seen_at_its_threshold(world: World, kind: AlertKind, make) -> None:
    async with world.database.transaction() as connection:
        await store.save_rule(connection, rule=GuardRule(kind=kind, threshold=5, window_s=600))
    guard = guard_of(world)
    for n in range(4):
        guard.note(make(world, n))
    assert await guard.judge() == []
    guard.note(make(world, 4))
    assert [alert.kind for alert in await guard.judge()] == [kind]


async def test_round_of_many_calls_is_counted_whole_while_other_calls_are_noted(world: World) -> None:
    """A long round gives way to calls; what they add is for the next round."""
    guard = guard_of(world)
    for n in range(400):
        guard.note(sighting(world, f"{n:018d}", case=str(n), operator=f"o{n}"))
    first = asyncio.create_task(guard.judge())
    await asyncio.sleep(0)
    guard.note(sighting(world, "9" * 18, case="late", operator="late"))
    alerts = await first
    assert {alert.kind for alert in alerts} == {AlertKind.SEQUENTIAL}
    async with world.database.acquire() as connection:
        assert await connection.fetchval("SELECT count(*) FROM exchange.guard_sighting") == 3 * 400
        await guard.judge()
        assert await connection.fetchval("SELECT count(*) FROM exchange.guard_sighting") == 3 * 401


async def test_window_slides(world: World) -> None:
    guard = guard_of(world)
    for number in numbers(7):
        guard.note(sighting(world, number, case=number))
    await guard.judge()
    guard._now = lambda: utc_now() + timedelta(seconds=700)
    guard.note(sighting(world, numbers(9)[-1], case="9"))
    assert await guard.judge() == []


async def test_pattern_first_slows_then_refuses_until_released(world: World) -> None:
    sleeps = Sleeps()
    gate = gate_of(world, sleeps)
    guard = guard_of(world, gate)
    await gate.admit(world.consumer, PURPOSE)
    for number in numbers(8):
        guard.note(sighting(world, number, case=number))
    (first,) = await guard.judge()
    await gate.admit(world.consumer, PURPOSE)
    assert sleeps == [SLOWED_BY_S]
    for number in numbers(16):
        guard.note(sighting(world, number, case=number))
    (second,) = await guard.judge()
    assert second.level == 2
    elsewhere = gate_of(world)
    for each in (gate, elsewhere):
        with pytest.raises(RateLimited) as refused:
            await each.admit(world.consumer, PURPOSE)
        assert 0 < refused.value.retry_after_s <= 600
    await gate.admit(world.stranger, PURPOSE)
    desk = GuardDesk(database=world.database, log=world.log, gate=gate, now=utc_now)
    assert {alert.id for alert in await desk.list_alerts(caller=world.provider)} == {first.id, second.id}
    await desk.release(caller=world.provider, alert_id=second.id, reason="核查无误")
    await gate.admit(world.consumer, PURPOSE)


async def test_limit_holds_over_processes_and_is_renewed_each_minute(world: World) -> None:
    async with world.database.transaction() as connection:
        limit = CallLimit(scope=LimitScope.SYSTEM, name=str(world.consumer.system_id), per_minute=5)
        await store.save_limit(connection, limit=limit)
    minute = utc_now().replace(second=30)
    one, two = gate_of(world), gate_of(world)
    for gate in (one, two):
        gate._now = lambda: minute
    for gate in (one, two, one, two, one):
        await gate.admit(world.consumer, PURPOSE)
    for gate in (one, two):
        with pytest.raises(RateLimited) as refused:
            await gate.admit(world.consumer, PURPOSE)
        assert refused.value.retry_after_s == 30
        await gate.admit(world.stranger, PURPOSE)
        gate._now = lambda: minute + timedelta(minutes=1)
        await gate.admit(world.consumer, PURPOSE)


async def test_limit_over_http_answers_429_with_retry_after(hub: RunningHub) -> None:
    body = {"scope": "organisation", "name": hub.members["approval"].code, "per_minute": 1}
    put = await hub.client.put("/v1/guard/limits", json=body, headers=hub.admin.headers)
    assert put.status_code == 200, put.text
    asked = {"keys": {"GMSFHM": "1"}}
    calls = [
        await hub.client.post(
            "/v1/resources/people/query", json=asked, headers=hub.members["approval"].purposeful
        )
        for _ in range(3)
    ]
    assert calls[-1].status_code == 429
    assert 1 <= int(calls[-1].headers["retry-after"]) <= 60
    forbidden = await hub.client.put("/v1/guard/limits", json=body, headers=hub.members["police"].headers)
    assert forbidden.status_code == 403
