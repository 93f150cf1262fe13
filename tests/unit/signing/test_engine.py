"""Which engine is chosen, what is said about it, and what happens where none works."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from signing import engine
from signing.engines import libcrypto_api
from signing.engines.gmssl_engine import GmsslEngine
from signing.errors import EngineUnavailable

BASE = (
    "32c4ae2c1f1981195f9904466a39c9948fe30bbff2660be1715a4589334c74c7"
    "bc3736a2f4f6779c59bdcee36b692153d0a9877cc62a474002df32e52139f0a0"
)


@pytest.fixture(autouse=True)
def choose_anew() -> Iterator[None]:
    engine._choose.cache_clear()
    yield
    engine._choose.cache_clear()


def without_libcrypto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(libcrypto_api.LIBRARY_VARIABLE, "/nowhere/libcrypto.so.3")


def without_gmssl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gmssl.sm2", None)


def test_engine_with_everything_there_is_libcrypto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.ENGINE_VARIABLE, raising=False)
    report = engine.engine_report()
    assert report.name == engine.active_engine().name == "libcrypto"
    assert report.version is not None
    assert report.version.startswith("OpenSSL ")
    assert report.constant_time
    assert report.reason == "libcrypto is the first choice and works"


def test_engine_without_libcrypto_is_gmssl_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    without_libcrypto(monkeypatch)
    report = engine.engine_report()
    assert report.name == "gmssl"
    assert not report.constant_time
    assert "cannot be loaded" in report.reason
    assert [attempt.problem is None for attempt in report.attempts] == [False, True]


def test_engine_with_neither_is_refused_with_every_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    without_libcrypto(monkeypatch)
    without_gmssl(monkeypatch)
    with pytest.raises(EngineUnavailable, match=r"cannot be loaded.*gmssl is not installed"):
        engine.active_engine()
    assert engine.engine_report().name is None


@pytest.mark.parametrize("name", ["libcrypto", "gmssl"])
def test_engine_forced_by_the_environment_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENGINE_VARIABLE, name)
    report = engine.engine_report()
    assert (report.name, report.forced) == (name, True)
    assert engine.ENGINE_VARIABLE in report.reason


def test_engine_forced_and_missing_is_not_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "gmssl")
    without_gmssl(monkeypatch)
    with pytest.raises(EngineUnavailable, match="not installed"):
        engine.active_engine()


def test_engine_forced_by_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(engine.ENGINE_VARIABLE, "tongsuo")
    with pytest.raises(EngineUnavailable, match="must be libcrypto or gmssl"):
        engine.active_engine()
    with pytest.raises(EngineUnavailable, match="no SM2 engine named"):
        engine.load_engine("tongsuo")


def test_engine_that_fails_the_known_answer_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.LibcryptoEngine, "derive_point", lambda self, scalar: b"\x04" + bytes(64))
    report = engine.engine_report()
    assert report.name == "gmssl"
    assert "known-answer" in report.reason


def test_library_without_openssl_3_functions_is_refused() -> None:
    found = libcrypto_api.ctypes.util.find_library("c")
    assert found is not None
    with pytest.raises(EngineUnavailable, match="lacks functions of OpenSSL 3"):
        libcrypto_api.Libcrypto(found)


def test_library_older_than_3_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libcrypto_api, "MINIMUM_VERSION", 0xF0000000)
    with pytest.raises(EngineUnavailable, match="older than OpenSSL 3"):
        libcrypto_api.Libcrypto(next(libcrypto_api.find_libraries({})))


def test_library_named_in_the_environment_is_the_only_candidate() -> None:
    assert list(libcrypto_api.find_libraries({"SHUZHENG_LIBCRYPTO": "chosen"})) == ["chosen"]


def test_library_candidates_on_macos_are_versioned_files_that_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # Apple's own unversioned libcrypto.dylib ends the process that loads it.
    library = tmp_path / "lib" / "libcrypto.3.dylib"
    library.parent.mkdir()
    library.touch()
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    found = list(libcrypto_api.find_libraries({}))
    assert str(library) in found
    assert all(path.endswith(("libcrypto.3.dylib", "libcrypto.4.dylib")) for path in found)


def test_gmssl_arithmetic_knows_doubling_and_infinity() -> None:
    points = GmsslEngine()._points
    two = points.multiply(2, BASE)
    assert points.add(BASE, BASE) == two
    assert points.add(two, BASE) == points.multiply(3, BASE)
    assert points.add(BASE, negative(BASE)) is None


def negative(point: str) -> str:
    prime = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
    return point[:64] + f"{prime - int(point[64:], 16):064x}"
