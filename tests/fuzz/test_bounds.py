"""That the fuzzer reaches every parser of `signing`, and that hostile inputs do not let a process grow."""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from types import CodeType, FrameType

import signing
from tests.fuzz.runner import RSS_LIMIT_BYTES, run_once
from tests.fuzz.targets import TARGETS

BEGINNINGS = ("parse", "assess_", "open_", "from_sdf")
# Public functions with such names that take nothing hostile, or that need what no outsider gives.
NAMED = {
    "signing.digest_signer.from_sdf": "takes what the operator's own device answers",
    "signing.sm4.open_gcm": "takes what its key holder sealed; cryptography refuses anything else",
}


def public_parsers() -> Iterator[tuple[str, CodeType]]:
    """List every public function and class method of `signing` that reads or judges given octets or text."""
    for module in pkgutil.walk_packages(signing.__path__, "signing."):
        loaded = importlib.import_module(module.name)
        for name, member in inspect.getmembers(loaded):
            if getattr(member, "__module__", None) != module.name or name.startswith("_"):
                continue
            if inspect.isfunction(member) and name.startswith(BEGINNINGS):
                yield f"{module.name}.{name}", member.__code__
            if inspect.isclass(member) and "parse" in vars(member):
                yield f"{module.name}.{name}.parse", vars(member)["parse"].__func__.__code__


def test_fuzzer_calls_every_public_parser() -> None:
    called: set[CodeType] = set()

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call":
            called.add(frame.f_code)

    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        for target in TARGETS.values():
            for seed in target.seeds():
                run_once(target, seed)
    finally:
        sys.setprofile(before)
    missed = {name for name, code in public_parsers() if code not in called}
    assert missed == set(NAMED)


def test_process_that_parses_hostile_inputs_does_not_grow() -> None:
    """Measured as the system sees it, in processes of their own: octets of native libraries count too."""
    command = [sys.executable, "-m", "tests.fuzz", "--cases", "60", "--untraced", "--processes", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    found = json.loads(done.stdout.splitlines()[-1])
    grown = {each["target"]: each["rss_growth_bytes"] for each in found["targets"]}
    assert set(grown) == set(TARGETS)
    assert max(grown.values()) <= RSS_LIMIT_BYTES, grown
