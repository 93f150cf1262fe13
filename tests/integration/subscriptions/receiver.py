"""A webhook receiver on loopback that behaves as it is told, and applies changes as a careful one does."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from hub.services import utc_now
from signing.http_messages import HttpRequest
from signing.http_signature_keys import Sm2HttpVerifier
from signing.http_signatures import SignaturePolicy, verify_message
from signing.sm2 import PrivateKey, PublicKey, der_to_raw
from subscriptions.push.webhook import COVERED, TAG

POLICY = SignaturePolicy(required=COVERED, tag=TAG, require_nonce=True)


@dataclass(slots=True)
class Receiver:
    """What came, and what to answer: the next of `script`, then 200.

    A word of the script is a status, `hang`, `garbage`, `cut` (no answer), `late` (taken, then no answer),
    or `redirect`.
    """

    port: int = 0
    script: deque[str] = field(default_factory=deque)
    always: str = "200"
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    rows: dict[str, tuple[tuple[int, int], dict[str, object] | None]] = field(default_factory=dict)
    effects: list[tuple[int, int]] = field(default_factory=list)
    delay_s: float = 0.0
    key: PrivateKey | None = None
    signed: str | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    @property
    def keys(self) -> list[str]:
        """The idempotency keys that came, in their order."""
        return [headers["idempotency-key"] for headers, _ in self.posts]

    def held(self) -> dict[str, dict[str, object]]:
        """The rows as the changes made them."""
        return {key: row for key, (_, row) in self.rows.items() if row is not None}

    def verify(self, key: PublicKey) -> None:
        """Check the signature of every message that came."""
        for headers, body in self.posts:
            target = f"http://{headers['host']}/hook?x=1"
            fields = tuple(headers.items())
            message = HttpRequest(method="POST", target_uri=target, fields=fields, body=body)
            verified = verify_message(
                message,
                policy=POLICY,
                find_key=lambda _: Sm2HttpVerifier(public_key=key),
                now=utc_now(),
                nonce_is_fresh=lambda _key, _nonce: True,
            )
            assert verified.body_is_verified

    def take(self, body: bytes) -> None:
        """Apply changes, each once: what is not above what is held of its key is left out."""
        for line in body.decode().splitlines():
            change = json.loads(line)
            key, place = json.dumps(change["key"]), (change["version"], change["sequence"])
            if key not in self.rows or place > self.rows[key][0]:
                self.rows[key] = (place, change["row"])
                self.effects.append(place)

    def _countersign(self) -> str:
        """Sign the manifest of the newest message, as a field of the answer; nothing without a key."""
        signed = self.signed
        if self.key is not None:
            manifest = base64.b64decode(self.posts[-1][0]["shuzheng-manifest"])
            signed = base64.b64encode(der_to_raw(self.key.sign(manifest))).decode()
        return "" if signed is None else f"Shuzheng-Countersignature: {signed}\r\n"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            headers = {name.lower(): value for name, value in headers.items()}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.posts.append((headers, body))
            await asyncio.sleep(self.delay_s)
            await self._answer(self.script.popleft() if self.script else self.always, body, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, word: str, body: bytes, writer: asyncio.StreamWriter) -> None:
        if word == "hang":
            await asyncio.sleep(60)
        elif word == "garbage":
            writer.write(b"\x00\xff not http at all\r\n\r\n" * 50)
        elif word == "redirect":
            writer.write(b"HTTP/1.1 307 T\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
        elif word in {"200", "late"}:
            self.take(body)
            if word == "200":
                head = f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{self._countersign()}\r\nok"
                writer.write(head.encode())
        elif word != "cut":
            writer.write(f"HTTP/1.1 {word} X\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def running_receiver() -> AsyncIterator[Receiver]:
    """Listen on a free port until the block ends."""
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
