"""What envelopes share: the clock, keys that run out, how an answer's members are found."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, Final

import httpx
from pydantic import Field

from connectors.errors import TerminalError, TransientError
from connectors.options import Options
from connectors.paths import find_value

Clock = Callable[[], float]
RENEW_BEFORE_S: Final = 60.0


class Held:
    """A secret that runs out, and when, in seconds since 1970."""

    def __init__(self, value: str, until_s: float) -> None:
        self.value = value
        self.until_s = until_s

    def __repr__(self) -> str:
        return f"Held(until_s={self.until_s})"


class KeyAnswer(Options):
    """Where an answer to a request for a secret holds it, as paths like `data.secret`."""

    secret_path: str
    until_path: str | None = Field(default=None, description="of the time it runs out, in ms since 1970")
    valid_s: float | None = Field(default=None, gt=0, description="how long, without `until_path`")


class Envelope(httpx.Auth):
    """Signs requests. `now` tells seconds since 1970."""

    requires_response_body = True

    def __init__(self, now: Clock = time.time) -> None:
        self._now = now

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Fetch secrets that are missing or run out, then sign."""
        yield from self.renew()
        self.sign(request)
        yield request

    def renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        """Yield the requests that fetch secrets; none where there are none to fetch."""
        yield from ()

    def sign(self, request: httpx.Request) -> None:
        """Put the signature on."""
        raise NotImplementedError

    def is_spent(self, held: Held | None) -> bool:
        """Tell whether a secret is missing or soon runs out."""
        return held is None or self._now() >= held.until_s - RENEW_BEFORE_S


def read_held(answer: httpx.Response, where: KeyAnswer, *, now_s: float) -> Held:
    """Read a secret from an answer. Raises TransientError, TerminalError; the answer is not repeated."""
    if answer.status_code >= 500:
        msg = f"the service that gives secrets answers {answer.status_code}"
        raise TransientError(msg)
    try:
        document = answer.json()
    except ValueError:
        document = None
    secret = find_value(document, where.secret_path)
    until = _read_until(document, where, now_s)
    if not answer.is_success or not isinstance(secret, str) or not secret or until is None:
        msg = f"the service that gives secrets gave none ({answer.status_code}); check the keys and the paths"
        raise TerminalError(msg)
    return Held(secret, until)


def _read_until(document: Any, where: KeyAnswer, now_s: float) -> float | None:
    if where.until_path is None:
        return now_s + (where.valid_s or 15 * 60)
    try:
        return float(find_value(document, where.until_path)) / 1000
    except (TypeError, ValueError):
        return None


def set_parameters(request: httpx.Request, values: dict[str, str]) -> None:
    """Put values into the query of a request."""
    request.url = request.url.copy_merge_params(values)
