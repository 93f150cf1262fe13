"""Bearer tokens and purpose headers, as FastAPI dependencies."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from urllib.parse import unquote

from fastapi import Request
from fastapi.security import HTTPBearer

from core.caller import Caller, OrganisationCode, Purpose, Scope
from core.codes import credit
from core.errors import (
    FieldError,
    PurposeMissing,
    SchemaViolation,
    ScopeMissing,
    SignatureRefused,
    Unauthenticated,
)
from core.http.messages import cover_body, read_address, read_message
from core.identity.admission import Admission
from core.identity.model import Network
from core.identity.networks import Address
from core.text import check_text

MAX_PURPOSE_CHARACTERS = 128
MAX_TOKEN_CHARACTERS = 512

bearer = HTTPBearer(auto_error=False, description="A token of POST /v1/oauth/token")


class Authentication:
    """Makes dependencies that return the Caller, once a call is admitted and its token carries a scope.

    `public_url` is where callers reach this hub, where that differs from what a request says of itself;
    `trusted_proxies` are the networks whose X-Forwarded-For is believed.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        public_url: str | None = None,
        trusted_proxies: Sequence[Network] = (),
    ) -> None:
        self._admission = admission
        self._public_url = public_url
        self._trusted_proxies = trusted_proxies

    def address_of(self, request: Request) -> Address | None:
        """Tell from where a request comes; None where that cannot be told."""
        return read_address(request, self._trusted_proxies)

    def requires(self, *scopes: Scope) -> Callable[[Request], Awaitable[Caller]]:
        """Return a dependency that answers with the Caller, who holds at least one of `scopes`.

        It raises Unauthenticated, TokenExpired or SignatureRefused (401), AddressRefused and ScopeMissing
        (403). With no scopes, any known caller will do.
        """

        async def current_caller(request: Request) -> Caller:
            return await self.admit_token(request, read_bearer(request), *scopes)

        return current_caller

    async def admit_token(self, request: Request, token: str, *scopes: Scope) -> Caller:
        """Admit a call whose token came elsewhere than in its header; scopes and errors as `requires`."""
        caller = await self._admit(request, token)
        request.state.caller = caller
        if scopes and not caller.scopes & set(scopes):
            names = " or ".join(str(scope) for scope in scopes)
            msg = f"this call needs the scope {names}; the token does not carry it"
            raise ScopeMissing(msg)
        return caller

    def presume(self, request: Request, scope: Scope) -> Caller | None:
        """Return who calls by what is known already; None where the call has to be admitted in full.

        The caller is not proved: before anything is answered `standing` must be confirmed.
        """
        try:
            token = read_bearer(request)
        except Unauthenticated:
            return None
        caller = self._admission.presume(token, read_address=lambda: self.address_of(request))
        return caller if caller is not None and scope in caller.scopes else None

    async def _admit(self, request: Request, token: str) -> Caller:
        admitted = await self._admission.admit(
            token,
            address=self.address_of(request),
            read_message=lambda: read_message(request, self._public_url),
        )
        if admitted.is_signed:

            async def record(refused: SignatureRefused) -> None:
                await self._admission.refuse_body(admitted.caller, refused)

            try:
                cover_body(request, read_message(request, self._public_url), on_refused=record)
            except SignatureRefused as refused:
                await record(refused)
                raise
        return admitted.caller


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
    sent = request.headers
    values = {name: _unquote(sent.get(f"shuzheng-{name}", "")).strip() for name in _PURPOSE_HEADERS}
    missing = [f"Shuzheng-{name.title()}" for name in _PURPOSE_HEADERS[:3] if not values[name]]
    if missing:
        msg = (
            f"every access says what it is for; send the headers {', '.join(missing)} (percent-encoded UTF-8)"
        )
        raise PurposeMissing(msg)
    errors = [
        error
        for name, value in values.items()
        if value
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


async def read_purpose_if_sent(request: Request) -> Purpose | None:
    """Read the purpose context where the call carries one of its headers; None where it carries none."""
    if any(f"shuzheng-{name}" in request.headers for name in _PURPOSE_HEADERS):
        return await read_purpose(request)
    return None


# Service items and operators come again and again.
_unquote = lru_cache(maxsize=4096)(unquote)
_PURPOSE_HEADERS = ("service-item", "case-number", "operator", "on-behalf-of")
