"""How much of a package of unknown origin is looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds on a package. With the usual ones, a hostile file costs under two seconds and 200 MB.

    `max_ratio` holds for entries that unpack to more than `ratio_from_bytes`: even honest pictures of one
    colour shrink a thousandfold. `max_total_xml_nodes` counts the elements and attributes of all files of a
    package that are read as trees.
    """

    max_package_bytes: int = 64 * _MIB
    max_entries: int = 8192
    max_name_bytes: int = 512
    max_entry_bytes: int = 48 * _MIB
    max_total_bytes: int = 96 * _MIB
    max_ratio: int = 250
    ratio_from_bytes: int = 4 * _MIB
    max_xml_bytes: int = 16 * _MIB
    max_xml_depth: int = 100
    max_xml_nodes: int = 250_000
    max_total_xml_nodes: int = 2_000_000


DEFAULT_LIMITS: Final = Limits()
