"""Choose the SM2 engine of this process, and say which one runs and why.

libcrypto comes first, `gmssl` second. Each candidate must pass a known-answer test (the signature of
GB/T 32918.2 appendix A.2, and one of its own making) before it is trusted. `SHUZHENG_SM2_ENGINE`
(`libcrypto` or `gmssl`) forces one; `SHUZHENG_LIBCRYPTO` names the library file to load.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from signing.engines.gmssl_engine import GmsslEngine
from signing.engines.libcrypto import LibcryptoEngine
from signing.engines.libcrypto_api import Libcrypto, find_libraries
from signing.engines.protocol import Engine
from signing.errors import EngineUnavailable, SigningError

ENGINE_VARIABLE: Final = "SHUZHENG_SM2_ENGINE"

_TEST_ID: Final = b"1234567812345678"
_TEST_MESSAGE: Final = b"message digest"
_TEST_SCALAR: Final = bytes.fromhex("3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8")
_TEST_POINT: Final = bytes.fromhex(
    "0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
    "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
)
_TEST_SIGNATURE: Final = bytes.fromhex(
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One engine that was tried: `problem` is None for the one that runs."""

    engine: str
    candidate: str
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineReport:
    """Which engine runs, and why; `name` is None when none does. For `shuzheng doctor`, not for outsiders."""

    name: str | None
    version: str | None
    candidate: str | None
    forced: bool
    constant_time: bool
    attempts: tuple[Attempt, ...]

    @property
    def reason(self) -> str:
        """Say in one sentence why this engine runs, or why none does."""
        failed = "; ".join(f"{a.candidate}: {a.problem}" for a in self.attempts if a.problem)
        if self.name is None:
            return f"no SM2 engine works here: {failed or 'none was tried'}"
        if self.forced:
            return f"{self.name} was chosen by {ENGINE_VARIABLE}"
        return (
            f"{self.name} runs because {failed}" if failed else f"{self.name} is the first choice and works"
        )


def active_engine() -> Engine:
    """Return the engine of this process; raise EngineUnavailable where none works."""
    engine, report = _choose()
    if engine is None:
        raise EngineUnavailable(report.reason)
    return engine


def engine_report() -> EngineReport:
    """Tell which engine runs, its version, and what was tried before it. Never raises."""
    return _choose()[1]


def load_engine(name: str) -> Engine:
    """Return a working engine by name (`libcrypto` or `gmssl`), whatever this process uses itself."""
    attempts: list[Attempt] = []
    for engine in _try_all(name, attempts):
        return engine
    problems = "; ".join(f"{a.candidate}: {a.problem}" for a in attempts)
    message = problems or f"there is no SM2 engine named {name!r}; use libcrypto or gmssl"
    raise EngineUnavailable(message)


@cache
def _choose() -> tuple[Engine | None, EngineReport]:
    forced = os.environ.get(ENGINE_VARIABLE, "").strip().lower()
    attempts: list[Attempt] = []
    chosen: Engine | None = next(_try_all(forced or None, attempts), None)
    if forced and chosen is None and not attempts:
        problem = f"{ENGINE_VARIABLE} must be libcrypto or gmssl"
        attempts.append(Attempt(engine=forced, candidate=forced, problem=problem))
    report = EngineReport(
        name=chosen.name if chosen else None,
        version=chosen.version if chosen else None,
        candidate=attempts[-1].candidate if chosen else None,
        forced=bool(forced),
        constant_time=chosen is not None and chosen.name == LibcryptoEngine.name,
        attempts=tuple(attempts),
    )
    return chosen, report


def _try_all(name: str | None, attempts: list[Attempt]) -> Iterator[Engine]:
    """Yield the engines that pass their test, noting each attempt."""
    for kind, candidate, build in _candidates():
        if name is not None and kind != name:
            continue
        try:
            engine = build()
            _self_test(engine)
        except SigningError as error:
            attempts.append(Attempt(engine=kind, candidate=candidate, problem=error.detail))
        else:
            attempts.append(Attempt(engine=kind, candidate=candidate, problem=None))
            yield engine


def _candidates() -> Iterator[tuple[str, str, Callable[[], Engine]]]:
    for path in find_libraries():
        yield LibcryptoEngine.name, path, lambda path=path: LibcryptoEngine(Libcrypto(path))  # type: ignore[misc]
    yield GmsslEngine.name, "gmssl", GmsslEngine


def _self_test(engine: Engine) -> None:
    """Raise EngineUnavailable unless the engine knows good signatures from bad ones."""
    public = engine.load_public(_TEST_POINT)
    private = engine.load_private(_TEST_SCALAR, _TEST_POINT)
    own = private.sign(_TEST_MESSAGE, _TEST_ID)
    good = (
        engine.derive_point(_TEST_SCALAR) == _TEST_POINT
        and public.verify(_TEST_SIGNATURE, _TEST_MESSAGE, _TEST_ID)
        and public.verify(own, _TEST_MESSAGE, _TEST_ID)
        and not public.verify(own, _TEST_MESSAGE, b"")
        and not public.verify(own, _TEST_MESSAGE + b".", _TEST_ID)
    )
    if not good:
        message = "it fails the known-answer test of GB/T 32918.2"
        raise EngineUnavailable(message)
