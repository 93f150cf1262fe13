"""Watching calls: sliding windows over what all processes have seen, alerts, and what is done about them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from core.database import Connection, Database
from core.errors import Unavailable
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.guard import store
from exchange.guard.gate import Gate
from exchange.guard.model import OPERATOR_KINDS, Alert, AlertKind, GuardRule, Measure, Sighting
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice

logger = logging.getLogger("shuzheng.guard")

INTERVAL_S: Final = 1.0
MAX_WAITING: Final = 50_000
MEASURE_LASTS: Final = timedelta(minutes=10)
BASELINE: Final = timedelta(days=14)
UNUSUAL_FACTOR: Final = 5
BLOCK_PLACES: Final = 4
SLICE: Final = 50
PAIRS_A_STATEMENT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """A key that was touched, with the newest call that touched it, and how much was seen."""

    kind: AlertKind
    key: bytes
    sighting: Sighting
    seen: int = 0
    threshold: int = 0
    window_s: int = 0


class Guard:
    """Takes note of calls and judges them every second, while `run` runs."""

    def __init__(
        self, *, database: Database, log: LogWriter, gate: Gate, key: bytes, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._gate = gate
        self._key = key[:64]
        self._now = now
        self._waiting: list[Sighting] = []

    def note(self, sighting: Sighting, /) -> None:
        """Take note of a call. What is over MAX_WAITING is left to the log alone."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(sighting)

    async def run(self) -> None:
        """Judge until cancelled. A database that is down is waited for."""
        while True:
            try:
                await self._gate.refresh()
                await self.judge()
            except Unavailable:
                logger.warning("the database does not answer; the guard waits")
            except Exception as error:
                logger.error("a round of the guard failed: %s", type(error).__name__)
            await asyncio.sleep(INTERVAL_S)

    async def judge(self) -> list[Alert]:
        """Add what was noted to the windows, and raise alerts where they go over their thresholds."""
        noted, self._waiting = self._waiting, []
        if not noted:
            return []
        now = self._now()
        async with self._database.transaction() as connection:
            rules = await store.load_rules(connection)
            patterns = await self._count(connection, noted, rules, now)
            patterns += await self._count_volumes(connection, noted, rules, now)
            alerts = [
                alert
                for pattern in patterns
                if pattern.seen >= pattern.threshold
                and (alert := await self._alert(connection, pattern, now)) is not None
            ]
            longest = max(rule.window_s for rule in rules.values())
            await store.delete_sightings(connection, before=now - timedelta(seconds=longest))
        if alerts:
            await self._gate.refresh()
        return alerts

    async def _count(
        self,
        connection: Connection,
        noted: Sequence[Sighting],
        rules: dict[AlertKind, GuardRule],
        now: datetime,
    ) -> list[_Pattern]:
        touched: dict[tuple[str, bytes], Sighting] = {}
        pairs: set[tuple[str, bytes, bytes]] = set()
        hashes: dict[tuple[str, ...], bytes] = {}
        for number, sighting in enumerate(noted):
            if number % SLICE == SLICE - 1:
                await asyncio.sleep(0)  # calls are answered meanwhile
            for kind, key, member in self._describe(sighting, hashes):
                touched[kind, key] = sighting
                pairs.add((kind, key, member))
        if not pairs:
            return []
        ordered = sorted(pairs)  # so that processes do not deadlock
        for start in range(0, len(ordered), PAIRS_A_STATEMENT):
            await store.save_sightings(connection, pairs=ordered[start : start + PAIRS_A_STATEMENT], at=now)
        since = {kind: now - timedelta(seconds=rule.window_s) for kind, rule in rules.items()}
        counts = await store.count_members(
            connection, keys=[(kind, key, since[AlertKind(kind)]) for kind, key in touched]
        )
        return [
            _Pattern(
                kind=AlertKind(kind),
                key=key,
                sighting=touched[kind, key],
                seen=seen,
                threshold=rules[AlertKind(kind)].threshold,
                window_s=rules[AlertKind(kind)].window_s,
            )
            for (kind, key), seen in counts.items()
        ]

    def _describe(
        self, sighting: Sighting, hashes: dict[tuple[str, ...], bytes]
    ) -> list[tuple[str, bytes, bytes]]:
        """List what a call adds to the windows: (kind, key, member), all keyed hashes.

        `hashes` keeps those of one round: its calls name the same systems, cases and subjects often.
        """

        def name(*parts: str) -> bytes:
            found = hashes.get(parts)
            if found is None:
                found = hashes[parts] = self._hash(*parts)
            return found

        system = str(sighting.caller.system_id)
        operator, case = sighting.purpose.operator, sighting.purpose.case_number
        found = []
        for subject, exists in sighting.subjects:
            member = name(subject)
            found += [
                (AlertKind.SEQUENTIAL, name(system, subject[:-BLOCK_PLACES]), member),
                (AlertKind.OPERATOR_CASE, name(system, operator, "case", case), member),
                (AlertKind.OPERATOR_SUBJECTS, name(system, operator), member),
            ]
            if not exists:
                found.append((AlertKind.MISSES, name(system), member))
        return [(str(kind), key, member) for kind, key, member in found]

    async def _count_volumes(
        self,
        connection: Connection,
        noted: Sequence[Sighting],
        rules: dict[AlertKind, GuardRule],
        now: datetime,
    ) -> list[_Pattern]:
        calls: dict[tuple[object, str], list[Sighting]] = defaultdict(list)
        for sighting in noted:
            calls[sighting.caller.system_id, sighting.resource_code].append(sighting)
        hour = now.replace(minute=0, second=0, microsecond=0)
        counts = await store.add_volume(
            connection,
            volumes=[
                (each[0].caller.system_id, code, len(each), sum(s.rows for s in each))
                for (_, code), each in calls.items()
            ],
            hour=hour,
            since=hour - BASELINE,
        )
        rule = rules[AlertKind.VOLUME]
        return [
            _Pattern(
                kind=AlertKind.VOLUME,
                key=self._hash("volume", str(system_id), code),
                sighting=calls[system_id, code][-1],
                seen=seen,
                threshold=max(rule.threshold, UNUSUAL_FACTOR * busiest),
                window_s=rule.window_s,
            )
            for (system_id, code), (seen, busiest) in counts.items()
        ]

    async def _alert(self, connection: Connection, pattern: _Pattern, now: datetime) -> Alert | None:
        """Raise an alert, of level 2 from twice the threshold on; None where one of that level stands."""
        level = 2 if pattern.seen >= 2 * pattern.threshold else 1
        since = now - timedelta(seconds=pattern.window_s)
        standing = await store.load_last_level(
            connection, kind=pattern.kind, key=pattern.key, since=max(since, now - MEASURE_LASTS)
        )
        if standing >= level:
            return None
        caller = pattern.sighting.caller
        operator = pattern.sighting.purpose.operator if pattern.kind in OPERATOR_KINDS else None
        alert = Alert(
            id=uuid4(),
            kind=pattern.kind,
            level=level,
            key=pattern.key,
            system_id=caller.system_id,
            organisation_code=caller.organisation_code,
            operator=operator,
            resource_code=pattern.sighting.resource_code,
            provider_code=pattern.sighting.provider_code,
            detected_at=now,
            evidence={
                "seen": pattern.seen,
                "threshold": pattern.threshold,
                "window_s": pattern.window_s,
                "leaves": await store.load_leaf_ids(
                    connection, system_id=caller.system_id, operator=operator, since=since
                ),
            },
        )
        await store.save_alert(connection, alert=alert)
        measure = Measure(
            system_id=caller.system_id,
            operator=operator or "",
            level=level,
            until=now + MEASURE_LASTS,
            alert_id=alert.id,
        )
        await store.save_measure(connection, measure=measure)
        await self._tell(connection, alert, pattern)
        return alert

    async def _tell(self, connection: Connection, alert: Alert, pattern: _Pattern) -> None:
        details = {
            "alert": str(alert.id),
            "kind": str(alert.kind),
            "level": alert.level,
            "seen": pattern.seen,
            "threshold": pattern.threshold,
            "window_s": pattern.window_s,
        }
        await self._log.append(
            connection,
            event=Event.GUARD_ALERTED,
            caller=pattern.sighting.caller,
            purpose=pattern.sighting.purpose,
            resource_code=alert.resource_code,
            details=details,
        )
        for whom in {alert.provider_code, alert.organisation_code, None}:
            await save_notice(
                connection,
                organisation_code=whom,
                kind=NoticeKind.GUARD_ALERT,
                resource_code=alert.resource_code,
                details=details | {"organisation": alert.organisation_code},
                at=alert.detected_at,
            )

    def _hash(self, *parts: str) -> bytes:
        """Name a key or member in the windows; the log, not these tables, is the evidence."""
        text = "\x00".join(parts).encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=16).digest()
