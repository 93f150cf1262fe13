"""The language in which a report speaks: Chinese or English."""

from __future__ import annotations

from enum import StrEnum


class Language(StrEnum):
    """The languages that every sentence of a report is there in."""

    ZH = "zh"
    EN = "en"


def choose_language(accepted: str | None) -> Language:
    """Choose after an Accept-Language header (RFC 9110 12.5.4); English where it prefers neither."""
    best, chosen = 0.0, Language.EN
    for each in (accepted or "").split(",")[:50]:
        name, _, parameters = each.partition(";")
        primary = name.strip().lower().partition("-")[0]
        weight = _weight(parameters)
        if primary in set(Language) and weight > best:
            best, chosen = weight, Language(primary)
    return chosen


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return max(0.0, min(1.0, float(value)))
    except ValueError:
        return 0.0
