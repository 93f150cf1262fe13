"""Sources that hang, fail or answer garbage take nobody else with them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.use.held import HeldService
from core.caller import Caller, OrganisationCode, Purpose, Scope, SystemId
from core.errors import GrantMissing, RateLimited, SchemaViolation
from evidence.rules.model import Comparison, Requirement, VerificationWay
from evidence.sources.model import Ask, Asker, Outcome, Reading
from evidence.sources.reader import HubSources
from evidence.sources.requirements import judge_requirements, normalise, read_day
from exchange.query.service import QueryService
from exchange.verify.model import Check, Finding, JudgedCheck, Judgement, Operator
from exchange.verify.model import Outcome as Judged
from exchange.verify.service import VerifyService

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)
CALLER = Caller(
    system_id=SystemId(uuid4()),
    system_name="s",
    organisation_code=OrganisationCode("x"),
    organisation_name="审批局",
    scopes=frozenset({Scope.VERIFY}),
)
ASKER = Asker(caller=CALLER, purpose=Purpose(service_item="i", case_number="c", operator="o"))


def ask(resource: str) -> Ask:
    way = VerificationWay(kind="verification", resource=resource, subject={"K": "1"}, assertions={"A": "2"})
    return Ask(fact=resource, number=0, way=way, keys={"K": "1"}, asserted={"A": "2"})


class FakeVerify:
    """Answers as each resource's name says."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def judge_many(
        self, *, caller: Caller, purpose: Purpose, checks: Sequence[Check]
    ) -> list[JudgedCheck]:
        assert caller is CALLER
        assert purpose is ASKER.purpose
        self.calls.append([each.resource_code for each in checks])
        answers = []
        for check in checks:
            match check.resource_code:
                case "hangs":
                    await asyncio.sleep(3600)
                case "raises":
                    msg = "boom"
                    raise ValueError(msg)
                case "limited":
                    msg = "too many"
                    raise RateLimited(msg)
                case "malformed":
                    msg = "no"
                    raise SchemaViolation(msg)
                case "refused":
                    msg = "no grant"
                    raise GrantMissing(msg)
                case "nothing":
                    continue
            judgement = Judgement(item="A", operator=Operator.EQ, outcome=Judged.MATCH)
            finding = Finding(
                resource_code=check.resource_code,
                grant_id=uuid4(),
                version=1,
                as_of=NOW,
                judgements=(judgement,),
            )
            answers.append(JudgedCheck(finding=finding, title=check.resource_code, budget_key=b"k"))
        return answers


def read(names: Sequence[str], *, limit_s: float = 0.4) -> tuple[list[Reading], FakeVerify]:
    verify = FakeVerify()
    sources = HubSources(
        query=cast(QueryService, None),
        verify=cast(VerifyService, verify),
        held=cast(HeldService, None),
        now=lambda: NOW,
    )
    asks = [ask(name) for name in names]
    return asyncio.run(sources.read(asks, asker=ASKER, limit_s=limit_s)), verify


def test_sources_that_all_answer_are_asked_in_one_call() -> None:
    readings, verify = read(["a", "b", "c"])
    assert [each.outcome for each in readings] == [Outcome.SUPPLIED] * 3
    assert verify.calls == [["a", "b", "c"]]


@pytest.mark.parametrize(
    ("bad", "outcome", "code"),
    [
        ("hangs", Outcome.SOURCE_UNAVAILABLE, "TIMEOUT"),
        ("raises", Outcome.SOURCE_UNAVAILABLE, "GARBAGE"),
        ("nothing", Outcome.SOURCE_UNAVAILABLE, "GARBAGE"),
        ("limited", Outcome.SOURCE_UNAVAILABLE, "LIMIT-REACHED"),
        ("malformed", Outcome.NOT_HELD, "VALUE"),
        ("refused", Outcome.NOT_AUTHORISED, "NOT-GRANTED"),
    ],
)
def test_source_that_fails_takes_no_other_with_it(bad: str, outcome: Outcome, code: str) -> None:
    readings, _ = read(["a", bad, "c"])
    assert [each.outcome for each in readings] == [Outcome.SUPPLIED, outcome, Outcome.SUPPLIED]
    assert readings[1].code == code


@given(st.lists(st.sampled_from(["a", "raises", "nothing", "limited", "refused"]), min_size=1, max_size=8))
def test_every_ask_has_one_reading_whatever_the_others_do(names: list[str]) -> None:
    readings, _ = read(names, limit_s=5)
    assert len(readings) == len(names)
    assert [each.outcome is Outcome.SUPPLIED for each in readings] == [name == "a" for name in names]


def test_caller_without_the_scope_asks_nothing() -> None:
    verify = FakeVerify()
    sources = HubSources(
        query=cast(QueryService, None),
        verify=cast(VerifyService, verify),
        held=cast(HeldService, None),
        now=lambda: NOW,
    )
    caller = Caller(
        system_id=CALLER.system_id,
        system_name="s",
        organisation_code=CALLER.organisation_code,
        organisation_name="x",
        scopes=frozenset({Scope.QUERY}),
    )
    asker = Asker(caller=caller, purpose=ASKER.purpose)
    readings = asyncio.run(sources.read([ask("a")], asker=asker, limit_s=1))
    assert (readings[0].outcome, readings[0].code) == (Outcome.NOT_AUTHORISED, "AUTH-SCOPE-MISSING")
    assert verify.calls == []


def require(test: Comparison, *values: str) -> Callable[[Any], tuple[Outcome, str] | None]:
    requirement = Requirement(item="I", test=test, values=values)

    def judge(value: Any) -> tuple[Outcome, str] | None:
        found = judge_requirements([requirement], [values], {"I": value}, today=date(2026, 5, 4))
        return None if found is None else found[:2]

    return judge


def test_requirement_is_judged_by_its_test() -> None:
    assert require(Comparison.NOT_PAST)("2026-05-04") is None
    assert require(Comparison.NOT_PAST)("20260503") == (Outcome.EXPIRED, "EXPIRED")
    assert require(Comparison.NOT_PAST)("垃圾") == (Outcome.SOURCE_UNAVAILABLE, "GARBAGE")
    assert require(Comparison.FILLED)("x") is None
    assert require(Comparison.FILLED)("") == (Outcome.NOT_HELD, "EMPTY")
    assert require(Comparison.EQUALS, "1")("１ ") is None
    assert require(Comparison.EQUALS, "1")("2") == (Outcome.NOT_HELD, "REQUIREMENT")
    assert require(Comparison.ONE_OF, "1", "2")("2") is None
    assert require(Comparison.EQUALS, "$input.x")("2") == (Outcome.CONFLICTING, "MISMATCH")


@pytest.mark.parametrize("text", ["2026-05-04", "20260504", "2026年5月4日", "2026/5/4", "2026.05.04"])
def test_days_of_every_form_are_the_same(text: str) -> None:
    assert read_day(normalise(text)) == date(2026, 5, 4)
    assert normalise(text) == "2026-05-04"
