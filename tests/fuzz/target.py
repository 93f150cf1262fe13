"""What a target of the fuzzer is, the table of them, and what they share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from signing.errors import ShuzhengError
from tests.fuzz.make_seeds import FOLDER
from tests.unit.signing import hierarchy

PASSWORD = b"password"
CHEAP_ITERATIONS = 1_000
MAX_VISITED = 10_000


@dataclass(frozen=True)
class Target:
    """One parser: how it is called, and the seeds (by the beginnings of their names) that it starts from."""

    name: str
    run: Callable[[bytes], object]
    kinds: tuple[str, ...]
    text: bool = False

    def seeds(self) -> list[bytes]:
        """Read the seeds, in the order of their names."""
        return [
            path.read_bytes()
            for path in sorted(FOLDER.glob("*.bin"))
            if path.name.partition("-")[0] in self.kinds
        ]


TARGETS: dict[str, Target] = {}


def target(
    *kinds: str, text: bool = False
) -> Callable[[Callable[[bytes], object]], Callable[[bytes], object]]:
    """Enter a function as the target of its own name."""

    def enter(run: Callable[[bytes], object]) -> Callable[[bytes], object]:
        name = run.__name__.removeprefix("fuzz_")
        TARGETS[name] = Target(name, run, kinds or (name,), text=text)
        return run

    return enter


@cache
def world() -> hierarchy.Hierarchy:
    return hierarchy.hierarchy()


def words(data: bytes) -> str:
    """Give text that may hold anything, half surrogate pairs included."""
    return data.decode("utf-8", "surrogateescape")


def each(*calls: Callable[[], object]) -> None:
    """Make every call; raise our own error only if all were refused, and any other error at once."""
    refusals = []
    for call in calls:
        try:
            call()
        except ShuzhengError as error:
            refusals.append(error)
    if len(refusals) == len(calls):
        raise refusals[-1]
