"""Where work on a page is done: a long page in a thread, a short one at once.

Handing over to a thread and back costs more than a short page does, and far more while the process is busy.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

SHORT_ROWS: Final = 1000
Arguments = ParamSpec("Arguments")
Made = TypeVar("Made")


async def run_sized(
    rows: int, make: Callable[Arguments, Made], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Made:
    """Call `make`, in a thread where there are more than `SHORT_ROWS` rows to go through."""
    if rows <= SHORT_ROWS:
        return make(*args, **kwargs)
    return await asyncio.to_thread(make, *args, **kwargs)
