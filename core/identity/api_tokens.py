"""Routes of tokens: asking for one, revoking one, and telling whom one stands for."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote_plus

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from core.caller import Caller
from core.errors import BadInput, UnsupportedContent
from core.http.authentication import Authentication, read_bearer
from core.identity.assertion import ASSERTION_TYPE
from core.identity.tokens import TokenService

MAX_FORM_BYTES = 4096


class TokenOut(BaseModel):
    """An access token response (RFC 6749 5.1)."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the type's name, not a token
    expires_in: int
    scope: str


def build_router(
    *,
    tokens: TokenService,
    sign_out: Callable[[str, Caller], Awaitable[None]],
    authentication: Authentication,
) -> APIRouter:
    """Build the routes over `tokens`. Their answers are never stored, as none of this hub's is by default."""
    router = APIRouter(prefix="/v1", tags=["identity"])
    anyone = Annotated[Caller, Depends(authentication.requires())]

    @router.post("/oauth/token", openapi_extra=_TOKEN_BODY)
    async def issue_token(request: Request) -> TokenOut:
        """Issue a bearer token for client credentials (RFC 6749 4.4): a secret from a form or HTTP Basic, or
        an assertion signed with SM2 (RFC 7523 2.2)."""
        form = await _read_form(request)
        if form.get("grant_type") != "client_credentials":
            msg = "grant_type must be client_credentials"
            raise BadInput(msg)
        address = authentication.address_of(request)
        if "client_assertion" in form or "client_assertion_type" in form:
            issued = await tokens.issue_token_for_assertion(
                assertion=_read_assertion(request, form),
                client_id=form.get("client_id"),
                scope=form.get("scope"),
                address=address,
            )
        else:
            client_id, client_secret = _read_client(request, form)
            issued = await tokens.issue_token(
                client_id=client_id,
                client_secret=client_secret,
                scope=form.get("scope"),
                address=address,
            )
        return TokenOut(
            access_token=issued.token, expires_in=issued.ttl_s, scope=" ".join(sorted(issued.scopes))
        )

    @router.post("/oauth/revocation", openapi_extra=_REVOCATION_BODY)
    async def revoke_token(request: Request, caller: anyone) -> None:
        """Revoke a token of the calling system at once, on every process (RFC 7009): the one in the form's
        `token`, or, without a form, the one that this call carries. An unknown one gets the same answer. For
        a person it ends sessions."""
        form = await _read_form(request) if "content-type" in request.headers else {}
        token = form.get("token") or read_bearer(request)
        if caller.person is not None:
            await sign_out(token, caller)
        else:
            await tokens.revoke_token(token, actor=caller)

    @router.get("/whoami")
    async def whoami(caller: anyone) -> dict[str, Any]:
        """Tell whom the token stands for."""
        return render_caller(caller)

    return router


def render_caller(caller: Caller) -> dict[str, Any]:
    """Render whom a token stands for."""
    return {
        "client_id": str(caller.system_id),
        "system": caller.system_name,
        "person": caller.person,
        "organisation_code": caller.organisation_code,
        "organisation": caller.organisation_name,
        "scopes": sorted(caller.scopes),
    }


_TOKEN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "enum": ["client_credentials"]},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string"},
                        "client_assertion_type": {"type": "string", "enum": [ASSERTION_TYPE]},
                        "client_assertion": {"type": "string"},
                        "scope": {"type": "string"},
                    },
                }
            }
        },
    }
}
_REVOCATION_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"token": {"type": "string"}, "token_type_hint": {"type": "string"}},
                }
            }
        },
    }
}


async def _read_form(request: Request) -> dict[str, str]:
    """Read the form of a token request. Raises UnsupportedContent or BadInput."""
    if (
        request.headers.get("content-type", "").partition(";")[0].strip()
        != "application/x-www-form-urlencoded"
    ):
        msg = "send the token request as application/x-www-form-urlencoded"
        raise UnsupportedContent(msg)
    body = await request.body()
    if len(body) > MAX_FORM_BYTES:
        msg = f"a token request has at most {MAX_FORM_BYTES} bytes"
        raise BadInput(msg)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, max_num_fields=10)
    except ValueError as trouble:
        msg = "the token request is not a well-formed form"
        raise BadInput(msg) from trouble
    if any(len(values) > 1 for values in fields.values()):
        msg = "a parameter of the token request occurs twice"
        raise BadInput(msg)
    return {name: values[0] for name, values in fields.items()}


def _read_assertion(request: Request, form: dict[str, str]) -> str:
    """Take the assertion; one way to authenticate at a time (RFC 6749 2.3). Raises BadInput."""
    if form.get("client_assertion_type") != ASSERTION_TYPE or "client_assertion" not in form:
        msg = f"client_assertion comes with client_assertion_type={ASSERTION_TYPE}"
        raise BadInput(msg)
    if "client_secret" in form or "authorization" in request.headers:
        msg = "send a client_assertion or a secret, not both"
        raise BadInput(msg)
    return form["client_assertion"]


def _read_client(request: Request, form: dict[str, str]) -> tuple[str, str]:
    """Take the credentials from HTTP Basic (RFC 6749 2.3.1), else from the form."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        user, _, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as trouble:
        msg = "the Authorization header is not well-formed HTTP Basic"
        raise BadInput(msg) from trouble
    return unquote_plus(user), unquote_plus(secret)
