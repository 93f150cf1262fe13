"""What is not there and what is not granted cost the same work, so that time tells nothing.

Work is the statements sent to the database, in their order; a clock would prove nothing in a test.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import asyncpg
import pytest

from tests.hubs import Member, RunningHub
from tests.integration.exchange.test_break_in import give, prepare

OUTSIDE, ABSENT, INSIDE = ({"GMSFHM": f"K{n:017d}"} for n in (0, 77, 1))
FILTERED = {
    "items": ["GMSFHM", "XM"],
    "modes": ["query", "verify"],
    "row_filter": {"a": {"item": "XB", "equals": "x1"}},
}
NOTED: ContextVar[list[str] | None] = ContextVar("NOTED", default=None)


def calls_about(key: dict[str, str]) -> list[tuple[str, dict[str, Any]]]:
    facts = [{"item": "XM", "value": "?"}, {"item": "XB", "value": "x0"}]
    return [
        ("/v1/resources/people/query", {"keys": key}),
        ("/v1/resources/people/query", {"where": key, "items": ["XM"]}),
        ("/v1/resources/people/query", {"keys": key, "as_of_version": 1}),
        ("/v1/resources/people/verify", {"subject": key, "assertions": facts}),
        ("/v1/verify", {"checks": [{"resource": "people", "subject": key, "assertions": facts}]}),
        ("/v1/resources/people/objections", {"keys": key, "item": "XM", "claim": "x", "basis": "x"}),
    ]


@contextmanager
def noting_statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note the statements of this task, in which the hub answers; background work has its own tasks."""
    noted: list[str] = []
    prepared, simple = asyncpg.Connection._execute, asyncpg.Connection.execute

    def note(statement: str) -> None:
        if (of_this_task := NOTED.get()) is not None:
            of_this_task.append(statement)

    async def execute_prepared(self: Any, query: str, *args: Any, **named: Any) -> Any:
        note(query)
        return await prepared(self, query, *args, **named)

    async def execute_simple(self: Any, query: str, *args: Any, **named: Any) -> Any:
        if not args:
            note(query)
        return await simple(self, query, *args, **named)

    with monkeypatch.context() as patch:
        patch.setattr(asyncpg.Connection, "_execute", execute_prepared)
        patch.setattr(asyncpg.Connection, "execute", execute_simple)
        token = NOTED.set(noted)
        yield noted
        NOTED.reset(token)


async def work_of(
    hub: RunningHub, who: Member, path: str, body: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], int, str]:
    """Make a call twice, so that whatever is kept is there, and return the work and answer of the second."""
    await hub.client.post(path, json=body, headers=who.purposeful)
    with noting_statements(monkeypatch) as noted:
        answer = await hub.client.post(path, json=body, headers=who.purposeful)
    shown = answer.json()
    return noted, answer.status_code, str(shown.get("answers", shown.get("rows", shown.get("detail"))))


async def test_row_outside_the_grant_costs_the_work_of_an_absent_one(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, holder = await prepare(hub)
    await give(hub, owner, holder, FILTERED)
    for outside, absent, inside in zip(*map(calls_about, (OUTSIDE, ABSENT, INSIDE)), strict=True):
        path = outside[0]
        of_outside = await work_of(hub, holder, *outside, monkeypatch)
        of_absent = await work_of(hub, holder, *absent, monkeypatch)
        assert of_outside == of_absent, path
        of_inside = await work_of(hub, holder, *inside, monkeypatch)
        assert of_inside[1:] != of_absent[1:] or path.endswith("/v1/verify"), path


async def test_caller_without_a_grant_costs_the_same_work_whatever_is_asked(
    hub: RunningHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    _owner, holder = await prepare(hub)
    for present, absent in zip(*map(calls_about, (INSIDE, ABSENT)), strict=True):
        of_present = await work_of(hub, holder, *present, monkeypatch)
        assert of_present == await work_of(hub, holder, *absent, monkeypatch), present[0]
        assert not any("data" in statement and "people" in statement for statement in of_present[0])
