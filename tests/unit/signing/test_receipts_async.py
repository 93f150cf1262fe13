"""The batcher: items from many coroutines share signatures; errors and cancellations stay in their place."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from signing.errors import KeyUnusable
from signing.merkle.receipts import BatchSigner, TrustedKeys, verify_receipt
from signing.merkle.receipts_async import Batcher, BatcherClosed
from signing.sm2 import PrivateKey, PublicKey

KEY = PrivateKey.from_scalar(0x1357)
TRUST = TrustedKeys((KEY.public_key,))


class CountingSigner:
    """Counts signatures; fails, or waits for leave, where a test wants it to."""

    def __init__(self) -> None:
        self.signatures = 0
        self.fails = False
        self.leave = threading.Event()
        self.leave.set()

    @property
    def public_key(self) -> PublicKey:
        return KEY.public_key

    def sign(self, message: bytes) -> bytes:
        assert self.leave.wait(30)
        self.signatures += 1
        if self.fails:
            raise KeyUnusable("The key is locked.")  # noqa: EM101
        return KEY.sign(message)


@pytest.fixture
def counting() -> CountingSigner:
    return CountingSigner()


def batch_signer(counting: CountingSigner) -> BatchSigner:
    return BatchSigner(signer=counting, issuer="hub", clock=lambda: datetime(2026, 5, 4, tzinfo=UTC))


async def test_items_submitted_together_share_one_signature(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_wait_ms=20) as batcher:
        receipts = await asyncio.gather(*(batcher.submit(b"%d" % n) for n in range(50)))
    assert counting.signatures == 1
    for n, receipt in enumerate(receipts):
        verify_receipt(receipt, trust=TRUST, payload=b"%d" % n)


async def test_full_batch_is_signed_before_the_wait_ends(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_items=10, max_wait_ms=3_600_000) as batcher:
        async with asyncio.timeout(30):
            receipts = await asyncio.gather(*(batcher.submit(b"%d" % n) for n in range(30)))
    assert counting.signatures == 3
    assert len(set(receipts)) == 30


async def test_items_that_arrive_during_a_signature_form_the_next_batch(counting: CountingSigner) -> None:
    counting.leave.clear()
    with ThreadPoolExecutor(1) as executor:
        async with Batcher(batch_signer(counting), max_wait_ms=0, executor=executor) as batcher:
            first = asyncio.create_task(batcher.submit(b"first"))
            await asyncio.sleep(0.05)
            later = [asyncio.create_task(batcher.submit(b"%d" % n)) for n in range(20)]
            await asyncio.sleep(0.05)
            counting.leave.set()
            await asyncio.gather(first, *later)
    assert counting.signatures == 2


async def test_items_that_come_one_by_one_are_signed_at_once_and_after_many_wait_for_each_other(
    counting: CountingSigner,
) -> None:
    async with Batcher(batch_signer(counting), max_wait_ms=3_600_000) as batcher:
        async with asyncio.timeout(30):
            for n in range(3):
                await batcher.submit(b"%d" % n)
            assert counting.signatures == 3
            await asyncio.gather(*(batcher.submit(b"%d" % n) for n in range(9)))
            assert counting.signatures == 4
        waiting = asyncio.create_task(batcher.submit(b"waits for others"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    verify_receipt(await waiting, trust=TRUST, payload=b"waits for others")
    assert counting.signatures == 5


async def test_close_signs_what_waits_and_takes_no_more(counting: CountingSigner) -> None:
    batcher = Batcher(batch_signer(counting), max_items=4, max_wait_ms=3_600_000)
    async with batcher:
        tasks = [asyncio.create_task(batcher.submit(b"%d" % n)) for n in range(6)]
        await asyncio.sleep(0)
    assert all(task.done() or not task.cancelled() for task in tasks)
    receipts = await asyncio.gather(*tasks)
    assert len(receipts) == 6
    with pytest.raises(BatcherClosed):
        await batcher.submit(b"late")
    await batcher.close()


async def test_batcher_that_was_never_opened_takes_nothing(counting: CountingSigner) -> None:
    batcher = Batcher(batch_signer(counting))
    with pytest.raises(BatcherClosed):
        await batcher.submit(b"x")
    await batcher.close()


async def test_failed_signature_reaches_every_item_and_the_batcher_goes_on(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_wait_ms=5) as batcher:
        counting.fails = True
        outcomes = await asyncio.gather(
            *(batcher.submit(b"%d" % n) for n in range(5)), return_exceptions=True
        )
        assert all(isinstance(outcome, KeyUnusable) for outcome in outcomes)
        counting.fails = False
        verify_receipt(await batcher.submit(b"again"), trust=TRUST, payload=b"again")


async def test_cancelled_caller_disturbs_no_other(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_wait_ms=30) as batcher:
        tasks = [asyncio.create_task(batcher.submit(b"%d" % n)) for n in range(5)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(outcomes[1], asyncio.CancelledError)
    for n in (0, 2, 3, 4):
        verify_receipt(outcomes[n], trust=TRUST, payload=b"%d" % n)


async def test_batch_whose_callers_all_gave_up_is_not_signed(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_wait_ms=10) as batcher:
        task = asyncio.create_task(batcher.submit(b"x"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert counting.signatures == 0


async def test_more_items_than_may_wait_are_all_served(counting: CountingSigner) -> None:
    async with Batcher(batch_signer(counting), max_waiting=3, max_wait_ms=1) as batcher:
        receipts = await asyncio.gather(*(batcher.submit(b"%d" % n) for n in range(20)))
    assert len(receipts) == 20
    assert counting.signatures >= 7


@pytest.mark.parametrize("wrong", [{"max_items": 0}, {"max_waiting": 0}, {"max_wait_ms": -1}])
def test_batcher_with_impossible_limits_is_refused(counting: CountingSigner, wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Batcher(batch_signer(counting), **wrong)
