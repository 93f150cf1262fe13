"""Bearer tokens and purpose headers, as FastAPI dependencies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import unquote

from fastapi import Request
from fastapi.security import HTTPBearer

from core.caller import Caller, OrganisationCode, Purpose, Scope
from core.codes import credit
from core.errors import FieldError, PurposeMissing, SchemaViolation, ScopeMissing, Unauthenticated
from core.text import check_text

Authenticate = Callable[[str], Awaitable[Caller]]
MAX_PURPOSE_CHARACTERS = 128
MAX_TOKEN_CHARACTERS = 512

bearer = HTTPBearer(auto_error=False, description="A token of POST /v1/oauth/token")


class Authentication:
    """Makes dependencies that return the Caller, once a token has been seen to carry a scope."""

    def __init__(self, authenticate: Authenticate) -> None:
        self._authenticate = authenticate

    def requires(self, *scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
        """Return a dependency that answers with the Caller, who holds at least one of `scopes`.

        It raises Unauthenticated or TokenExpired (401) and ScopeMissing (403). With no scopes, any
        known caller will do.
        """

        async def current_caller(request: Request) -> Caller:
            caller = await self._authenticate(read_bearer(request))
            if scopes and not caller.scopes & set(scopes):
                names = " or ".join(str(scope) for scope in scopes)
                msg = f"this call needs the scope {names}; the token does not carry it"
                raise ScopeMissing(msg)
            return caller

        return current_caller


def read_bearer(request: Request) -> str:
    """Return the bearer token of a request (RFC 6750 2.1). Raises Unauthenticated where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARACTERS:
        msg = "send the header Authorization: Bearer <token>; POST /v1/oauth/token issues one"
        raise Unauthenticated(msg)
    return token


async def read_purpose(request: Request) -> Purpose:
    """Read the purpose context from the headers `Shuzheng-Service-Item`, `-Case-Number`, `-Operator`
    (all three mandatory) and `-On-Behalf-Of`.

    Values are percent-encoded UTF-8, so that Chinese names travel in header fields. Raises PurposeMissing
    naming every header that is missing, or SchemaViolation for values that cannot be kept.
    """
    values = {name: unquote(request.headers.get(f"shuzheng-{name}", "")).strip() for name in _PURPOSE_HEADERS}
    missing = [f"Shuzheng-{name.title()}" for name in _PURPOSE_HEADERS[:3] if not values[name]]
    if missing:
        msg = (
            f"every access says what it is for; send the headers {', '.join(missing)} (percent-encoded UTF-8)"
        )
        raise PurposeMissing(msg)
    errors = [
        error
        for name, value in values.items()
        for error in check_text(
            f"#header=Shuzheng-{name.title()}", value, max_characters=MAX_PURPOSE_CHARACTERS, required=False
        )
    ]
    behalf = values["on-behalf-of"]
    if behalf and not credit.is_check_valid(behalf):
        detail = "not a unified social credit code with a right check character (GB 32100)"
        pointer = "#header=Shuzheng-On-Behalf-Of"
        errors.append(FieldError(pointer=pointer, code="CREDIT-CODE", detail=detail))
    if errors:
        msg = "the purpose headers are not all right"
        raise SchemaViolation(msg, errors=tuple(errors))
    return Purpose(
        service_item=values["service-item"],
        case_number=values["case-number"],
        operator=values["operator"],
        on_behalf_of=OrganisationCode(behalf) if behalf else None,
    )


_PURPOSE_HEADERS = ("service-item", "case-number", "operator", "on-behalf-of")
