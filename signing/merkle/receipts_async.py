"""Collect items from many coroutines, sign them together, and hand each its receipt.

While one batch is being signed in a worker thread the next one fills, so under load the batches grow by
themselves and the signature's cost is shared by more items. A batch waits for more only where the last one
had more than one: who comes alone is signed at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from types import TracebackType
from typing import Final, Self

from signing.errors import SigningError
from signing.merkle.receipts import BatchSigner, SignedBatch

DEFAULT_MAX_ITEMS: Final = 1024
DEFAULT_MAX_WAIT_MS: Final = 2.0
DEFAULT_MAX_WAITING: Final = 16_384


class BatcherClosed(SigningError):
    """The batcher takes no more items: it was closed, or never opened."""

    code = "SIGNING-BATCHER-CLOSED"
    title = "No more receipts"


class Batcher:
    """Signs what `submit` is given, at most `max_wait_ms` after the first item or at once at `max_items`.

    An async context manager, bound to the event loop that opens it. `max_waiting` bounds the items that wait
    for their signature; above it `submit` itself waits. `executor` runs the signing (by default the loop's).
    """

    def __init__(
        self,
        signer: BatchSigner,
        *,
        max_items: int = DEFAULT_MAX_ITEMS,
        max_wait_ms: float = DEFAULT_MAX_WAIT_MS,
        max_waiting: int = DEFAULT_MAX_WAITING,
        executor: Executor | None = None,
    ) -> None:
        if max_items < 1 or max_waiting < 1 or max_wait_ms < 0:
            message = "max_items and max_waiting are at least 1, max_wait_ms at least 0"
            raise ValueError(message)
        self._signer = signer
        self._max_items = max_items
        self._max_wait_s = max_wait_ms / 1000
        self._executor = executor
        self._places = asyncio.Semaphore(max_waiting)
        self._waiting: list[tuple[bytes, asyncio.Future[tuple[SignedBatch, int]]]] = []
        self._last_items = 0
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._open = False
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._open = True
        self._worker = asyncio.create_task(self._run(), name="receipt-batcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def submit(self, payload: bytes) -> bytes:
        """Return the receipt of `payload` once its batch is signed.

        Raises BatcherClosed after `close`, and whatever the signer raises, to every item of the failed batch.
        A cancelled caller gives up its receipt and disturbs no other.
        """
        async with self._places:
            if not self._open:
                message = "The batcher is closed; open a new one to sign more items."
                raise BatcherClosed(message)
            place: asyncio.Future[tuple[SignedBatch, int]] = asyncio.get_running_loop().create_future()
            self._waiting.append((payload, place))
            self._arrived.set()
            if len(self._waiting) >= self._max_items:
                self._full.set()
            batch, index = await place
        return batch.receipt(index)

    async def close(self) -> None:
        """Take no more items, sign those that wait, and return when all have their receipts."""
        self._open = False
        self._arrived.set()
        self._full.set()
        if self._worker is not None:
            await self._worker

    async def _run(self) -> None:
        while await self._next_batch_is_due():
            batch = self._waiting[: self._max_items]
            del self._waiting[: self._max_items]
            if self._open:
                self._reset_events()
            self._last_items = len(batch)
            await self._sign([each for each in batch if not each[1].done()])

    async def _next_batch_is_due(self) -> bool:
        """Wait until a batch is full or old enough; return False when closed and empty."""
        await self._arrived.wait()
        if self._last_items > 1 and self._open and not self._full.is_set():
            try:
                async with asyncio.timeout(self._max_wait_s):
                    await self._full.wait()
            except TimeoutError:
                pass
        return self._open or bool(self._waiting)

    def _reset_events(self) -> None:
        if not self._waiting:
            self._arrived.clear()
        if len(self._waiting) < self._max_items:
            self._full.clear()

    async def _sign(self, items: Sequence[tuple[bytes, asyncio.Future[tuple[SignedBatch, int]]]]) -> None:
        if not items:
            return
        loop = asyncio.get_running_loop()
        payloads = [payload for payload, _ in items]
        try:
            batch = await loop.run_in_executor(self._executor, self._signer.sign, payloads)
        except Exception as error:
            for _, place in items:
                if not place.done():
                    place.set_exception(error)
            return
        for index, (_, place) in enumerate(items):
            if not place.done():
                place.set_result((batch, index))
