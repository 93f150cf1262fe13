"""The alarm: is every row of the log as the signed tree says? At night, and whenever somebody asks."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from core.china_time import CHINA_TIME
from core.database import Connection, Database
from core.errors import ShuzhengError
from core.log import check_rows, store_check
from core.log.anchor import Anchor
from core.log.check_recorded import check_recorded_tables
from core.log.check_tree import TreeCheck
from core.log.event_tables import EventTable, check_event_table
from core.log.findings import CheckReport, Findings
from core.log.heads import HeadVerifier, ReadHead
from core.log.model import Event
from core.log.recorded_rows import RecordedTable
from core.log.time_stamps import TimeStampTrust
from core.log.writer import LogWriter

logger = logging.getLogger("shuzheng.log")

LOOK_EVERY_S: Final = 60.0
FINDINGS_IN_LEAF: Final = 20


class SelfCheck:
    """Checks the whole log against its tree, heads and tables."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        heads: HeadVerifier,
        anchor: Anchor,
        now: Callable[[], datetime],
        time_stamp_trust: TimeStampTrust | None = None,
        event_tables: Sequence[EventTable] = (),
        recorded_tables: Sequence[RecordedTable] = (),
    ) -> None:
        self._database = database
        self._log = log
        self._heads = heads
        self._anchor = anchor
        self._now = now
        self._trust = time_stamp_trust
        self._event_tables = tuple(event_tables)
        self._recorded_tables = tuple(recorded_tables)

    async def assess(self) -> CheckReport:
        """Check everything in one snapshot of the database; report, whatever is found.

        1. It is the log of this hub's settings. 2. Each leaf's columns say what its body says, whose hash is
        the leaf's; each entry is the hash of leaf and chain; nothing is missing or too much. 3. The nodes are
        the hashes of their children. 4. Each head has the root of the tree of its size, bears the log's
        signature and time, and names the head before it. 5. The queue holds what waits. 6. Cosignatures,
        witnesses, time stamps and dropped payloads are those on record. 7. The tree is not shorter than what
        this hub signed. 8. Tables of other packages that record events say what the leaves say. 9. Every
        column of every row that acts made is as the last leaf about the row records it.
        """
        findings = Findings()
        kept = self._anchor.load(self._heads)
        async with self._database.transaction() as connection:
            await store_check.begin_snapshot(connection)
            walked = TreeCheck(heads=self._heads, findings=findings)
            await walked.run(connection)
            size = walked.frontier.size
            await self._check_tree_row(connection, size, findings)
            waiting = await check_rows.check_queue(connection, heads=self._heads, findings=findings)
            await check_rows.check_outside(connection, tree_size=size, findings=findings)
            await check_rows.check_beside(connection, heads=self._heads, trust=self._trust, findings=findings)
            for table in self._event_tables:
                await check_event_table(connection, table, mask=self._log.mask, findings=findings)
            await check_recorded_tables(
                connection,
                self._recorded_tables,
                tagger=self._log.tagger,
                mask=self._log.mask,
                findings=findings,
            )
        self._check_anchor(kept, size, walked.frontier.root(), findings)
        return CheckReport(
            checked_at=self._now(),
            tree_size=size,
            root_hash=walked.frontier.root(),
            leaves=walked.leaves + waiting,
            heads=walked.checkpoints,
            findings=tuple(findings.found),
            findings_count=findings.count,
        )

    async def _check_tree_row(self, connection: Connection, size: int, findings: Findings) -> None:
        row = await store_check.load_tree(connection)
        wanted = (self._heads.origin, str(self._heads.suite))
        if row is None:
            if size:
                findings.add("log_tree", "only_one=true", "the row is missing")
        elif (row["origin"], row["hash_suite"]) != wanted:
            findings.add("log_tree", "only_one=true", f"origin and hash_suite are not {' and '.join(wanted)}")

    def _check_anchor(self, kept: ReadHead | None, size: int, root: bytes, findings: Findings) -> None:
        try:
            self._anchor.verify_continued(kept, size=size, root=root)
        except ShuzhengError as wrong:
            findings.add("log_entry", f"leaf_index>={size}", wrong.detail)

    async def run_recorded(self) -> CheckReport:
        """Check, and record the outcome as a leaf; what was found goes to the process's log as errors."""
        report = await self.assess()
        async with self._database.transaction() as connection:
            await self._log.append(
                connection,
                event=Event.LOG_CHECKED,
                caller=None,
                details={
                    "tree_size": report.tree_size,
                    "root": report.root_hash.hex(),
                    "leaves": report.leaves,
                    "findings": report.findings_count,
                    "first_findings": [str(each)[:500] for each in report.findings[:FINDINGS_IN_LEAF]],
                },
            )
        for finding in report.findings[:FINDINGS_IN_LEAF]:
            logger.error("the log's self-check: %s", finding)
        if not report.is_whole:
            logger.error("the log's self-check found %d rows that are not whole", report.findings_count)
        return report

    async def run_nightly(self, *, hour: int) -> None:
        """Check once a day after `hour` (Beijing time) until cancelled, in one of the hub's processes."""
        while True:
            try:
                async with self._database.transaction() as connection:
                    if await store_check.try_lock_check(connection) and await self._is_due(connection, hour):
                        await self.run_recorded()
            except ShuzhengError as trouble:
                logger.warning("the log's self-check waits: %s", trouble.detail)
            except Exception as error:
                logger.error("the log's self-check failed: %s", type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    async def _is_due(self, connection: Connection, hour: int) -> bool:
        now = self._now().astimezone(CHINA_TIME)
        due_at = now.replace(hour=hour, minute=0, second=0, microsecond=0)
        if now < due_at:
            due_at -= timedelta(days=1)
        last = await store_check.load_last_check(connection)
        return last is not None and last < due_at

    async def load_checks(self, *, limit: int = 100) -> list[dict[str, object]]:
        """Load the outcomes of the newest checks, newest first."""
        async with self._database.acquire() as connection:
            bodies = await store_check.load_check_bodies(connection, limit=limit)
        return [
            {"id": members["id"], "checked_at": members["time"], **members["details"]}
            for members in map(json.loads, bodies)
        ]
