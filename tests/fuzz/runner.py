"""Run cases against one target: count what came out, and measure time and memory."""

from __future__ import annotations

import gc
import resource
import time
import tracemalloc
from dataclasses import asdict, dataclass, field
from random import Random

from signing.errors import ShuzhengError
from tests.fuzz.mutations import MAX_INPUT_BYTES, mutate
from tests.fuzz.targets import TARGETS, Target

TIME_LIMIT_S = 0.050
MEMORY_LIMIT_BYTES = 64 * MAX_INPUT_BYTES
RSS_LIMIT_BYTES = 2 * MEMORY_LIMIT_BYTES
LARGE_BYTES = 50_000
TRACED_SHARE = 200
RETRIES = 5
MAX_KEPT = 20


@dataclass(kw_only=True)
class Outcome:
    """What a run of one target found.

    `crashes`, `slow` and `greedy` name cases: those where something else than our own errors came out, that
    took more than 50 ms of processor time at every one of five trials, or that allocated more than 64 MiB
    of Python's memory. `rss_growth_bytes` is by how much reading the inputs let the process grow, all in all
    (getrusage, so native libraries count too; making the inputs may take more, and does not count); it is
    bounded by 128 MiB.
    """

    target: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    largest_input_bytes: int = 0
    slowest_ms: float = 0.0
    slowest_case: int = -1
    peak_bytes: int = 0
    rss_growth_bytes: int = 0
    seconds: float = 0.0
    crashes: list[tuple[int, str]] = field(default_factory=list)
    slow: list[tuple[int, float]] = field(default_factory=list)
    greedy: list[tuple[int, int]] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.crashes or self.slow or self.greedy) and self.rss_growth_bytes <= RSS_LIMIT_BYTES

    def to_json(self) -> dict[str, object]:
        """Give the outcome as JSON-ready values."""
        return {**asdict(self), "clean": self.is_clean}


def build_case(target: Target, number: int, seeds: list[bytes]) -> bytes:
    """Build the input of a case: the seeds themselves first, mutations of them after."""
    if number < len(seeds):
        return seeds[number]
    return mutate(Random(f"{target.name}/{number}"), seeds, text=target.text)


def run_once(target: Target, data: bytes) -> tuple[bool, str]:
    """Run one input: whether it was accepted, and what else than our own errors came out ('' for nothing)."""
    try:
        target.run(data)
    except ShuzhengError:
        return False, ""
    except Exception as error:
        return False, f"{type(error).__name__}: {error}"[:200]
    return True, ""


def run_target(name: str, cases: int, *, first: int = 0, measure: bool = True) -> Outcome:
    """Run `cases` cases of a target from case `first`; with `measure`, time and memory too."""
    target = TARGETS[name]
    seeds = target.seeds()
    for seed in seeds:
        run_once(target, seed)
    gc.collect()
    outcome = Outcome(target=name)
    began = time.monotonic()
    for number in range(first, first + cases):
        data = build_case(target, number, seeds)
        high = _read_high_water()
        _count(outcome, target, number, data)
        outcome.rss_growth_bytes += _read_high_water() - high
        if measure and (len(data) >= LARGE_BYTES or number % TRACED_SHARE == 0):
            _trace(outcome, target, number, data)
    outcome.seconds = round(time.monotonic() - began, 1)
    return outcome


def _read_high_water() -> int:
    """Read the most memory that this process ever had, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def run_job(job: tuple[str, int, int, bool]) -> Outcome:
    """Run a target in a process of its own: name, number of cases, first case, whether to trace memory."""
    name, cases, first, measure = job
    return run_target(name, cases, first=first, measure=measure)


def _count(outcome: Outcome, target: Target, number: int, data: bytes) -> None:
    began = time.process_time()
    accepted, crash = run_once(target, data)
    took_s = time.process_time() - began
    outcome.cases += 1
    outcome.accepted += accepted
    outcome.refused += not accepted and not crash
    outcome.largest_input_bytes = max(outcome.largest_input_bytes, len(data))
    if crash and len(outcome.crashes) < MAX_KEPT:
        outcome.crashes.append((number, crash))
    if took_s * 1000 <= outcome.slowest_ms:
        return
    for _ in range(RETRIES if took_s > TIME_LIMIT_S / 5 else 0):
        gc.collect(0)
        began = time.process_time()
        run_once(target, data)
        took_s = min(took_s, time.process_time() - began)
    if took_s * 1000 > outcome.slowest_ms:
        outcome.slowest_ms, outcome.slowest_case = round(took_s * 1000, 2), number
    if took_s > TIME_LIMIT_S and len(outcome.slow) < MAX_KEPT:
        outcome.slow.append((number, round(took_s * 1000, 1)))


def _trace(outcome: Outcome, target: Target, number: int, data: bytes) -> None:
    tracemalloc.start()
    run_once(target, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    outcome.peak_bytes = max(outcome.peak_bytes, peak)
    if peak > MEMORY_LIMIT_BYTES and len(outcome.greedy) < MAX_KEPT:
        outcome.greedy.append((number, peak))
