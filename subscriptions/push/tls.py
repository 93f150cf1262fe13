"""TLS to a subscriber's database, whose certificate is held against its name, not its address."""

from __future__ import annotations

import ssl
from typing import Any


class NamedContext(ssl.SSLContext):
    """Holds the certificate against `expected_name`, whatever address the connection is made to.

    A database driver names what it connects to, which here is the address that was resolved and checked.
    """

    expected_name: str = ""

    def wrap_bio(self, *args: Any, **more: Any) -> ssl.SSLObject:
        """Wrap buffers (asyncio); the name given is left aside."""
        return super().wrap_bio(*args, **more | {"server_hostname": self.expected_name})

    def wrap_socket(self, *args: Any, **more: Any) -> ssl.SSLSocket:
        """Wrap a socket; the name given is left aside."""
        return super().wrap_socket(*args, **more | {"server_hostname": self.expected_name})


def build_ssl(mode: str, *, host: str) -> ssl.SSLContext | None:
    """Build what `disable`, `require` and `verify` stand for; None: no TLS.

    `verify` asks for a certificate of a known authority that names `host`; `require` for any.
    """
    if mode == "disable":
        return None
    context = NamedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.expected_name = host
    context.load_default_certs()
    if mode == "require":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
