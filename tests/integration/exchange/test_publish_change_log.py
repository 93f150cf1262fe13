"""The change log of a resource: what it tells of a batch, in which order, and under which key."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from exchange.publish import apply
from tests.hubs import RunningHub
from tests.integration.exchange.test_publish import publish, register


@pytest.mark.parametrize("many_rows", [0, 10_000], ids=["many", "few"])
async def test_change_log_follows_the_file_and_puts_deletions_last(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch, many_rows: int
) -> None:
    monkeypatch.setattr(apply, "MANY_ROWS", many_rows)
    await register(hub)
    head = "code,name,amount\n"
    await publish(hub, head + "a,甲,1.50\nb,乙,2\nc,丙,\nd,丁,4\n", "1")
    await publish(hub, head + "z,新,\nd,丁,4.00\nc,丙,3\ny,新,1\nb,,\n", "2", mode="snapshot", confirm="true")
    await publish(hub, "code\ny\nq\nc\n", "3", mode="delete")
    async with hub.services.database.acquire() as connection:
        changes = await connection.fetch(
            "SELECT _version, _sequence, _operation, (_before).code AS old, (_before).amount::text AS was,"
            " (_after).code AS new, (_after).amount::text AS amount, (_after)._version AS of"
            " FROM data.things__changes ORDER BY _version, _sequence"
        )
    assert [tuple(change) for change in changes[4:]] == [
        (2, 1, "insert", None, None, "z", None, 2),
        (2, 2, "update", "c", None, "c", "3.00", 2),
        (2, 3, "insert", None, None, "y", "1.00", 2),
        *((2, place, "delete", old, was, None, None, None) for place, old, was in deleted_of(changes)),
        (3, 1, "delete", "y", "1.00", None, None, None),
        (3, 2, "delete", "c", "3.00", None, None, None),
    ]
    assert {change["old"] for change in changes[7:9]} == {"a", "b"}


def deleted_of(changes: list[Any]) -> list[tuple[int, str, str]]:
    """The deletions of a snapshot, which come in no order of theirs."""
    return [
        (place, change["old"], {"a": "1.50", "b": "2.00"}[change["old"]])
        for place, change in enumerate(changes[7:9], start=4)
    ]


async def test_first_publish_leaves_a_change_log_with_its_key(hub: RunningHub) -> None:
    await register(hub)
    await publish(hub, "code,name\na,甲\n", "1")
    async with hub.services.database.acquire() as connection:
        found = await connection.fetch(
            "SELECT c.relname, i.indisvalid, i.indisunique, c.relispartition FROM pg_index i"
            " JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid::regclass::text"
            " LIKE 'data.things__ch%' ORDER BY 1"
        )
        with pytest.raises(asyncpg.UniqueViolationError):
            await connection.execute("INSERT INTO data.things__changes VALUES (1, 1, 'insert', NULL, NULL)")
    assert [tuple(row) for row in found] == [
        ("things__changes_0_pkey", True, True, True),
        ("things__changes_pkey", True, True, False),
    ]
