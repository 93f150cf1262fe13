"""Work in threads whose result is large."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


async def make_in_thread(
    make: Callable[Arguments, Made], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Made:
    """Call `make` in a thread, and let nobody but the caller hold what it returns.

    The future behind `asyncio.to_thread` and the callback that it keeps hold each other, and with them the
    result, until the garbage collector comes by; some hundred megabytes of a batch's pieces waited for it.
    """
    made: list[Made] = []

    def call() -> None:
        made.append(make(*args, **kwargs))

    await asyncio.to_thread(call)
    return made.pop()
