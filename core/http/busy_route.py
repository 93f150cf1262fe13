"""The routes that most calls go to: read straight, their caller proved by the statement that reads.

FastAPI describes them in the document as any other. A call that is well formed, with a token that this
process has seen, is read without FastAPI's dependencies; every other call, and every one that goes wrong
before the token was confirmed, takes FastAPI's way, so that its answer is the same in either.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from core.caller import Caller, Scope
from core.errors import ShuzhengError
from core.http.authentication import Authentication, read_bearer
from core.identity.store_standing import StandingChanged

JSON = "application/json"
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def busy_route(authentication: Authentication, scope: Scope) -> type[APIRoute]:
    """Make the class of routes whose endpoints take `body`, `caller`, `request` and what the path names.

    `body` is annotated with a model; the parameters of the path are text. `caller` must depend on
    `authentication.requires(scope)`.
    """

    class BusyRoute(APIRoute):
        """A route that answers well-formed calls of known callers without FastAPI's dependencies."""

        def get_route_handler(self) -> _Handler:
            """Return the handler."""
            return _build_handler(super().get_route_handler(), self.endpoint, authentication, scope)

    return BusyRoute


def _build_handler(
    standard: _Handler,
    endpoint: Callable[..., Awaitable[Response]],
    authentication: Authentication,
    scope: Scope,
) -> _Handler:
    model: type[BaseModel] = endpoint.__annotations__["body"]

    async def handle(request: Request) -> Response:
        caller = authentication.presume(request, scope)
        if caller is None or request.headers.get("content-type") != JSON:
            return await standard(request)
        try:
            read = model.model_validate_json(await request.body())
        except ValidationError:
            return await standard(request)
        try:
            answer = await endpoint(**request.path_params, body=read, caller=caller, request=request)
        except StandingChanged:
            return await standard(request)
        except ShuzhengError:
            await _prove(authentication, request, caller, scope)
            raise
        await _prove(authentication, request, caller, scope)
        return answer

    return handle


async def _prove(authentication: Authentication, request: Request, caller: Caller, scope: Scope) -> None:
    """See to it that whoever is answered, or told what is wrong, is who the token says."""
    request.state.caller = caller
    if caller.standing is None or not caller.standing.is_confirmed:
        await authentication.admit_token(request, read_bearer(request), scope)
