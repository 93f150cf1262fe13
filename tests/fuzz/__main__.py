"""`python -m tests.fuzz`: run the fuzzer, print a table and a line of JSON, exit 1 if anything was found."""

# ruff: noqa: T201 - a command prints

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from multiprocessing import get_context

from tests.fuzz.runner import RSS_LIMIT_BYTES, Outcome, build_case, run_job, run_once
from tests.fuzz.targets import TARGETS

MIB = 1 << 20
HEAD = f"{'target':26}{'cases':>8}{'accepted':>9}{'refused':>9}{'slowest':>10}{'peak':>9}{'rss +':>9}{'s':>7}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="cases for each target")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="only these targets")
    parser.add_argument("--processes", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--case", type=int, help="run this one case of one target and write its octets out")
    parser.add_argument(
        "--untraced", action="store_true", help="leave out tracemalloc, whose own memory counts in rss"
    )
    options = parser.parse_args(arguments)
    names = options.target or list(TARGETS)
    if options.case is not None:
        return _show(names[0], options.case)
    outcomes: list[Outcome] = []
    print(HEAD, flush=True)
    with get_context("fork").Pool(options.processes, maxtasksperchild=1) as pool:
        jobs = [(name, options.cases, options.first, not options.untraced) for name in names]
        for outcome in pool.imap_unordered(run_job, jobs, chunksize=1):
            outcomes += [outcome]
            print(_row(outcome), flush=True)
    clean = all(outcome.is_clean for outcome in outcomes)
    total = sum(outcome.cases for outcome in outcomes)
    print(f"{len(outcomes)} targets, {total} cases, {'nothing found' if clean else 'FINDINGS'}")
    print(json.dumps({"clean": clean, "targets": [outcome.to_json() for outcome in outcomes]}))
    return 0 if clean else 1


def _row(outcome: Outcome) -> str:
    counts = f"{outcome.target:26}{outcome.cases:8}{outcome.accepted:9}{outcome.refused:9}"
    memory = f"{outcome.peak_bytes / MIB:5.1f} MiB{outcome.rss_growth_bytes / MIB:5.1f} MiB"
    lines = [f"{counts}{outcome.slowest_ms:7.1f} ms{memory}{outcome.seconds:7.0f}"]
    lines += [f"  CRASH case {number}: {text}" for number, text in outcome.crashes]
    lines += [f"  SLOW case {number}: {took} ms" for number, took in outcome.slow]
    if outcome.rss_growth_bytes > RSS_LIMIT_BYTES:
        lines += [f"  GROWN by {outcome.rss_growth_bytes / MIB:.0f} MiB"]
    lines += [f"  GREEDY case {number}: {peak / MIB:.0f} MiB" for number, peak in outcome.greedy]
    return "\n".join(lines)


def _show(name: str, number: int) -> int:
    target = TARGETS[name]
    data = build_case(target, number, target.seeds())
    sys.stdout.buffer.write(data)
    accepted, crash = run_once(target, data)
    print(f"\n{name} case {number}: {crash or ('accepted' if accepted else 'refused')}", file=sys.stderr)
    return 1 if crash else 0


if __name__ == "__main__":
    sys.exit(main())
