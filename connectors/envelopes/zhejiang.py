"""The Zhejiang gateway's parameters: appKey, requestTime, sign = MD5(appKey + secret + requestTime).

The application secret fetches a refresh secret and a request secret (found valid for 48 hours and 15
minutes); the refresh secret fetches both anew. Requests are signed with the request secret.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator
from typing import Literal

import httpx
from pydantic import Field, SecretStr

from connectors.envelopes.model import Clock, Envelope, Held, KeyAnswer, read_held, set_parameters
from connectors.errors import TerminalError
from connectors.options import Options


class RefreshService(Options):
    """Where secrets are fetched, and where the answers hold them."""

    first_url: str = Field(description="signed with the application secret")
    again_url: str = Field(description="signed with the refresh secret")
    refresh: KeyAnswer
    request: KeyAnswer


class ZhejiangOptions(Options):
    """`kind = "zhejiang"`: give the request secret, or the application secret and the refresh service."""

    kind: Literal["zhejiang"]
    app_key: str
    request_secret: SecretStr | None = None
    app_secret: SecretStr | None = None
    refresh_service: RefreshService | None = None


class ZhejiangEnvelope(Envelope):
    """Signs as the Zhejiang gateway asks; keeps both secrets fresh."""

    def __init__(self, options: ZhejiangOptions, now: Clock = time.time) -> None:
        super().__init__(now)
        self._options = options
        self._refresh: Held | None = None
        self._request: Held | None = None
        if options.request_secret is None and (options.app_secret is None or options.refresh_service is None):
            msg = "the envelope needs `request_secret`, or `app_secret` and `refresh_service`"
            raise TerminalError(msg)

    def renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        """Fetch the secrets where the one that signs has run out."""
        service, first = self._options.refresh_service, self._options.app_secret
        if self._options.request_secret is not None or service is None or first is None:
            return
        if not self.is_spent(self._request):
            return
        held = self._refresh
        is_first = held is None or self.is_spent(held)
        secret = first.get_secret_value() if held is None or is_first else held.value
        request = httpx.Request("POST", service.first_url if is_first else service.again_url)
        self._sign(request, secret)
        answer = yield request
        self._refresh = read_held(answer, service.refresh, now_s=self._now())
        self._request = read_held(answer, service.request, now_s=self._now())

    def sign(self, request: httpx.Request) -> None:
        """Put the three values on."""
        given = self._options.request_secret
        secret = (
            given.get_secret_value() if given is not None else self._request.value if self._request else ""
        )
        self._sign(request, secret)

    def _sign(self, request: httpx.Request, secret: str) -> None:
        key, moment = self._options.app_key, str(int(self._now() * 1000))
        sign = build_sign(app_key=key, secret=secret, request_time=moment)
        set_parameters(request, {"appKey": key, "requestTime": moment, "sign": sign})


def build_sign(*, app_key: str, secret: str, request_time: str) -> str:
    """Compute MD5(appKey + secret + requestTime) in lower-case hexadecimal."""
    return hashlib.md5(f"{app_key}{secret}{request_time}".encode(), usedforsecurity=False).hexdigest()
