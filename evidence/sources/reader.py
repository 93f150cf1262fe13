"""Reading all sources of a case at once: batched where all goes well, one by one where something fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from certs.use.held import HeldService
from core.caller import Scope
from core.china_time import china_day
from core.errors import ShuzhengError
from evidence.rules.model import CertificateWay, VerificationWay
from evidence.sources.certificates import build_sought, read_held
from evidence.sources.datasets import build_check, build_question, read_error, read_judgement, read_rows
from evidence.sources.model import Ask, Asker, Outcome, Reading, Sources
from exchange.query.service import QueryService
from exchange.verify.service import VerifyService

BATCH_SHARE: Final = 0.5
AT_ONCE: Final = 4

logger = logging.getLogger("shuzheng.evidence")

Batch = Callable[[Sequence[Ask], Asker], Awaitable[list[Reading]]]
ReadKind = Callable[[Batch, Sequence[Ask], Asker, float], Awaitable[list[Reading]]]


class HubSources:
    """Answers asks from the hub's own datasets and certificates, by the services that everybody uses.

    Every access has its leaf, its grant, its masks and its quota there. The asks of one kind go in one
    transaction; where that fails or takes half the time limit it is undone as a whole, and each ask is tried
    alone, so that a source that hangs or fails takes no other with it.
    """

    def __init__(
        self,
        *,
        query: QueryService,
        verify: VerifyService,
        held: HeldService,
        now: Callable[[], datetime],
    ) -> None:
        self._query = query
        self._verify = verify
        self._held = held
        self._now = now
        self._batches: Mapping[Scope, Batch] = {
            Scope.CERTIFICATE_USE: self._open_certificates,
            Scope.VERIFY: self._verify_facts,
            Scope.QUERY: self._query_rows,
        }

    async def read(self, asks: Sequence[Ask], *, asker: Asker, limit_s: float) -> list[Reading]:
        """Read all asks at once, within `limit_s` seconds; see `Sources`."""
        return await self._read(asks, asker, limit_s, self._read_kind)

    @property
    def one_by_one(self) -> Sources:
        """The same sources, each ask alone: for asks that failed together."""
        return _OneByOne(self)

    async def read_alone(self, asks: Sequence[Ask], *, asker: Asker, limit_s: float) -> list[Reading]:
        """Read each ask alone, a few at a time, within `limit_s` seconds."""
        return await self._read(asks, asker, limit_s, self._read_each)

    async def _read(
        self, asks: Sequence[Ask], asker: Asker, limit_s: float, read_kind: ReadKind
    ) -> list[Reading]:
        until = time.monotonic() + limit_s
        kinds, readings = split_asks(asks, asker)
        done = await asyncio.gather(
            *(
                read_kind(self._batches[scope], [asks[place] for place in places], asker, until)
                for scope, places in kinds.items()
            )
        )
        for places, found in zip(kinds.values(), done, strict=True):
            readings |= dict(zip(places, found, strict=True))
        return [readings[place] for place in range(len(asks))]

    async def _read_kind(
        self, batch: Batch, asks: Sequence[Ask], asker: Asker, until: float
    ) -> list[Reading]:
        left_s = until - time.monotonic()
        try:
            async with asyncio.timeout(left_s * BATCH_SHARE if len(asks) > 1 else left_s):
                return await batch(asks, asker)
        except Exception as error:
            if len(asks) == 1:
                return [_read_failure(asks[0], error)]
            logger.info("reading at once failed, reading one by one: %s", type(error).__name__)
        return await self._read_each(batch, asks, asker, until)

    async def _read_each(
        self, batch: Batch, asks: Sequence[Ask], asker: Asker, until: float
    ) -> list[Reading]:
        places = asyncio.Semaphore(AT_ONCE)

        async def read_one(ask: Ask) -> Reading:
            try:
                async with asyncio.timeout(until - time.monotonic()), places:
                    return (await batch([ask], asker))[0]
            except Exception as error:
                return _read_failure(ask, error)

        return list(await asyncio.gather(*map(read_one, asks)))

    async def _query_rows(self, asks: Sequence[Ask], asker: Asker) -> list[Reading]:
        found = await self._query.query_many(
            caller=asker.caller, purpose=asker.purpose, questions=[build_question(ask) for ask in asks]
        )
        now = self._now()
        return [read_rows(ask, each, now=now) for ask, each in zip(asks, found, strict=True)]

    async def _verify_facts(self, asks: Sequence[Ask], asker: Asker) -> list[Reading]:
        judged = await self._verify.judge_many(
            caller=asker.caller, purpose=asker.purpose, checks=[build_check(ask) for ask in asks]
        )
        now = self._now()
        return [read_judgement(ask, each, now=now) for ask, each in zip(asks, judged, strict=True)]

    async def _open_certificates(self, asks: Sequence[Ask], asker: Asker) -> list[Reading]:
        found = await self._held.open_held(
            [build_sought(ask) for ask in asks],
            codes=asker.codes,
            caller=asker.caller,
            purpose=asker.purpose,
        )
        today = china_day(self._now())
        return [read_held(ask, each, today=today) for ask, each in zip(asks, found, strict=True)]


class _OneByOne:
    def __init__(self, sources: HubSources) -> None:
        self._sources = sources

    async def read(self, asks: Sequence[Ask], *, asker: Asker, limit_s: float) -> list[Reading]:
        return await self._sources.read_alone(asks, asker=asker, limit_s=limit_s)


def split_asks(asks: Sequence[Ask], asker: Asker) -> tuple[dict[Scope, list[int]], dict[int, Reading]]:
    """Group the places of asks by the scope that they need, and refuse those whose scope is lacking."""
    kinds: dict[Scope, list[int]] = {}
    refused: dict[int, Reading] = {}
    for place, ask in enumerate(asks):
        scope = _scope_of(ask)
        if scope in asker.caller.scopes:
            kinds.setdefault(scope, []).append(place)
        else:
            refused[place] = _without_scope(scope)
    return kinds, refused


def _scope_of(ask: Ask) -> Scope:
    match ask.way:
        case CertificateWay():
            return Scope.CERTIFICATE_USE
        case VerificationWay():
            return Scope.VERIFY
        case _:
            return Scope.QUERY


def _without_scope(scope: Scope) -> Reading:
    return Reading(
        outcome=Outcome.NOT_AUTHORISED,
        code="AUTH-SCOPE-MISSING",
        detail=f"the calling system lacks the scope {scope}",
        apply_for={"scope": str(scope)},
    )


def _read_failure(ask: Ask, error: Exception) -> Reading:
    """Say what a failed ask comes to; what nobody foresaw is noted without anything personal."""
    if isinstance(error, ShuzhengError):
        return read_error(ask, error)
    if isinstance(error, TimeoutError):
        detail = "the source did not answer within the time limit"
        return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="TIMEOUT", detail=detail)
    logger.error("a source failed: %s", type(error).__name__)
    detail = "the source answered with what cannot be read"
    return Reading(outcome=Outcome.SOURCE_UNAVAILABLE, code="GARBAGE", detail=detail)
