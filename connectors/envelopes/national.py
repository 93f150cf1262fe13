"""The national sharing platform's headers (`gjgxjhpt_*`), signed with HMAC-SHA256, the key refreshed.

sign = Base64(HMAC-SHA256(key: secret, text: sid + rid + rtime)), rtime in milliseconds. Where the secret is
fetched, the service answers it encrypted with AES under the application key; how (mode, padding) is not
written down anywhere that we know, so `aes_mode` has to be named.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Generator
from enum import StrEnum
from typing import Any, Final, Literal

import httpx
from pydantic import Field, SecretStr

from connectors.envelopes.model import Clock, Envelope, Held, KeyAnswer, read_held, set_parameters
from connectors.errors import TerminalError
from connectors.optional import load_optional
from connectors.options import Options

PREFIX: Final = "gjgxjhpt_"


class AesMode(StrEnum):
    """How the secret is encrypted."""

    ECB = "ecb"  # PKCS#7 padding
    CBC = "cbc"  # PKCS#7 padding, the first block of the ciphertext is the IV


class SecretService(KeyAnswer):
    """Where the secret is fetched: a signed request with the application key in the secret's place."""

    url: str
    aes_mode: AesMode
    key_encoding: Literal["base64", "hex", "text"] = Field(description="of the application key")


class NationalOptions(Options):
    """`kind = "national"`: give the secret, or the application key and the service that answers it."""

    kind: Literal["national"]
    requester_id: str = Field(description="gjgxjhpt_rid")
    service_id: str = Field(description="gjgxjhpt_sid")
    secret: SecretStr | None = None
    application_key: SecretStr | None = None
    secret_service: SecretService | None = None
    place: Literal["headers", "parameters"] = "headers"


class NationalEnvelope(Envelope):
    """Signs as the national platform asks; fetches the secret where it is not given."""

    def __init__(self, options: NationalOptions, now: Clock = time.time) -> None:
        super().__init__(now)
        self._options = options
        self._held: Held | None = None
        if options.secret is None and (options.application_key is None or options.secret_service is None):
            msg = "the envelope needs `secret`, or `application_key` and `secret_service`"
            raise TerminalError(msg)

    def renew(self) -> Generator[httpx.Request, httpx.Response, None]:
        """Fetch the secret where it has run out."""
        service, key = self._options.secret_service, self._options.application_key
        if (
            self._options.secret is not None
            or service is None
            or key is None
            or not self.is_spent(self._held)
        ):
            return
        request = httpx.Request("POST", service.url)
        self._sign(request, key.get_secret_value())
        found = read_held((yield request), service, now_s=self._now())
        secret = decrypt_secret(found.value, key.get_secret_value(), service)
        self._held = Held(secret, found.until_s)

    def sign(self, request: httpx.Request) -> None:
        """Put the four values on."""
        if self._options.secret is not None:
            self._sign(request, self._options.secret.get_secret_value())
        elif self._held is not None:
            self._sign(request, self._held.value)

    def _sign(self, request: httpx.Request, secret: str) -> None:
        rid, sid = self._options.requester_id, self._options.service_id
        rtime = str(int(self._now() * 1000))
        values = {
            f"{PREFIX}rid": rid,
            f"{PREFIX}sid": sid,
            f"{PREFIX}rtime": rtime,
            f"{PREFIX}sign": build_sign(sid=sid, rid=rid, rtime=rtime, secret=secret),
        }
        if self._options.place == "headers":
            request.headers.update(values)
        else:
            set_parameters(request, values)


def build_sign(*, sid: str, rid: str, rtime: str, secret: str) -> str:
    """Compute Base64(HMAC-SHA256(secret, sid + rid + rtime))."""
    digest = hmac.new(secret.encode(), f"{sid}{rid}{rtime}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def decrypt_secret(encrypted: str, application_key: str, service: SecretService) -> str:
    """Decrypt a Base64 secret. Raises TerminalError that repeats neither."""
    ciphers: Any = load_optional("cryptography.hazmat.primitives.ciphers", extra="legacy")
    padding: Any = load_optional("cryptography.hazmat.primitives.padding", extra="legacy")
    try:
        data = base64.b64decode(encrypted, validate=True)
        algorithm = ciphers.algorithms.AES(_read_key(application_key, service.key_encoding))
        if service.aes_mode is AesMode.CBC:
            mode, data = ciphers.modes.CBC(data[:16]), data[16:]
        else:
            mode = ciphers.modes.ECB()
        decryptor = ciphers.Cipher(algorithm, mode).decryptor()
        padded = decryptor.update(data) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return str((unpadder.update(padded) + unpadder.finalize()).decode())
    except ValueError:
        msg = "the secret cannot be decrypted; check application_key, key_encoding and aes_mode"
        raise TerminalError(msg) from None


def _read_key(key: str, encoding: str) -> bytes:
    if encoding == "base64":
        return base64.b64decode(key, validate=True)
    return bytes.fromhex(key) if encoding == "hex" else key.encode()
