"""TIF gateways (Guangdong): x-tif-signature = SHA256(timestamp + token + nonce + timestamp)."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from typing import Literal

import httpx
from pydantic import Field, SecretStr

from connectors.envelopes.model import Clock, Envelope
from connectors.options import Options


class TifOptions(Options):
    """`kind = "tif"`. Consumers were seen to send the digest in either case, so it has to be named."""

    kind: Literal["tif"]
    paas_id: str = Field(description="x-tif-paasid")
    token: SecretStr
    digest_case: Literal["lower", "upper"]


class TifEnvelope(Envelope):
    """Signs as TIF gateways ask, each request with a nonce of its own."""

    def __init__(
        self,
        options: TifOptions,
        now: Clock = time.time,
        make_nonce: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> None:
        super().__init__(now)
        self._options = options
        self._make_nonce = make_nonce

    def sign(self, request: httpx.Request) -> None:
        """Put the four headers on; the time is in seconds."""
        moment, nonce = str(int(self._now())), self._make_nonce()
        digest = build_signature(timestamp=moment, token=self._options.token.get_secret_value(), nonce=nonce)
        request.headers.update(
            {
                "x-tif-paasid": self._options.paas_id,
                "x-tif-timestamp": moment,
                "x-tif-nonce": nonce,
                "x-tif-signature": digest.upper() if self._options.digest_case == "upper" else digest,
            }
        )


def build_signature(*, timestamp: str, token: str, nonce: str) -> str:
    """Compute SHA256(timestamp + token + nonce + timestamp) in lower-case hexadecimal."""
    return hashlib.sha256(f"{timestamp}{token}{nonce}{timestamp}".encode()).hexdigest()
