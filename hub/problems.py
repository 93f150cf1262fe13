"""Errors at the edge: one table of HTTP statuses, and RFC 9457 problem documents."""

from __future__ import annotations

import logging
import traceback
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import asyncpg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from core import errors
from core.database.pool import CONNECTION_TROUBLES
from hub.refusals import record_refusal
from signing.errors import FieldError, ShuzhengError, SigningError
from subscriptions.errors import FormNotOffered, VersionsPruned

logger = logging.getLogger("shuzheng.hub")

MEDIA_TYPE = "application/problem+json"
TYPE_BASE = "urn:shuzheng:error:"

# The first class in the error's own order of inheritance that stands here decides.
STATUS_OF: dict[type[ShuzhengError], HTTPStatus] = {
    FormNotOffered: HTTPStatus.NOT_ACCEPTABLE,
    VersionsPruned: HTTPStatus.GONE,
    errors.SchemaViolation: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedContent: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.RangeOutside: HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    errors.BadInput: HTTPStatus.BAD_REQUEST,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.PreconditionFailed: HTTPStatus.PRECONDITION_FAILED,
    errors.RateLimited: HTTPStatus.TOO_MANY_REQUESTS,
    errors.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    SigningError: HTTPStatus.UNPROCESSABLE_ENTITY,
    ShuzhengError: HTTPStatus.INTERNAL_SERVER_ERROR,
}


def status_of(error: ShuzhengError) -> HTTPStatus:
    """Look up the HTTP status of an error."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def build_problem(
    *, status: HTTPStatus, code: str, title: str, detail: str, field_errors: tuple[FieldError, ...] = ()
) -> dict[str, Any]:
    """Build a problem document (RFC 9457 3.1) with the members `code` and `errors`."""
    problem: dict[str, Any] = {
        "type": TYPE_BASE + code.lower(),
        "title": title,
        "status": int(status),
        "detail": detail,
        "code": code,
    }
    if field_errors:
        problem["errors"] = [
            {"pointer": error.pointer, "code": error.code, "detail": error.detail} for error in field_errors
        ]
    return problem


def install_problem_handlers(app: FastAPI) -> None:
    """Make every error leave the application as a problem document, without inner details."""
    app.add_exception_handler(ShuzhengError, _on_known)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for trouble in (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        app.add_exception_handler(trouble, _on_database)


async def _on_known(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ShuzhengError)
    services = getattr(request.app.state, "services", None)
    if services is not None:
        await record_refusal(request, error, database=services.database, log=services.log_writer)
    render_error = getattr(request.state, "render_error", None)  # of a route that speaks another envelope
    if render_error is not None:
        return cast(JSONResponse, render_error(error))
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("%s: %s", error.code, error.detail)
    problem = build_problem(
        status=status, code=error.code, title=error.title, detail=error.detail, field_errors=error.errors
    )
    headers = {}
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="shuzheng"'
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = "5"
    if isinstance(error, errors.RateLimited) and error.retry_after_s is not None:
        headers["Retry-After"] = str(error.retry_after_s)
    return _render(problem, headers=headers)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    if _body_was_not_read_as_json(request, error):
        detail = "send the body as JSON, with the header Content-Type: application/json"
        return await _on_known(request, errors.UnsupportedContent(detail))
    found = tuple(_field_error(entry) for entry in error.errors()[:100])
    malformed = any(entry["type"] == "json_invalid" for entry in error.errors())
    if hasattr(request.state, "render_error"):
        detail = "the request body is not JSON" if malformed else "the request breaks its declared form"
        return await _on_known(request, errors.SchemaViolation(detail, errors=found))
    problem = build_problem(
        status=HTTPStatus.BAD_REQUEST if malformed else HTTPStatus.UNPROCESSABLE_ENTITY,
        code="INPUT-INVALID" if malformed else "INPUT-SCHEMA",
        title="Malformed JSON" if malformed else "Input breaks its declared form",
        detail="the request body is not JSON" if malformed else "see errors for each field that is wrong",
        field_errors=found,
    )
    return _render(problem)


def _body_was_not_read_as_json(request: Request, error: RequestValidationError) -> bool:
    """Tell whether a body came under a media type that FastAPI leaves undecoded (anything but JSON)."""
    undecoded = any(entry["loc"] == ("body",) and isinstance(error.body, bytes) for entry in error.errors())
    return undecoded and "json" not in request.headers.get("content-type", "")


def _field_error(entry: dict[str, Any]) -> FieldError:
    """Turn one of pydantic's findings into ours; the value itself is left out on purpose."""
    place, *path = [str(part) for part in entry["loc"]]
    escaped = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    pointer = escaped if place == "body" else f"#{place}={'.'.join(path)}"
    return FieldError(
        pointer=pointer[:200], code=str(entry["type"]).upper().replace("_", "-"), detail=str(entry["msg"])
    )


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, ShuzhengError):  # raised while FastAPI was reading the body
        return await _on_known(request, error.__cause__)
    status = HTTPStatus(error.status_code)
    problem = build_problem(
        status=status,
        code=f"HTTP-{int(status)}",
        title=status.phrase,
        detail=_HTTP_DETAILS.get(status, status.phrase),
    )
    return _render(problem, headers=dict(error.headers or {}))


_HTTP_DETAILS = {
    HTTPStatus.NOT_FOUND: "there is no such path here; /docs lists them all",
    HTTPStatus.METHOD_NOT_ALLOWED: "the path exists, and this method does not; /docs lists both",
    HTTPStatus.BAD_REQUEST: "the request could not be read",
}


# What asyncpg raises for NUL (the server's word) and for half surrogates (its own).
_TEXT_TROUBLES = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


async def _on_database(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, _TEXT_TROUBLES) or isinstance(error.__cause__, UnicodeEncodeError):
        detail = "a text holds a character that cannot be kept (NUL or half a surrogate pair); leave it out"
        return await _on_known(request, errors.BadInput(detail))
    if not isinstance(error, CONNECTION_TROUBLES):
        raise error
    logger.error("database trouble: %s", describe_without_values(error))
    detail = "a part that the hub stands on does not answer; nothing was changed; try again later"
    problem = build_problem(
        status=HTTPStatus.SERVICE_UNAVAILABLE,
        code=errors.Unavailable.code,
        title=errors.Unavailable.title,
        detail=detail,
    )
    return _render(problem, headers={"Retry-After": "5"})


def describe_without_values(error: BaseException) -> str:
    """Name an error's kind and the places it passed, without its text, which may quote row contents."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"


def _render(problem: dict[str, Any], *, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(problem, status_code=problem["status"], headers=headers, media_type=MEDIA_TYPE)
