"""What can go wrong for a client, and for a connector. `is_transient` tells whether trying again may help.

ConnectorError
├── HubError
│   ├── Refused              the hub answered with a problem document; `status`, `code`, `errors` say which
│   └── ConnectionFailed     no answer came; trying again is safe where an Idempotency-Key was sent
├── ConfigurationError       the configuration is wrong; its sentence names the key
├── TransientError           the other side is away or busy; the runner waits and tries again
└── TerminalError            trying again cannot help; the runner stops, and the sentence says what to mend
"""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any


class ConnectorError(Exception):
    """Root of the errors of this package. A message holds no row contents and no secrets."""

    @property
    def is_transient(self) -> bool:
        """Tell whether the same may succeed later."""
        return False


class HubError(ConnectorError):
    """Root of what goes wrong with the hub."""


class Refused(HubError):
    """The hub refused, with an RFC 9457 problem document.

    `status` is the HTTP status, `code` the stable code, `errors` the list of fields or rows that are wrong,
    `retry_after_s` how long the hub asks to wait.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        detail: str,
        errors: list[dict[str, Any]],
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.retry_after_s = retry_after_s

    @property
    def is_transient(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.status in {429, 502, 503, 504}


class ConnectionFailed(HubError):
    """No answer came from the hub."""

    @property
    def is_transient(self) -> bool:
        """No answer now says nothing of later."""
        return True


class ConfigurationError(ConnectorError):
    """The configuration is wrong."""


class TransientError(ConnectorError):
    """The other side is away or busy."""

    @property
    def is_transient(self) -> bool:
        """That is what the class says."""
        return True


class TerminalError(ConnectorError):
    """Trying again cannot help."""


def describe_fault(fault: Exception, *, part: str) -> TerminalError:
    """Say which part failed and where in its code, without the fault's own words: rows may stand in them."""
    frames = traceback.extract_tb(fault.__traceback__)
    place = f" in {frames[-1].name} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return TerminalError(f"the {part} failed with {type(fault).__name__}{place}; that is a fault in its code")
