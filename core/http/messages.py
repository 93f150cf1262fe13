"""A request as it is signed, and its body held against the Content-Digest that the signature covers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from fastapi import Request
from starlette.types import Message, Receive

from core.errors import SignatureRefused
from core.identity.model import Network
from core.identity.networks import Address, find_address
from signing.content_digest import BodyDigester, verify_content_digest
from signing.errors import SigningError
from signing.http_messages import HttpRequest

_OnRefused = Callable[[SignatureRefused], Awaitable[None]]


def read_address(request: Request, trusted: Sequence[Network]) -> Address | None:
    """Tell from where a request comes, behind the proxies that are trusted."""
    peer = request.client.host if request.client else None
    return find_address(peer, ",".join(request.headers.getlist("x-forwarded-for")), trusted)


def read_message(request: Request, public_url: str | None) -> HttpRequest:
    """Return a request as it is signed; its body is None where there is one.

    The target is as the caller named it: behind a proxy that ends TLS its scheme and authority are those of
    `public_url`, where one is set.
    """
    origin = public_url or f"{request.url.scheme}://{request.headers.get('host', '')}"
    path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope.get("query_string", b"")
    target = path.partition(b"?")[0] + (b"?" + query if query else b"")
    has_body = "transfer-encoding" in request.headers or request.headers.get("content-length", "0") != "0"
    return HttpRequest(
        method=request.method,
        target_uri=origin.rstrip("/") + target.decode("latin-1"),
        fields=tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw
        ),
        body=None if has_body else b"",
    )


def cover_body(request: Request, message: HttpRequest, *, on_refused: _OnRefused) -> None:
    """Hold a request's body against its Content-Digest: now where it was read, else as it is read.

    A body that is streamed is refused with its last part, before whoever reads it can know that it was whole;
    one where none was announced, with its first octet. Raises SignatureRefused, here or from the stream; the
    latter once `on_refused` was told of it.
    """
    if message.body is not None:
        request._receive = _refusing(request._receive, on_refused)
        return
    field = ",".join(request.headers.getlist("content-digest"))
    read: bytes | None = getattr(request, "_body", None)
    try:
        if read is not None:
            verify_content_digest(field, read)
            return
        digester = BodyDigester(field)
    except SigningError as trouble:
        raise SignatureRefused(trouble.detail) from trouble
    request._receive = _digesting(request._receive, digester, on_refused)  # starlette has no other way


def _digesting(receive: Receive, digester: BodyDigester, on_refused: _OnRefused) -> Receive:
    async def receive_and_digest() -> Message:
        message = await receive()
        if message["type"] == "http.request":
            digester.update(message.get("body", b""))
            if not message.get("more_body", False):
                try:
                    digester.verify()
                except SigningError as trouble:
                    refused = SignatureRefused(trouble.detail)
                    await on_refused(refused)
                    raise refused from trouble
        return message

    return receive_and_digest


def _refusing(receive: Receive, on_refused: _OnRefused) -> Receive:
    async def receive_nothing() -> Message:
        message = await receive()
        if message.get("body"):
            msg = "the request has a body that its signature does not cover"
            refused = SignatureRefused(msg)
            await on_refused(refused)
            raise refused
        return message

    return receive_nothing
