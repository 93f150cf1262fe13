"""A small share of the fuzzer with every test run: only our own errors come out. Nothing is timed here.

`SHUZHENG_FUZZ_CASES` sets how many cases each parser gets; `python -m tests.fuzz` measures time and memory
too.
"""

from __future__ import annotations

import os

import pytest

from tests.fuzz.runner import run_target
from tests.fuzz.targets import TARGETS

CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "2000"))


@pytest.mark.parametrize("name", TARGETS)
def test_parser_of_hostile_octets_raises_only_our_own_errors(name: str) -> None:
    outcome = run_target(name, CASES, measure=False)
    assert outcome.crashes == []
    assert outcome.cases == outcome.accepted + outcome.refused


@pytest.mark.parametrize("name", TARGETS)
def test_parser_of_its_seeds_has_seeds_that_it_reads(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    outcome = run_target(name, len(seeds), measure=False)
    assert outcome.accepted or name == "http_uri"
