"""A database administrator alters, deletes or inserts any row of the log: the self-check names the row."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from core.log.anchor import Anchor
from core.log.findings import CheckReport
from core.log.model import Event
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.time_stamps import TimeStamper, TimeStampTrust
from core.log.writer import LogWriter
from core.pki.service import PkiService
from hub.services import Services, utc_now
from signing.merkle.checkpoint import Sm2Cosigner, cosign_checkpoint
from signing.sm2 import PrivateKey
from signing.timestamp.authority import TimeStampAuthority
from signing.timestamp.clock import ClockGuard
from signing.x509.names import Name
from signing.x509.profiles import Profile

SUBJECTS = ("11010519491231002X", "91990000MA00000016")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)

# What every column is altered to. A column that is not listed fails the test of completeness below.
ALTERED = {
    "core.log_leaf": {
        "id": "gen_random_uuid()",
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "event": "'data.queried'",
        "organisation_code": "'x'",
        "system_id": "gen_random_uuid()",
        "operator": "'x'",
        "service_item": "'x'",
        "case_number": "'x'",
        "on_behalf_of": "'x'",
        "owner_code": "'x'",
        "resource_code": "'x'",
        "grant_id": "gen_random_uuid()",
        "certificate_id": "'x'",
        "subject_hmac": r"'\x01'::bytea",
        "subjects": r"ARRAY['\x01'::bytea, '\x02'::bytea]",
        "body": 'replace(body, \'"time":"2\', \'"time":"3\')',
        "leaf_hash": r"set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1)",
    },
    "core.log_entry": {
        "leaf_index": "leaf_index + 100000",
        "leaf_id": "gen_random_uuid()",
        "leaf_hash": "set_byte(leaf_hash, 3, get_byte(leaf_hash, 3) # 1)",
    },
    "core.log_node": {
        "level": "level + 40",
        "node_index": "node_index + 100000",
        "hash": "set_byte(hash, 3, get_byte(hash, 3) # 1)",
    },
    "core.log_checkpoint": {
        "tree_size": "tree_size + 100000",
        "root_hash": "set_byte(root_hash, 3, get_byte(root_hash, 3) # 1)",
        "note": "overlay(note placing 'x' from 3)",
        "signed_at": "signed_at + interval '1 second'",
    },
    "core.log_pending": {
        "recorded_at": "recorded_at + interval '1 microsecond'",
        "leaf_id": "gen_random_uuid()",
    },
    "core.log_chain": {
        "subject_hmac": r"'\x01'::bytea",
        "number": "number + 100",
        "leaf_index": "leaf_index + 1",
    },
    "core.log_tree": {"origin": "'x'", "hash_suite": "'sha-256'"},
    "core.log_witness": {"name": "'x'", "verifier_key": "'x'", "is_retired": "NOT is_retired"},
    "core.log_cosignature": {
        "tree_size": "tree_size + 1",
        "witness": "'x'",
        "line": "overlay(line placing 'x' from 12)",
    },
    "core.log_time_stamp": {
        "tree_size": "tree_size + 1",
        "token": "set_byte(token, 30, get_byte(token, 30) # 1)",
    },
    "core.log_drop": {"leaf_index": "leaf_index + 100000", "dropped_with": "gen_random_uuid()"},
}
# An entry that points at no leaf is told as the leaf that its place in the tree misses.
ELSEWHERE = {("core.log_entry", "leaf_id"): "core.log_leaf"}
# What a row was for may be all that is left to tell that it is gone.
MISSED = {
    "core.log_pending": "core.log_leaf",
    "core.log_drop": "core.log_leaf",
    "core.log_leaf": "core.log_pending",  # a leaf that waits
    "core.log_chain": "core.log_drop",  # the chain of a dropped leaf
}
UNALTERABLE = {("core.log_tree", "only_one")}  # a constraint forbids any other value
COLUMNS = [(table, column) for table, columns in ALTERED.items() for column in columns]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    services: Services
    check: SelfCheck

    async def names(self) -> set[str]:
        """Check, and return the tables named."""
        return {finding.table for finding in (await self.check.assess()).findings}


async def write(services: Services, writer: LogWriter, count: int, **fields: object) -> None:
    for number in range(count):
        async with services.database.transaction() as connection:
            await writer.append(
                connection,
                event=Event.AUDIT_READ,
                caller=None,
                details={"view": "test", "leaves": number},
                **fields,  # type: ignore[arg-type]
            )


async def integrate(services: Services) -> None:
    while await services.log.sequencer.integrate_once():
        pass


def authority_transport(pki_signer: tuple, chain: tuple) -> httpx.MockTransport:  # type: ignore[type-arg]
    """Answer as a time-stamp authority over HTTP; the authority itself is the real one."""
    certificate, signer = pki_signer
    authority = TimeStampAuthority(
        certificate=certificate,
        signer=signer,
        clock=ClockGuard(wall=utc_now, monotonic=time.monotonic),
        policy="1.2.3.4",
        chain=chain,
    )
    return httpx.MockTransport(
        lambda request: httpx.Response(
            200,
            content=authority.respond(request.read()),
            headers={"Content-Type": "application/timestamp-reply"},
        )
    )


async def stamp(services: Services) -> None:
    pki: PkiService = services.pki
    tsa = await pki.certified_signer(
        name="test-tsa", profile=Profile.TSA, subject=Name.build(common_name="TSA", organization="TSA")
    )
    await integrate(services)
    stamper = TimeStamper(
        database=services.database,
        log=services.log_writer,
        url="http://tsa.test/",
        trust=TimeStampTrust(roots=(pki.root,), intermediates=(pki.issuing,)),
        interval_s=1,
        transport=authority_transport((tsa.certificate, tsa.signer), (pki.issuing,)),
    )
    assert await stamper.stamp_once()
    await integrate(services)
    assert await stamper.stamp_once() is None, "its own leaf alone is no reason to stamp again"


async def cosign(services: Services) -> None:
    key = PrivateKey.from_scalar(0x77)
    cosigner = Sm2Cosigner(name="witness.test", signer=key, clock=utc_now)
    await services.log.witnesses.register(cosigner.witness.verifier_key, caller=None)
    await integrate(services)
    head = await services.log.proofs.load_checkpoint()
    cosigned = cosign_checkpoint(head.note.encode(), [cosigner])
    assert await services.log.witnesses.take(cosigned) == ["witness.test"]
    await integrate(services)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory, postgres) -> AsyncIterator[Scene]:  # type: ignore[no-untyped-def]
    """A log in which every table has rows, built once; each test undoes what it did."""
    from pydantic import SecretStr

    from core.settings import Settings
    from hub.services import open_services

    admin = await asyncpg.connect(postgres.url)
    await admin.execute('CREATE DATABASE "tampering"')
    settings = Settings(
        home=tmp_path_factory.mktemp("tampering"),
        database_url=SecretStr(postgres.url.replace("/postgres?", "/tampering?", 1)),
        database_pool_size=6,
        log_interval_s=60,
        log_check_hour=-1,
        public_url="http://hub.test",
    )
    try:
        async with open_services(settings) as services:
            await asyncio.sleep(0.3)
            await build(services)
            report = await services.log.check.assess()
            assert report.is_whole, report.findings
            yield Scene(services=services, check=services.log.check)
    finally:
        await admin.execute('DROP DATABASE "tampering" WITH (FORCE)')
        await admin.close()


async def build(services: Services) -> None:
    writer = services.log_writer
    old = LogWriter(subject_key=b"k" * 32, now=lambda: LONG_AGO)
    await write(services, old, 3, subject=SUBJECTS[0])
    await integrate(services)
    await write(services, writer, 3, subject=SUBJECTS[0])
    await write(services, writer, 2, subjects=SUBJECTS)
    await write(services, writer, 5)
    await integrate(services)
    retention = RetentionService(database=services.database, log=writer, now=utc_now)
    dropped = await retention.drop(before=LONG_AGO + timedelta(days=1), caller=None)
    assert dropped.leaves == 3
    await stamp(services)
    await cosign(services)
    await write(services, writer, 2)  # these stay in the queue


@pytest.fixture
async def administrator(scene: Scene) -> AsyncIterator[asyncpg.Connection]:
    """A connection with which to do anything; what was done is put back afterwards."""
    async with scene.services.database.acquire() as connection:
        tables = [*ALTERED]
        for table in tables:
            await connection.execute(f"CREATE TEMP TABLE {table.split('.')[1]}_kept AS TABLE {table}")
        try:
            yield connection
        finally:
            for table in tables:
                name = table.split(".")[1]
                await connection.execute(f"DELETE FROM {table}")
                await connection.execute(f"INSERT INTO {table} SELECT * FROM {name}_kept")
                await connection.execute(f"DROP TABLE {name}_kept")


async def test_every_column_of_every_table_of_the_log_is_altered_here(scene: Scene) -> None:
    async with scene.services.database.acquire() as connection:
        rows = await connection.fetch(
            "SELECT 'core.' || table_name AS t, column_name AS c FROM information_schema.columns"
            " WHERE table_schema = 'core' AND table_name LIKE 'log\\_%'"
        )
    assert {(row["t"], row["c"]) for row in rows} - UNALTERABLE == set(COLUMNS)


@pytest.mark.parametrize(("table", "column"), COLUMNS)
async def test_altering_one_row_of_a_column_is_named(
    scene: Scene, administrator: asyncpg.Connection, table: str, column: str
) -> None:
    rows = await administrator.fetch(f"SELECT ctid FROM {table}")
    picked = {0, len(rows) // 2, len(rows) - 1}
    for place in sorted(picked):
        ctid = (await administrator.fetch(f"SELECT ctid FROM {table} ORDER BY ctid"))[place]["ctid"]
        before = await administrator.fetchrow(f"SELECT {column} AS value FROM {table} WHERE ctid = $1", ctid)
        await administrator.execute(
            f"UPDATE {table} SET {column} = {ALTERED[table][column]} WHERE ctid = $1", ctid
        )
        report = await scene.check.assess()
        assert not report.is_whole, f"{table}.{column}: {before}"
        named = {finding.table for finding in report.findings}
        assert named & {table, ELSEWHERE.get((table, column), table)}, report.findings
        await restore(administrator)


async def restore(administrator: asyncpg.Connection) -> None:
    for table in ALTERED:
        await administrator.execute(f"DELETE FROM {table}")
        await administrator.execute(f"INSERT INTO {table} SELECT * FROM {table.split('.')[1]}_kept")


@pytest.mark.parametrize("table", [*ALTERED])
async def test_deleting_any_row_is_named(scene: Scene, administrator: asyncpg.Connection, table: str) -> None:
    for place in range(await administrator.fetchval(f"SELECT count(*) FROM {table}")):
        ctid = (await administrator.fetch(f"SELECT ctid FROM {table} ORDER BY ctid"))[place]["ctid"]
        gone = await administrator.fetchrow(f"DELETE FROM {table} WHERE ctid = $1 RETURNING *", ctid)
        report = await scene.check.assess()
        named = {finding.table for finding in report.findings}
        assert named & {table, MISSED.get(table, table)}, (gone, report.findings)
        kept = f"{table.split('.')[1]}_kept"
        await administrator.execute(f"INSERT INTO {table} SELECT * FROM {kept} EXCEPT TABLE {table}")


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        (
            (
                "INSERT INTO core.log_leaf SELECT gen_random_uuid(), now(), event,"
                " organisation_code, system_id,"
                " operator, service_item, case_number, on_behalf_of, resource_code, grant_id, certificate_id,"
                " subject_hmac, body, leaf_hash, owner_code, subjects FROM core.log_leaf LIMIT 1"
            ),
            "core.log_leaf",
        ),
        (
            (
                "INSERT INTO core.log_entry SELECT max(leaf_index) + 1, gen_random_uuid(), max(leaf_hash)"
                " FROM core.log_entry"
            ),
            "core.log_leaf",
        ),
        ("INSERT INTO core.log_node SELECT 9, 77, hash FROM core.log_node LIMIT 1", "core.log_node"),
        (
            (
                "INSERT INTO core.log_checkpoint SELECT 3, root_hash, note, signed_at FROM"
                " core.log_checkpoint"
                " WHERE tree_size <> 3 LIMIT 1 ON CONFLICT (tree_size) DO UPDATE SET note = EXCLUDED.note"
            ),
            "core.log_checkpoint",
        ),
        (
            "INSERT INTO core.log_pending (recorded_at, leaf_id) VALUES (now(), gen_random_uuid())",
            "core.log_pending",
        ),
        (r"INSERT INTO core.log_chain VALUES ('\x01', 1, 2)", "core.log_chain"),
        ("INSERT INTO core.log_witness VALUES ('x', 'x')", "core.log_witness"),
        ("INSERT INTO core.log_cosignature VALUES (3, 'x', 'x')", "core.log_cosignature"),
        (r"INSERT INTO core.log_time_stamp VALUES (3, '\x01')", "core.log_time_stamp"),
        ("INSERT INTO core.log_drop VALUES (9, gen_random_uuid())", "core.log_drop"),
    ],
)
async def test_inserting_a_row_is_named(
    scene: Scene, administrator: asyncpg.Connection, sql: str, table: str
) -> None:
    await administrator.execute(sql)
    assert table in await scene.names()


async def test_leaf_altered_with_hash_entry_and_nodes_breaks_the_signed_heads(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    """Whoever recomputes everything below the heads still lacks the key that signs them."""
    suite = scene.services.log.heads.suite
    row = await administrator.fetchrow(
        "SELECT l.id, l.body, e.leaf_index FROM core.log_leaf l JOIN core.log_entry e ON e.leaf_id = l.id"
        " WHERE l.event = 'audit.read' AND l.subject_hmac IS NULL AND l.subjects IS NULL LIMIT 1"
    )
    members = json.loads(row["body"])
    members["details"]["leaves"] = 999
    body = json.dumps(members, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    leaf_hash = suite.leaf_hash(body.encode())
    await administrator.execute(
        "UPDATE core.log_leaf SET body = $2, leaf_hash = $3 WHERE id = $1", row["id"], body, leaf_hash
    )
    await administrator.execute(
        "UPDATE core.log_entry SET leaf_hash = $2 WHERE leaf_index = $1", row["leaf_index"], leaf_hash
    )
    await recompute_nodes(administrator, suite, row["leaf_index"])
    report = await scene.check.assess()
    assert {finding.table for finding in report.findings} == {"core.log_checkpoint", "core.log_entry"}
    assert any("this hub signed another tree" in finding.problem for finding in report.findings)
    assert await cannot_continue(scene)


async def recompute_nodes(administrator: asyncpg.Connection, suite, index: int) -> None:  # type: ignore[no-untyped-def]
    level = 0
    while True:
        table, key = (
            ("SELECT leaf_hash FROM core.log_entry WHERE leaf_index = $1", ())
            if level == 0
            else ("SELECT hash FROM core.log_node WHERE node_index = $1 AND level = $2", (level,))
        )
        left = await administrator.fetchval(table, index & ~1, *key)
        right = await administrator.fetchval(table, index | 1, *key)
        if left is None or right is None:
            return
        level, index = level + 1, index >> 1
        await administrator.execute(
            "UPDATE core.log_node SET hash = $3 WHERE level = $1 AND node_index = $2",
            level,
            index,
            suite.node_hash(left, right),
        )


async def cannot_continue(scene: Scene) -> bool:
    from core.errors import Conflict

    try:
        await scene.services.log.sequencer.integrate_once()
    except Conflict:
        return True
    return False


async def test_log_put_back_to_an_earlier_head_is_noticed(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    earlier = await administrator.fetchval(
        "SELECT tree_size FROM core.log_checkpoint ORDER BY tree_size DESC OFFSET 2 LIMIT 1"
    )
    await administrator.execute("DELETE FROM core.log_checkpoint WHERE tree_size > $1", earlier)
    await administrator.execute(
        "DELETE FROM core.log_leaf WHERE id IN (SELECT leaf_id FROM core.log_entry WHERE leaf_index >= $1)",
        earlier,
    )
    for table in ("log_entry", "log_chain"):
        await administrator.execute(f"DELETE FROM core.{table} WHERE leaf_index >= $1", earlier)
    await administrator.execute("DELETE FROM core.log_node WHERE node_index >= $1::bigint >> level", earlier)
    await administrator.execute("TRUNCATE core.log_pending")
    await administrator.execute(
        "DELETE FROM core.log_leaf l WHERE NOT EXISTS (SELECT FROM core.log_entry e WHERE e.leaf_id = l.id)"
    )
    report: CheckReport = await scene.check.assess()
    assert any("this hub signed a tree of" in finding.problem for finding in report.findings)
    blind = SelfCheck(
        database=scene.services.database,
        log=scene.services.log_writer,
        heads=scene.services.log.heads.verifier,
        anchor=Anchor(None),
        now=utc_now,
    )
    problems = [finding.problem for finding in (await blind.assess()).findings]
    assert not any("this hub signed" in problem for problem in problems), "only the anchor can know"


async def test_outcome_of_a_check_is_an_event_with_its_findings(
    scene: Scene, administrator: asyncpg.Connection
) -> None:
    await administrator.execute("UPDATE core.log_node SET level = 50 WHERE level = 1 AND node_index = 0")
    report = await scene.check.run_recorded()
    kept = (await scene.check.load_checks())[0]
    assert kept["findings"] == report.findings_count > 0
    assert any("core.log_node level=50" in str(each) for each in kept["first_findings"])  # type: ignore[attr-defined]
