"""Bringing changes to targets: each target by one worker at a time, in order, at least once.

A worker leases a target, reads a page as the subscriber would, remembers its key, brings it, and moves the
consumer on; the move is refused to a worker that has lost its lease. What is sent again after a crash has
the same key and the same rows. A target that fails waits, alone: every target has a task of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Final, Protocol
from uuid import UUID, uuid4

from core.duties import stop_duties
from core.errors import BadInput, Conflict, Forbidden, NotFound, Unavailable
from signing import sm3
from signing.errors import ShuzhengError
from subscriptions.delivery.model import Proof
from subscriptions.errors import ConsumerPaused
from subscriptions.feed.page import Form, Page
from subscriptions.feed.read import FeedReader, Wanted
from subscriptions.feed.wake import Waker
from subscriptions.push.model import (
    TABLES,
    Brought,
    DeadLetter,
    DeliveryFailed,
    Message,
    MessageRefused,
    Target,
    TargetDown,
    TargetGone,
    TargetKind,
)
from subscriptions.push.progress import Progress
from subscriptions.push.secret_box import SecretBox

SLOTS: Final = 256
READERS: Final = 4
POLL_S: Final = 1.0
logger = logging.getLogger("shuzheng.push")


class Carrier(Protocol):
    """Brings one message to a target of a kind."""

    async def deliver(self, message: Message, secret: str | None, /) -> bytes | None:
        """Return when the target has the message for good, with its countersignature if it gave one.

        Raises DeliveryFailed.
        """


def choose_form(target: Target) -> Form:
    """Return the form in which a target gets changes."""
    if target.kind is TargetKind.WEBHOOK:
        return Form.NDJSON
    return {"csv": Form.CSV, "parquet": Form.PARQUET}.get(str(target.address.get("format")), Form.ARROW)


class Pusher:
    """One worker of a hub process. Any number of them share the work."""

    def __init__(
        self,
        *,
        feed: FeedReader,
        progress: Progress,
        carriers: Mapping[TargetKind, Carrier],
        secrets: SecretBox,
        waker: Waker,
        slots: int = SLOTS,
    ) -> None:
        self._feed = feed
        self._progress = progress
        self._carriers = carriers
        self._secrets = secrets
        self._waker = waker
        self._slots = slots
        self._owner = uuid4()
        self._running: dict[UUID, asyncio.Task[None]] = {}
        self._reading = asyncio.Semaphore(READERS)

    async def run(self) -> None:
        """Work until cancelled."""
        heard = 0
        try:
            while True:
                try:
                    await self._start_due()
                except ShuzhengError as trouble:
                    logger.warning("pushing waits: %s", type(trouble).__name__)
                heard = await self._waker.wait_any(heard=heard, timeout_s=POLL_S)
        finally:
            await self.stop()

    async def work_once(self) -> int:
        """Bring what is due now; return how many targets were worked on."""
        started = await self._start_due()
        await asyncio.gather(*self._running.values())
        return started

    async def stop(self) -> None:
        """Cancel what is under way; it will be sent again under the same keys."""
        await stop_duties(list(self._running.values()))

    async def _start_due(self) -> int:
        free = self._slots - len(self._running)
        if free <= 0:
            return 0
        targets = await self._progress.claim(owner=self._owner, limit=free)
        for target in targets:
            task = asyncio.create_task(self._drain(target.id), name=f"push-{target.id}")
            self._running[target.id] = task
            task.add_done_callback(partial(self._forget, target.id))
        return len(targets)

    def _forget(self, target_id: UUID, _task: asyncio.Task[None]) -> None:
        self._running.pop(target_id, None)

    async def _drain(self, target_id: UUID) -> None:
        """Bring message after message until nothing is left, something fails, or the lease is lost."""
        keeping = asyncio.create_task(self._progress.keep(target_id, self._owner))
        try:
            while await self._push_next(target_id):
                pass
        except Unavailable as trouble:
            logger.warning("a target waits: %s", type(trouble).__name__)
        except Exception as error:
            logger.error("pushing to a target failed: %s", type(error).__name__)
            await self._progress.fail_quietly(target_id, self._owner)
        finally:
            await stop_duties([keeping])
            await self._progress.release(target_id, self._owner)

    async def _push_next(self, target_id: UUID) -> bool:
        """Bring what is next; tell whether there may be more."""
        target = await self._progress.hold(target_id, self._owner)
        if target is None or not await self._redrive(target):
            return False
        page = await self._read(target, after=None, limit_rows=target.pending_rows or target.batch_rows)
        if page is None:
            return False
        if not page.table.num_rows:
            await self._progress.advance(target, self._owner, page)
            return False
        return await self._send(target, page)

    async def _redrive(self, target: Target) -> bool:
        """Send the dead letters that were asked for; tell whether the target still takes messages."""
        for letter in await self._progress.wanted_letters(target):
            page = await self._read(target, after=letter.from_cursor, limit_rows=letter.rows, letter=letter)
            if page is None:
                return False
            brought = Brought()
            if page.table.num_rows:
                brought = await self._bring(target, page, letter.message_key, moves_place=False)
            await self._progress.settle_letter(target, self._owner, letter, page, brought)
            if isinstance(brought.failed, TargetDown | TargetGone):
                return False
        return True

    async def _send(self, target: Target, page: Page) -> bool:
        """Bring a page and record how that went; tell whether to go on."""
        digest = sm3.digest(page.body).hex()
        same = target.pending_key is not None and target.pending_sm3 == digest
        key = target.pending_key if same and target.pending_key is not None else uuid4()
        if not same and not await self._progress.remember(
            target, self._owner, key=key, rows=page.table.num_rows, sm3=digest
        ):
            return False
        brought = await self._bring(target, page, key)
        failed = brought.failed
        if failed is None:
            return await self._progress.succeed(target, self._owner, page, brought)
        if isinstance(failed, TargetGone):
            await self._progress.stop(target, self._owner, failed.reason)
            return False
        is_refusal = isinstance(failed, MessageRefused)
        return await self._progress.fail(target, self._owner, page, key, failed, is_refusal=is_refusal)

    async def _bring(self, target: Target, page: Page, key: UUID, *, moves_place: bool = True) -> Brought:
        carrier = self._carriers.get(target.kind)
        try:
            if carrier is None:
                msg = f"this hub does not bring changes to targets of kind {target.kind}"
                raise TargetGone(msg)
            secret = self._secrets.open(target.secret, target_id=target.id)
            message = Message(key=key, target=target, page=page, moves_place=moves_place)
            signature = await carrier.deliver(message, secret)
            signer = await self._progress.find_signer(target, page, signature)
        except DeliveryFailed as failed:
            return Brought(failed=failed)
        return Brought(countersignature=signature, signer=signer)

    async def _read(
        self, target: Target, *, after: str | None, limit_rows: int, letter: DeadLetter | None = None
    ) -> Page | None:
        """Read what is to be brought; where the ground is gone, stop the target and return None.

        A table takes the rows of a dead letter as they are now, because it holds none of the places by which
        other receivers leave out what is older. A letter that cannot be read any more stays parked.
        """
        caller = await self._progress.find_caller(target)
        if caller is None:
            reason = "the system that set this target up is suspended"
            await self._progress.stop(target, self._owner, reason)
            return None
        wanted = Wanted(
            subscription_id=target.subscription_id,
            consumer=target.consumer,
            after=after,
            limit_rows=limit_rows,
            form=choose_form(target),
            proof=Proof.ROWS,
            announces=letter is None or letter.is_announcement,
            as_now=letter is not None and target.kind in TABLES,
        )
        try:
            async with self._reading:
                return await self._feed.read(caller=caller, purpose=target.purpose, wanted=wanted)
        except (ConsumerPaused, NotFound):
            return None
        except (BadInput, Conflict) as refused:
            if letter is None:
                await self._progress.stop(target, self._owner, refused.detail)
            else:
                failed = MessageRefused(f"the letter cannot be read any more: {refused.detail}")
                await self._progress.settle_letter(target, self._owner, letter, None, Brought(failed=failed))
        except Forbidden as refused:
            await self._progress.stop(target, self._owner, refused.detail)
        return None
