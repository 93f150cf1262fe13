"""How connectors prove themselves to HTTP services."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Annotated, Any, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.envelopes.model import Clock, Envelope, Held, KeyAnswer, read_held
from connectors.envelopes.national import NationalEnvelope, NationalOptions
from connectors.envelopes.tif import TifEnvelope, TifOptions
from connectors.envelopes.zhejiang import ZhejiangEnvelope, ZhejiangOptions
from connectors.options import Options


class BasicOptions(Options):
    """`kind = "basic"` (RFC 7617)."""

    kind: Literal["basic"]
    user: str
    password: SecretStr


class BearerOptions(Options):
    """`kind = "bearer"` (RFC 6750): a token that does not run out."""

    kind: Literal["bearer"]
    token: SecretStr


class HeaderOptions(Options):
    """`kind = "header"`: a key in a header field."""

    kind: Literal["header"]
    name: str
    value: SecretStr


class ParameterOptions(Options):
    """`kind = "parameter"`: a key in the query."""

    kind: Literal["parameter"]
    name: str
    value: SecretStr


class OAuthOptions(Options):
    """`kind = "oauth2"`: client credentials (RFC 6749 4.4)."""

    kind: Literal["oauth2"]
    token_url: str
    client_id: str
    client_secret: SecretStr
    scope: str | None = None


Proof = Annotated[
    BasicOptions
    | BearerOptions
    | HeaderOptions
    | ParameterOptions
    | OAuthOptions
    | NationalOptions
    | ZhejiangOptions
    | TifOptions,
    Field(discriminator="kind"),
]


def build_auth(options: Any, now: Clock = time.time) -> httpx.Auth | None:
    """Make what signs requests; None for none."""
    makers: dict[type[Any], Any] = {
        BasicOptions: lambda: httpx.BasicAuth(options.user, options.password.get_secret_value()),
        BearerOptions: lambda: _Fixed(
            headers={"Authorization": f"Bearer {options.token.get_secret_value()}"}
        ),
        HeaderOptions: lambda: _Fixed(headers={options.name: options.value.get_secret_value()}),
        ParameterOptions: lambda: _Fixed(parameters={options.name: options.value.get_secret_value()}),
        OAuthOptions: lambda: _OAuth(options, now),
        NationalOptions: lambda: NationalEnvelope(options, now),
        ZhejiangOptions: lambda: ZhejiangEnvelope(options, now),
        TifOptions: lambda: TifEnvelope(options, now),
    }
    if options is None:
        return None
    made: httpx.Auth = makers[type(options)]()
    return made


def _bear(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class _Fixed(httpx.Auth):
    def __init__(
        self, *, headers: dict[str, str] | None = None, parameters: dict[str, str] | None = None
    ) -> None:
        self._headers = headers or {}
        self._parameters = parameters or {}

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers.update(self._headers)
        request.url = request.url.copy_merge_params(self._parameters) if self._parameters else request.url
        yield request


class _OAuth(Envelope):
    def __init__(self, options: OAuthOptions, now: Clock) -> None:
        super().__init__(now)
        self._options = options
        self._held: Held | None = None

    def renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        if not self.is_spent(self._held):
            return
        options = self._options
        form = {
            "grant_type": "client_credentials",
            "client_id": options.client_id,
            "client_secret": options.client_secret.get_secret_value(),
        } | ({"scope": options.scope} if options.scope else {})
        answer = yield httpx.Request("POST", options.token_url, data=form)
        found = read_held(answer, KeyAnswer(secret_path="access_token"), now_s=self._now())  # noqa: S106
        lasts_s = answer.json().get("expires_in")
        until_s = self._now() + float(lasts_s) if isinstance(lasts_s, (int, float)) else found.until_s
        self._held = Held(found.value, until_s)

    def sign(self, request: httpx.Request) -> None:
        request.headers.update(_bear(self._held.value if self._held else ""))
