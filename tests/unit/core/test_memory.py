"""Giving memory back to the system, where the allocator is glibc's."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is not glibc's")

SCRIPT = """
import threading
from core import memory
assert memory.share_arenas()
kept, freed = [], []

def fill():
    for number in range(200):
        freed.append(b"x" * 100_000)
        kept.append(b"x" * (100 + number))

def resident():
    with open("/proc/self/statm") as lines:
        return int(lines.read().split()[1]) * 4096

threads = [threading.Thread(target=fill) for _ in range(16)]
for each in threads: each.start()
for each in threads: each.join()
with open("/proc/self/maps") as lines:
    arenas = sum(line.split()[0].split("-")[0].endswith("000000") and "rw-p" in line for line in lines)
before = resident()
freed.clear()
assert memory.give_back()
print(arenas, before - resident())
"""


def test_threads_share_few_arenas_and_what_is_freed_among_what_stays_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    arenas, given_back = map(int, done.stdout.split())
    assert arenas < 16
    assert given_back > 200_000_000
