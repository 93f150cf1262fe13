"""Choosing the form of an answer by the request's Accept field (RFC 9110 12.5.1)."""

from __future__ import annotations

from typing import Final

from subscriptions.errors import FormNotOffered
from subscriptions.feed.page import Form

EVENT_STREAM: Final = "text/event-stream"
MAX_ACCEPT_CHARACTERS: Final = 2000
OFFERED: Final = (*(str(form) for form in Form), EVENT_STREAM)


def choose_media_type(accept: str | None) -> str:
    """Return the media type offered here that the client likes best, NDJSON where it does not care.

    Raises FormNotOffered where it accepts none of them.
    """
    if accept is None or not accept.strip():
        return Form.NDJSON
    best, best_merit = None, (0.0, -1)
    for part in accept[:MAX_ACCEPT_CHARACTERS].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _read_quality(parameters)
        for offered in OFFERED:
            merit = (quality, _specificity(name, offered))
            if quality > 0 and merit[1] >= 0 and merit > best_merit:
                best, best_merit = offered, merit
    if best is None:
        raise FormNotOffered(OFFERED)
    return best


def _specificity(wanted: str, offered: str) -> int:
    if wanted in {offered, "application/ndjson" if offered == Form.NDJSON else offered}:
        return 2
    if wanted == offered.split("/", maxsplit=1)[0] + "/*":
        return 1
    return 0 if wanted == "*/*" else -1


def _read_quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
