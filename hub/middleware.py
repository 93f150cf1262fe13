"""Pure ASGI middleware: body limits, headers that every answer carries, and the last resort."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core.errors import BadInput, TooLarge
from hub.problems import MEDIA_TYPE, build_problem, describe_without_values

logger = logging.getLogger("shuzheng.hub")


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimit:
    """The most bytes that a request body may have below a path; the first limit that fits counts."""

    prefix: str
    suffix: str
    max_bytes: int

    def fits(self, path: str) -> bool:
        """Tell whether this limit is the one for `path`."""
        return path.startswith(self.prefix) and path.endswith(self.suffix)


class BodyLimitMiddleware:
    """Refuses bodies over their limit: at once where Content-Length says so, else as the bytes come."""

    def __init__(self, app: ASGIApp, *, limits: Sequence[BodyLimit]) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next(limit for limit in self._limits if limit.fits(scope["path"]))
        if _content_length(scope) > limit.max_bytes:
            await _send_problem(send, _too_large(limit.max_bytes))
            return
        received = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit.max_bytes:
                raise TooLarge(_too_large_detail(limit.max_bytes))
            return message

        await self._app(scope, counting_receive, send)


class TargetMiddleware:
    """Refuses request targets that hold NUL, which no text in the database can hold either."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            await _send_problem(send, _nul_in_target())
            return
        await self._app(scope, receive, send)


class LastResortMiddleware:
    """Turns what nobody foresaw into a problem document, and logs its kind and place without its text.

    It stands outside everything else, because an error that reaches the server would be logged with its
    text, which may quote row contents.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watching_send(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            if message["type"] == "http.response.start":
                message["headers"] = _add_fixed(message["headers"])
            await send(message)

        try:
            await self._app(scope, receive, watching_send)
        except Exception as error:
            logger.error("unexpected error at %s: %s", scope["path"], describe_without_values(error))
            if not started:
                await _send_problem(watching_send, _internal())


_FIXED_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


def _add_fixed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add the fixed headers; a route that says how long it may be cached is left its word."""
    given = list(headers)
    names = {name.lower() for name, _ in given}
    return [*given, *(header for header in _FIXED_HEADERS if header[0] not in names)]


def _content_length(scope: Scope) -> int:
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0


def _too_large_detail(max_bytes: int) -> str:
    return f"the body is over the limit of {max_bytes} bytes; send it in smaller parts"


def _too_large(max_bytes: int) -> dict[str, Any]:
    return build_problem(
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        code=TooLarge.code,
        title=TooLarge.title,
        detail=_too_large_detail(max_bytes),
    )


def _nul_in_target() -> dict[str, Any]:
    return build_problem(
        status=HTTPStatus.BAD_REQUEST,
        code=BadInput.code,
        title=BadInput.title,
        detail="the path or the query holds the character NUL (%00); leave it out",
    )


def _internal() -> dict[str, Any]:
    return build_problem(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code="INTERNAL",
        title="Internal error",
        detail="the hub failed at this request; the operators can find it in the log",
    )


async def _send_problem(send: Send, problem: dict[str, Any]) -> None:
    body = json.dumps(problem, ensure_ascii=False).encode()
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": problem["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
