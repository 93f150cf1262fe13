"""Results of threads are held by nobody but who asked for them."""

from __future__ import annotations

import gc
import weakref

import pytest

from core.threads import make_in_thread


class Large:
    """Something that can be told to be gone."""


async def test_result_is_gone_as_soon_as_the_caller_lets_go_of_it() -> None:
    gc.disable()
    try:
        made = await make_in_thread(Large)
        held = weakref.ref(made)
        del made
        assert held() is None
    finally:
        gc.enable()


async def test_error_of_the_work_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        await make_in_thread(divmod, 1, 0)
