"""Hub processes are killed with SIGKILL again and again: no gap, no fork, no leaf lost or there twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.database import Database
from core.database.migrate import apply_migrations, load_migrations
from core.log import store
from core.log.anchor import Anchor
from core.log.heads import ReadHead
from core.log.proofs import ProofService
from core.log.selfcheck import SelfCheck
from core.log.sequencer import Sequencer
from core.log.writer import LogWriter
from hub.services import MIGRATED_PACKAGES
from signing.merkle.proofs import verify_consistency
from tests.log_worker import build_heads, utc_now

ROOT = Path(__file__).resolve().parents[3]
KILLS = 24
PROCESSES = 2
SEED = 20260301


def start(url: str, home: Path, seed: int, acknowledged: Path) -> subprocess.Popen[bytes]:
    with acknowledged.open("ab") as out:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.log_worker", url, str(home), str(seed)],
            cwd=ROOT,
            stdout=out,
            stderr=subprocess.DEVNULL,
        )


def read_acknowledged(folder: Path) -> Iterator[str]:
    for path in folder.glob("*.ids"):
        for line in path.read_text().split("\n")[:-1]:  # the last line may have been cut by the kill
            yield from line.split()


async def observe(database: Database) -> ReadHead | None:
    async with database.acquire() as connection:
        latest = await store.load_latest_checkpoint(connection)
    return None if latest is None else build_heads().verifier.read(latest.note)


@pytest.mark.parametrize("seed", [SEED])
async def test_killed_processes_leave_no_gap_no_fork_and_lose_no_leaf(
    database_url: str, tmp_path: Path, seed: int
) -> None:
    database = await Database.connect(database_url, pool_size=6, timeout_s=10)
    try:
        await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
        await kill_again_and_again(database, database_url, tmp_path, seed)
    finally:
        await database.close()


async def kill_again_and_again(database: Database, database_url: str, tmp_path: Path, seed: int) -> None:
    """Run PROCESSES processes on one database, kill one after another, and check what is left."""
    dice = random.Random(seed)
    names = {n: n for n in range(PROCESSES)}
    workers = {}
    for n in range(PROCESSES):
        workers[n] = start(database_url, tmp_path, n, tmp_path / f"{n}.ids")
    seen: list[ReadHead] = []
    try:
        for kill in range(KILLS):
            victim = dice.randrange(PROCESSES)
            await until_it_works(tmp_path / f"{names[victim]}.ids")
            await asyncio.sleep(dice.random() * 0.3)
            os.kill(workers[victim].pid, signal.SIGKILL)
            workers[victim].wait()
            if (head := await observe(database)) is not None:
                seen.append(head)
            names[victim] = PROCESSES + kill
            path = tmp_path / f"{names[victim]}.ids"
            workers[victim] = start(database_url, tmp_path, names[victim], path)
        for name in names.values():
            await until_it_works(tmp_path / f"{name}.ids")
    finally:
        for worker in workers.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            worker.wait()
    await settle(database)
    await check(database, tmp_path, seen)


async def until_it_works(path: Path) -> None:
    """Wait until a process has committed something."""
    for _ in range(3000):
        if path.exists() and path.stat().st_size:
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(path)


async def settle(database: Database) -> None:
    """Wait for the killed processes' transactions to end, and integrate what is left."""
    sequencer = Sequencer(database=database, heads=build_heads(), interval_s=1, now=utc_now)
    for _ in range(200):
        await sequencer.integrate_once()
        async with database.acquire() as connection:
            waiting = await connection.fetchval("SELECT EXISTS (SELECT FROM core.log_pending)")
            others = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND state <> 'idle' AND pid <> pg_backend_pid()"
            )
        if not waiting and not others:
            return
        await asyncio.sleep(0.05)


async def check(database: Database, folder: Path, seen: list[ReadHead]) -> None:
    heads = build_heads()
    writer = LogWriter(subject_key=b"k" * 32, now=utc_now)
    async with database.acquire() as connection:
        placed = [str(row[0]) for row in await connection.fetch("SELECT leaf_id FROM core.log_entry")]
        written = {str(row[0]) for row in await connection.fetch("SELECT id FROM core.log_leaf")}
    acknowledged = set(read_acknowledged(folder))
    assert len(acknowledged) > 100
    assert acknowledged <= set(placed)
    assert len(placed) == len(set(placed))
    assert set(placed) == written
    anchor = Anchor(folder / "anchor")
    report = await SelfCheck(
        database=database, log=writer, heads=heads.verifier, anchor=anchor, now=utc_now
    ).assess()
    assert report.is_whole, report.findings
    assert report.tree_size == len(placed)
    assert len({head.size for head in seen}) > 5
    proofs = ProofService(database=database, log=writer, heads=heads)
    for old in seen:
        found = await proofs.prove_consistency(old_size=old.size, new_size=None)
        verify_consistency(
            heads.suite,
            old_size=old.size,
            old_root=old.root,
            new_size=report.tree_size,
            new_root=report.root_hash,
            proof=found.proof,
        )
