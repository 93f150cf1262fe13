"""Time-stamp responses: a status, and the token where it was granted.

Source: RFC 3161 2.4.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from signing import der
from signing.der import Node, Tag
from signing.errors import DecodeError

MAX_RESPONSE_BYTES: Final = 1024 * 1024


class PkiStatus(IntEnum):
    """Whether a request was granted."""

    GRANTED = 0
    GRANTED_WITH_MODS = 1
    REJECTION = 2
    WAITING = 3
    REVOCATION_WARNING = 4
    REVOCATION_NOTIFICATION = 5


class PkiFailure(IntEnum):
    """Why a request was rejected: bit numbers of PKIFailureInfo."""

    BAD_ALG = 0
    BAD_REQUEST = 2
    BAD_DATA_FORMAT = 5
    TIME_NOT_AVAILABLE = 14
    UNACCEPTED_POLICY = 15
    UNACCEPTED_EXTENSION = 16
    ADD_INFO_NOT_AVAILABLE = 17
    SYSTEM_FAILURE = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStampResponse:
    """A response. `token` is the DER of the ContentInfo, None where nothing was stamped."""

    status: PkiStatus
    texts: tuple[str, ...] = ()
    failures: frozenset[int] = frozenset()
    token: bytes | None = None

    @classmethod
    def parse(cls, data: bytes) -> TimeStampResponse:
        """Read a TimeStampResp; raise DecodeError, also when status and token contradict each other."""
        if len(data) > MAX_RESPONSE_BYTES:
            message = f"a time-stamp response has at most {MAX_RESPONSE_BYTES} octets"
            raise DecodeError(message)
        return cls.from_node(der.parse_der(data))

    @classmethod
    def from_node(cls, node: Node) -> TimeStampResponse:
        """Read a TimeStampResp from a node; raise DecodeError."""
        reader = node.expect(Tag.SEQUENCE, "TimeStampResp").reader("TimeStampResp")
        info = reader.take(Tag.SEQUENCE, "status").reader("PKIStatusInfo")
        status = _read_status(info.any())
        texts = info.optional(Tag.SEQUENCE)
        failures = info.optional(Tag.BIT_STRING)
        info.finish()
        token = reader.optional(Tag.SEQUENCE)
        reader.finish()
        if (token is not None) != (status in (PkiStatus.GRANTED, PkiStatus.GRANTED_WITH_MODS)):
            message = "the status of the time-stamp response and its token contradict each other"
            raise DecodeError(message)
        return cls(
            status=status,
            texts=tuple(der.read_string(text) for text in texts.children(limit=16)) if texts else (),
            failures=der.read_named_bits(failures, "failInfo") if failures else frozenset(),
            token=token.raw if token else None,
        )

    @property
    def der(self) -> bytes:
        """The response as DER."""
        texts = der.sequence(*(der.utf8(text) for text in self.texts)) if self.texts else b""
        failures = der.named_bits(self.failures) if self.failures else b""
        return der.sequence(der.sequence(der.integer(self.status), texts, failures), self.token or b"")


def _read_status(node: Node) -> PkiStatus:
    try:
        return PkiStatus(der.read_integer(node, "PKIStatus", max_bytes=1))
    except ValueError as error:
        message = "PKIStatus: not a defined status"
        raise DecodeError(message) from error
