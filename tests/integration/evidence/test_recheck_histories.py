"""Random histories: a case is suspended exactly while a fact that it rests on is not as it was."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.evidence_rules import build_document
from tests.evidence_world import EvidenceWorld
from tests.integration.evidence.test_cascade import follow
from tests.integration.evidence.test_recheck import look, make_due, rechecker

CASES = ("2026-1", "2026-2", "2026-3")
FACTS = ("registration", "representative")
VALUES = {
    "zs": ("新地址1号", "新地址2号"),
    "fddbr": ("另一人",),
    "cxzt": ("3",),
    "zczb": ("1.00", "2.00"),
}


class History:
    """What happened so far, and what must be so."""

    def __init__(self, world: EvidenceWorld, chance: random.Random) -> None:
        self._world = world
        self._chance = chance
        self._probes = 0
        self.cases: dict[str, str] = {}
        self.last: dict[str, dict[str, Any]] = {}

    async def step(self) -> None:
        """Do something at random."""
        await self._chance.choice([self._change, self._change, self._run, self._follow, self._check])()

    async def _change(self) -> None:
        """Publish the row anew; each item is as it was at first, or another."""
        row = dict(self._world.firm)
        for name, values in VALUES.items():
            row[name] = self._chance.choice([row[name], row[name], *values])
        await self._world.publish("market", "fr_jbxx", [row])

    async def _run(self) -> None:
        number = self._chance.choice(CASES)
        self.cases[number] = str((await self._world.ask(case=number))["case"])
        self.last[number] = await self.probe()

    async def _follow(self) -> None:
        await follow(self._world)

    async def _check(self) -> None:
        await make_due(self._world)
        await rechecker(self._world).work_once()

    async def settle(self) -> None:
        """Follow every change, and check what waits."""
        await self._follow()
        await self._check()

    async def probe(self) -> dict[str, Any]:
        """Say what the facts come to now, by a case of its own."""
        self._probes += 1
        answer = await self._world.ask(case=f"probe-{self._probes}")
        found = [each for material in answer["materials"] for each in material["facts"]]
        return {each["code"]: (each["outcome"], each.get("data")) for each in found}

    async def verify(self) -> None:
        """Hold every case against what a run of it would tell now."""
        now = await self.probe()
        for number, case in self.cases.items():
            last = self.last[number]
            wanted = {code for code in FACTS if last[code][0] == "supplied" and last[code] != now[code]}
            found = {each["fact"] for each in (await look(self._world, case))["suspended"]}
            assert found == wanted, number


@pytest.mark.parametrize("seed", range(4))
async def test_case_is_suspended_exactly_while_what_it_rests_on_is_not_as_it_was(
    world: EvidenceWorld, seed: int
) -> None:
    document = build_document()
    for fact in document["facts"][:2]:
        fact["on_change"] = "recheck"
    await world.grant_all()
    await world.release(document)
    history = History(world, random.Random(seed))
    for _ in range(6):
        for _ in range(5):
            await history.step()
        await history.settle()
        await history.verify()
