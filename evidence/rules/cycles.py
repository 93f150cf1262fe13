"""The order of facts: which wait for the attributes of which."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from evidence.rules.model import ServiceItem
from evidence.rules.values import facts_needed


def find_cycle(item: ServiceItem) -> tuple[str, ...] | None:
    """Return facts of which each waits for the next, the last for the first; None where none do."""
    try:
        TopologicalSorter(_needs(item)).prepare()
    except CycleError as found:
        nodes: list[str] = found.args[1]
        return tuple(reversed(nodes[1:]))
    return None


def order_facts(item: ServiceItem) -> tuple[tuple[str, ...], ...]:
    """Return the codes of the facts in rounds: each round needs only what earlier ones gave."""
    sorter = TopologicalSorter(_needs(item))
    sorter.prepare()
    rounds = []
    while sorter.is_active():
        ready = sorter.get_ready()
        rounds.append(tuple(sorted(ready)))
        sorter.done(*ready)
    return tuple(rounds)


def _needs(item: ServiceItem) -> dict[str, set[str]]:
    return {fact.code: set().union(*(facts_needed(way) for way in fact.ways)) for fact in item.facts}
