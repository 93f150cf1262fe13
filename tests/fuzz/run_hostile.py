"""`python -m tests.fuzz.run_hostile`: examine every hostile package in a process of its own, under limits.

Each process may use 10 s of processor time and 1 GiB of address space; what it used is measured: time from
the first octet to the report, and the greatest resident memory, the interpreter's own included. Prints a
table and a line of JSON; ends with 1 where a case broke a limit or its code did not come out.
"""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.fuzz.hostile import CASES
from tests.fuzz.hostile.build import MIB

TIME_LIMIT_S: Final = 2.0
MEMORY_LIMIT_BYTES: Final = 200 * MIB
ADDRESS_SPACE_BYTES: Final = 1024 * MIB
PROCESSOR_LIMIT_S: Final = 10
ONE: Final = """
import sys, json
from tests.fuzz.run_hostile import examine
print(json.dumps(examine(sys.argv[1], sys.argv[2])))
"""


def examine(warm: str, path: str) -> dict[str, Any]:
    """Examine a good file to warm up, then the hostile one; say what came out and what it cost."""
    from certs.verify.document import assess_document
    from tests.unit.certs.packages import EXAMINED
    from tests.unit.signing.seals.pki import pki

    trust = pki().trust()
    assess_document(Path(warm).read_bytes(), trust=trust, at=EXAMINED)
    began, began_cpu = time.monotonic(), time.process_time()
    report = assess_document(Path(path).read_bytes(), trust=trust, at=EXAMINED)
    took, cpu = time.monotonic() - began, time.process_time() - began_cpu
    found = [*report.findings, *(each for one in report.signatures for each in one.findings)]
    return {
        "status": str(report.status),
        "codes": sorted({str(each.code) for each in found}),
        "wall_s": round(took, 3),
        "cpu_s": round(cpu, 3),
        "peak_bytes": _peak_bytes(),
    }


def _peak_bytes() -> int:
    """The greatest resident memory; on Linux of this program alone, not of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_LIMIT_S, PROCESSOR_LIMIT_S))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))


def run_case(path: Path, warm: Path) -> dict[str, Any]:
    """Examine one file in a limited process."""
    done = subprocess.run(
        [sys.executable, "-c", ONE, str(warm), str(path)],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_limit,
    )
    if done.returncode:
        return {"status": "KILLED", "codes": [], "error": done.stderr[-400:], "cpu_s": 99.0, "peak_bytes": 0}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main(arguments: Sequence[str] | None = None) -> int:
    """Run every case, or those whose name holds a word."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run_hostile", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only cases whose name holds this")
    options = parser.parse_args(arguments)
    print(f"{'case':34}{'file':>9}{'time':>9}{'memory':>10}  codes")
    results, broken = {}, []
    with tempfile.TemporaryDirectory() as folder:
        warm = Path(folder) / "warm.ofd"
        from tests.unit.certs.packages import pack, sealed

        warm.write_bytes(pack(sealed()))
        for name, case in CASES.items():
            if options.word not in name:
                continue
            path = Path(folder) / "case.ofd"
            path.write_bytes(case.build())
            result = run_case(path, warm)
            results[name] = result
            good = bool(case.codes & set(result["codes"]))
            within = result["cpu_s"] <= TIME_LIMIT_S and result["peak_bytes"] <= MEMORY_LIMIT_BYTES
            if not (good and within):
                broken.append(name)
            mark = "" if good and within else "  <-- " + ("LIMIT" if good else f"not {sorted(case.codes)}")
            size, peak = path.stat().st_size / MIB, result["peak_bytes"] / MIB
            codes = " ".join(result["codes"]) + result.get("error", "")
            print(f"{name:34}{size:6.1f} MB{result['cpu_s']:7.2f} s{peak:7.0f} MB  {codes}{mark}", flush=True)
    slowest = max((each["cpu_s"] for each in results.values()), default=0.0)
    greatest = max((each["peak_bytes"] for each in results.values()), default=0)
    ratios = {"time": round(TIME_LIMIT_S / max(slowest, 1e-6), 2)}
    ratios["memory"] = round(MEMORY_LIMIT_BYTES / max(greatest, 1), 2)
    expect = {"time": 1.0, "memory": 1.0}
    summary = {"bench": "hostile", "ratios": ratios, "expect": expect, "broken": broken, "ok": not broken}
    print(json.dumps(summary))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
