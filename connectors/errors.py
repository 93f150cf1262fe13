"""What can go wrong for a client.

HubError
├── Refused              the hub answered with a problem document; `status`, `code` and `errors` say which
└── ConnectionFailed     no answer came; trying again is safe where an Idempotency-Key was sent
"""

from __future__ import annotations

from typing import Any


class HubError(Exception):
    """Root of the errors of this package."""


class Refused(HubError):
    """The hub refused, with an RFC 9457 problem document.

    `status` is the HTTP status, `code` the stable code, `errors` the list of fields or rows that are wrong.
    """

    def __init__(self, *, status: int, code: str, detail: str, errors: list[dict[str, Any]]) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors

    @property
    def is_transient(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.status in {429, 502, 503, 504}


class ConnectionFailed(HubError):
    """No answer came from the hub."""
