"""What the transparency log costs: `python -m bench.log [leaves of the large tree]` (or `make bench-log`).

1. Leaves integrated in a second, with writers, sequencer and proofs at work together on one PostgreSQL,
against plain inserts of the same rows into a table with the same columns and indexes. Half of the leaves are
about a subject, so that chains are part of it. 2. A verification over HTTP (in this process, without the
network) with the log on and off, taking turns. 3. Bytes on disk per leaf. 4. Inclusion proofs in a tree of
ten million leaves; the tree is a real one (random leaves, SM3 above them), written by COPY.

The last line is JSON: `ratios` as measured, `expect` the least that is promised, `ok` whether all hold.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
from pydantic import SecretStr

from bench.log_verify import measure_verify
from core.database import Database
from core.database.embedded import start_embedded
from core.database.migrate import apply_migrations, load_migrations
from core.log import store
from core.log.heads import HeadKeys
from core.log.leaf_body import build_leaf, build_leaf_id
from core.log.model import Leaf
from core.log.proofs import ProofService
from core.log.sequencer import Sequencer, complete_nodes
from core.log.writer import LogWriter
from core.settings import Settings
from hub.services import MIGRATED_PACKAGES
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import verify_inclusion
from signing.merkle.tree import Frontier
from signing.sm2 import PrivateKey

LEAVES = 100_000
A_TRANSACTION = 500
WRITERS = 2
LARGE_TREE = 10_000_000
CHUNK = 250_000
PROOFS = 1000
SUITE = HashSuite.SM3
EXPECT = {
    "integrated_to_10000_a_second": 1.0,
    "verify_p50_off_to_on": round(1 / 1.10, 3),
    "proof_5ms_to_p50": 1.0,
    "proof_5ms_to_p99": 1.0,
}


def utc_now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def build_heads() -> HeadKeys:
    """Build keys to sign heads with."""
    return HeadKeys(origin="bench/log", suite=SUITE, signer=PrivateKey.from_scalar(0x1357))


def build_leaves(count: int) -> list[Leaf]:
    """Build leaves as verifications write them; every second one is about one of 20,000 subjects."""
    dice = random.Random(7)
    leaves = []
    for number in range(count):
        at = utc_now()
        members = {
            "id": str(build_leaf_id(at)),
            "time": at.isoformat(timespec="microseconds"),
            "event": "facts.verified",
            "organisation": "119900000MA000001",
            "system": str(UUID(int=number % 40)),
            "operator": f"经办人{number % 100}",
            "service_item": "食品经营许可",
            "case_number": f"2026-{number % 10_000:06d}",
            "owner": "119900000MA000002",
            "resource": f"resource-{number % 50}",
            "grant": str(UUID(int=number % 500)),
            "subject_hmac": dice.randrange(20_000).to_bytes(32, "big").hex() if number % 2 else None,
            "details": {"items": ["XM", "CSRQ"], "outcomes": {"match": 2}, "version": number},
        }
        leaves.append(build_leaf(members, suite=SUITE, mask=str))
    return leaves


async def spread(leaves: Sequence[Leaf], save: Callable[[Sequence[Leaf]], Awaitable[None]]) -> None:
    """Let WRITERS save leaves, A_TRANSACTION at a time."""
    pieces = [leaves[at : at + A_TRANSACTION] for at in range(0, len(leaves), A_TRANSACTION)]

    async def write() -> None:
        while pieces:
            await save(pieces.pop())

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def measure_plain(database: Database, leaves: Sequence[Leaf]) -> float:
    """Insert the rows into a plain table; return the seconds."""
    async with database.acquire() as connection:
        await connection.execute("CREATE TABLE core.plain (LIKE core.log_leaf INCLUDING ALL)")

    async def save(piece: Sequence[Leaf]) -> None:
        async with database.transaction() as connection:
            await connection.copy_records_to_table(
                "plain",
                schema_name="core",
                columns=list(store.LEAF_COLUMNS),
                records=map(store.leaf_row, piece),
            )

    started = time.perf_counter()
    await spread(leaves, save)
    return time.perf_counter() - started


async def measure_log(database: Database, leaves: Sequence[Leaf]) -> tuple[float, int]:
    """Write leaves, integrate them and serve proofs, all at once; return seconds and proofs served."""
    heads = build_heads()
    sequencer = Sequencer(database=database, heads=heads, interval_s=0.05, now=utc_now)
    proofs = ProofService(database=database, log=LogWriter(subject_key=b"k" * 32, now=utc_now), heads=heads)

    async def save(piece: Sequence[Leaf]) -> None:
        async with database.transaction() as connection:
            await store.save_leaves(connection, leaves=piece)

    async def integrate() -> None:
        done = 0
        while done < len(leaves):
            taken = await sequencer.integrate_once()
            done += taken
            if not taken:
                await asyncio.sleep(0.02)

    served = 0

    async def serve() -> None:
        nonlocal served
        while True:
            await asyncio.sleep(0.01)
            async with database.acquire() as connection:
                latest = await store.load_latest_checkpoint(connection)
            if latest is not None:
                await proofs.prove_index(random.randrange(latest.tree_size), tree_size=None)
                served += 1

    serving = asyncio.create_task(serve())
    started = time.perf_counter()
    await asyncio.gather(spread(leaves, save), integrate())
    seconds = time.perf_counter() - started
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    return seconds, served


async def measure_size(database: Database, leaves: int) -> float:
    """Return the bytes on disk per leaf, indexes included."""
    tables = ("log_leaf", "log_entry", "log_node", "log_chain", "log_checkpoint")
    async with database.acquire() as connection:
        total = sum(
            [
                await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", f"core.{table}")
                for table in tables
            ]
        )
    return float(total) / leaves


async def write_tree(database: Database, size: int) -> HeadKeys:
    """Write a tree of `size` random leaves by COPY and sign its head."""
    frontier = Frontier(SUITE)
    async with database.acquire() as connection:
        await connection.execute(
            "ALTER TABLE core.log_entry DROP CONSTRAINT log_entry_pk, DROP CONSTRAINT log_entry_leaf_unique;"
            "ALTER TABLE core.log_node DROP CONSTRAINT log_node_pk;"
            "ALTER TABLE core.log_entry SET UNLOGGED; ALTER TABLE core.log_node SET UNLOGGED"
        )
        for first in range(0, size, CHUNK):
            count = min(CHUNK, size - first)
            block = os.urandom(32 * count)
            hashes = [block[at : at + 32] for at in range(0, 32 * count, 32)]
            nodes = complete_nodes(frontier, hashes)
            entries = [(first + n, UUID(bytes=each[:16]), each) for n, each in enumerate(hashes)]
            await store.save_entries(connection, entries=entries)
            await store.save_nodes(connection, nodes=nodes)
        await connection.execute(
            "SET maintenance_work_mem = '1GB';"
            "ALTER TABLE core.log_entry ADD CONSTRAINT log_entry_pk PRIMARY KEY (leaf_index);"
            "ALTER TABLE core.log_node ADD CONSTRAINT log_node_pk PRIMARY KEY (level, node_index);"
            "ANALYZE core.log_entry; ANALYZE core.log_node",
            timeout=300,
        )
        heads = build_heads()
        head = heads.sign(size, frontier.root(), utc_now(), previous_size=0)
        await store.save_checkpoint(connection, checkpoint=head)
    return heads


async def measure_proofs(database: Database, size: int) -> list[float]:
    """Build proofs of random leaves one after another, checking each; return the seconds of each."""
    heads = await write_tree(database, size)
    proofs = ProofService(database=database, log=LogWriter(subject_key=b"k" * 32, now=utc_now), heads=heads)
    taken = []
    for number in range(PROOFS + 20):
        started = time.perf_counter()
        found = await proofs.prove_index(random.randrange(size), tree_size=None)
        if number >= 20:
            taken.append(time.perf_counter() - started)
        verify_inclusion(
            SUITE,
            leaf_hash=found.leaf_hash,
            index=found.leaf_index,
            size=size,
            proof=found.proof,
            root=found.checkpoint.root_hash,
        )
    return taken


def quantiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Return the 50th and 99th percentile in milliseconds."""
    cuts = statistics.quantiles(seconds, n=100)
    return 1000 * cuts[49], 1000 * cuts[98]


async def fresh_database(url: str, name: str) -> str:
    """Create a database and return its URL."""
    admin = await asyncpg.connect(url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    await admin.close()
    return url.replace("/postgres?", f"/{name}?", 1)


async def measure(url: str, home: Path, size: int) -> int:
    """Measure everything and report."""
    leaves = build_leaves(LEAVES)
    database = await Database.connect(await fresh_database(url, "rates"), pool_size=8, timeout_s=30)
    await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
    seconds, served = await measure_log(database, leaves)
    bytes_per_leaf = await measure_size(database, LEAVES)
    plain = await measure_plain(database, leaves)
    await database.close()
    settings = Settings(
        home=home,
        database_url=SecretStr(await fresh_database(url, "verify")),
        log_check_hour=-1,
        public_url="http://hub.test",
    )
    verify = await measure_verify(settings)
    database = await Database.connect(await fresh_database(url, "tree"), pool_size=3, timeout_s=600)
    await apply_migrations(database, load_migrations(MIGRATED_PACKAGES))
    proofs = await measure_proofs(database, size)
    await database.close()
    return report(
        rate=LEAVES / seconds,
        plain=LEAVES / plain,
        served=served / seconds,
        bytes_per_leaf=bytes_per_leaf,
        verify=verify,
        proofs=proofs,
        size=size,
    )


def report(
    *,
    rate: float,
    plain: float,
    served: float,
    bytes_per_leaf: float,
    verify: dict[bool, list[float]],
    proofs: list[float],
    size: int,
) -> int:
    """Print what was measured and whether the promises hold."""
    on, off, proof = quantiles_ms(verify[True]), quantiles_ms(verify[False]), quantiles_ms(proofs)
    ratios = {
        "integrated_to_10000_a_second": rate / 10_000,
        "verify_p50_off_to_on": off[0] / on[0],
        "proof_5ms_to_p50": 5 / proof[0],
        "proof_5ms_to_p99": 5 / proof[1],
    }
    print(f"\nintegrated {rate:,.0f} leaves/s, with {served:,.0f} proofs/s served meanwhile")
    print(f"plain inserts of the same rows {plain:,.0f}/s (the log's share of it: {rate / plain:.2f})")
    print(f"size per leaf {bytes_per_leaf:,.0f} bytes, indexes included")
    print(f"\n{'verify over HTTP':24}{'p50 ms':>10}{'p99 ms':>10}")
    print(f"{'log on':24}{on[0]:10.2f}{on[1]:10.2f}\n{'log off':24}{off[0]:10.2f}{off[1]:10.2f}")
    print(f"{f'proof in {size:,} leaves':24}{proof[0]:10.2f}{proof[1]:10.2f}")
    print(f"\n{'ratio':32}{'measured':>10}{'expected':>10}")
    for name, ratio in ratios.items():
        print(f"{name:32}{ratio:10.2f}{EXPECT[name]:10.2f}{'' if ratio >= EXPECT[name] else '  below'}")
    ok = all(ratio >= EXPECT[name] for name, ratio in ratios.items())
    verdict = {
        "bench": "log",
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
        "expect": EXPECT,
        "leaves_per_second": round(rate),
        "plain_inserts_per_second": round(plain),
        "to_plain_inserts": round(rate / plain, 3),
        "proofs_served_per_second": round(served),
        "verify_ms": {"on": [round(each, 2) for each in on], "off": [round(each, 2) for each in off]},
        "proof_ms": [round(each, 2) for each in proof],
        "tree_size": size,
        "bytes_per_leaf": round(bytes_per_leaf),
        "ok": ok,
    }
    print(json.dumps(verdict))
    return 0 if ok else 1


def main() -> int:
    """Start a PostgreSQL of its own and measure."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else LARGE_TREE
    with tempfile.TemporaryDirectory(prefix="sz-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = start_embedded(folder / "pg")
        try:
            return asyncio.run(measure(server.url, folder / "home", size))
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
