"""Reading all sources of a case in the case's own transaction, by two statements however many they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from certs.use.held import HeldBatch, HeldService
from core.caller import Scope
from core.china_time import china_day
from core.database import Connection
from core.database.gathering import Gathering
from core.identity.store_standing import StandingChanged
from evidence.sources.certificates import build_sought, read_held
from evidence.sources.datasets import build_check, build_question, read_judgement, read_rows
from evidence.sources.model import Ask, Asker, Reading
from evidence.sources.reader import split_asks
from exchange.access.ground import Ground, GroundReader
from exchange.access.model import Mode
from exchange.query.batch import QueryBatch
from exchange.query.records import Records
from exchange.query.service import QueryService
from exchange.verify.batch import VerifyBatch
from exchange.verify.service import VerifyService

TOGETHER_SHARE: Final = 0.5

logger = logging.getLogger("shuzheng.evidence")


class ReadApart(Exception):
    """Reading together failed or took too long: undo it all, and read each source alone."""


class TogetherReader:
    """Opens sessions that read for one case, by the rules of the services that everybody uses.

    Grants, budgets of mismatches and quotas are asked for in one statement, the rows and certificates in the
    next; then everything is recorded as a call of its own would be. What fails fails as a whole.
    """

    def __init__(
        self,
        *,
        query: QueryService,
        verify: VerifyService,
        held: HeldService,
        grounds: GroundReader,
        now: Callable[[], datetime],
    ) -> None:
        self.query = query
        self.verify = verify
        self.held = held
        self.grounds = grounds
        self.now = now

    def open(self, connection: Connection) -> Session:
        """Open a session on the connection whose transaction is the case's."""
        return Session(self, connection)


class Session:
    """What one case reads. Save `records` in its transaction, and call `tell` after the commit."""

    def __init__(self, reader: TogetherReader, connection: Connection) -> None:
        self._reader = reader
        self._connection = connection
        self._batches: list[QueryBatch | VerifyBatch] = []
        self.records = Records()

    async def read(self, asks: Sequence[Ask], *, asker: Asker, limit_s: float) -> list[Reading]:
        """Read all asks at once. Raises ReadApart where any fails, or after a share of `limit_s`."""
        kinds, readings = split_asks(asks, asker)
        try:
            async with asyncio.timeout(limit_s * TOGETHER_SHARE):
                for places, found in await self._read(asks, kinds, asker):
                    readings |= dict(zip(places, found, strict=True))
        except StandingChanged:
            raise
        except Exception as error:
            logger.info("reading together failed, reading one by one: %s", type(error).__name__)
            raise ReadApart from error
        return [readings[place] for place in range(len(asks))]

    async def tell(self) -> None:
        """Tell watchers and log what they learn after the commit."""
        for batch in self._batches:
            await batch.tell()

    async def _read(
        self, asks: Sequence[Ask], kinds: dict[Scope, list[int]], asker: Asker
    ) -> list[tuple[list[int], list[Reading]]]:
        asked = {scope: [asks[place] for place in places] for scope, places in kinds.items()}
        queries, checks = asked.get(Scope.QUERY, []), asked.get(Scope.VERIFY, [])
        caller, purpose = asker.caller, asker.purpose
        query = self._reader.query.begin(
            caller=caller, purpose=purpose, questions=[build_question(ask) for ask in queries]
        )
        verify = None
        if checks:
            verify = self._reader.verify.begin(
                caller=caller, purpose=purpose, checks=[build_check(ask) for ask in checks]
            )
        held = self._reader.held.begin(
            [build_sought(ask) for ask in asked.get(Scope.CERTIFICATE_USE, [])],
            codes=asker.codes,
            caller=caller,
            purpose=purpose,
        )
        await self._allow(query, verify, asker)
        await self._take(query, verify, held)
        now = self._reader.now()
        today = china_day(now)
        answered = {
            Scope.QUERY: [read_rows(*pair, now=now) for pair in zip(queries, query.found, strict=True)],
            Scope.VERIFY: []
            if verify is None
            else [read_judgement(*pair, now=now) for pair in zip(checks, verify.found, strict=True)],
            Scope.CERTIFICATE_USE: [
                read_held(*pair, today=today)
                for pair in zip(asked.get(Scope.CERTIFICATE_USE, []), held.found, strict=True)
            ],
        }
        return [(places, answered[scope]) for scope, places in kinds.items()]

    async def _allow(self, query: QueryBatch, verify: VerifyBatch | None, asker: Asker) -> None:
        """Ask for grants and locks in one statement, then for quotas where grants have some."""
        codes = {Mode.QUERY: query.codes, Mode.VERIFY: set() if verify is None else verify.codes}
        grounds: dict[Mode, dict[str, Ground]] = {Mode.QUERY: {}, Mode.VERIFY: {}}
        if any(codes.values()):
            at, gathering = self._reader.now(), Gathering()
            locks = () if verify is None else verify.locks
            written = self._reader.grounds.write(
                gathering, codes=codes, caller=asker.caller, at=at, locks=locks
            )
            grounds = await self._reader.grounds.take(
                self._connection,
                written,
                await gathering.run(self._connection),
                caller=asker.caller,
                at=at,
            )
        if verify is not None:
            await verify.allow(self._connection, grounds[Mode.VERIFY])
        await query.allow(self._connection, grounds[Mode.QUERY])

    async def _take(self, query: QueryBatch, verify: VerifyBatch | None, held: HeldBatch) -> None:
        """Read rows and certificates in one statement, and keep what is to be recorded."""
        gathering = Gathering()
        for batch in (query, verify, held):
            if batch is not None:
                batch.write(gathering)
        found = await gathering.run(self._connection)
        await held.take(self._connection, found)
        await query.take(self._connection, found)
        self.records.leaves += held.leaves
        self.records.add(query.records)
        self._batches.append(query)
        if verify is not None:
            await verify.take(self._connection, found)
            self.records.add(verify.records)
            self._batches.append(verify)
