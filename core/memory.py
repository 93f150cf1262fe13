"""What glibc's allocator keeps of memory that was freed, and how it is given back.

Every thread of a hub would get an arena of its own, in which the pieces of a large batch leave holes: after
ten million rows some fifty megabytes each, two dozen times. A few arenas that threads share reuse the holes;
what is free when a batch is over goes back to the system. Other allocators (macOS, musl) need neither.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Callable
from typing import Final

ARENAS: Final = 4
_M_ARENA_MAX: Final = -8  # malloc.h


def share_arenas() -> bool:
    """Let all threads share ARENAS arenas; tell whether the allocator can. Call before threads start."""
    mallopt = _find("mallopt", ctypes.c_int, ctypes.c_int)
    return mallopt is not None and bool(mallopt(_M_ARENA_MAX, ARENAS))


def give_back() -> bool:
    """Give free memory back to the system; tell whether there was any. Takes milliseconds.

    What a batch left in circles of references is let go first: the collector comes by seldom of itself.
    """
    gc.collect(1)
    trim = _find("malloc_trim", ctypes.c_size_t)
    return trim is not None and bool(trim(0))


def _find(name: str, *arguments: type[ctypes.c_int | ctypes.c_size_t]) -> Callable[..., int] | None:
    """Find a function of glibc's, which returns an int; None where the C library has none of that name."""
    if sys.platform != "linux":
        return None
    function = getattr(ctypes.CDLL(None), name, None)
    if function is None:
        return None
    function.argtypes, function.restype = arguments, ctypes.c_int
    found: Callable[..., int] = function
    return found
