"""The Content-Digest field of RFC 9530, with SM3 under a label of our own.

`sm3` is not in the registry of digest algorithms; both ends of this project's HTTP interface know it.
`sha-256` and `sha-512` are the registered ones. A field with several digests holds only if every known one
does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from hmac import compare_digest
from typing import Final, Protocol

from signing import sm3
from signing.errors import DecodeError, EvidenceRefused
from signing.structured_fields import Item, build_dictionary, parse_dictionary

DEFAULT_DIGESTS: Final = ("sm3", "sha-256")


class ContentDigestRefused(EvidenceRefused):
    """A body that is not the one whose digest was sent, or a field without a digest that counts."""

    code = "SIGNING-CONTENT-DIGEST-REFUSED"
    title = "Content digest refused"


class _Hash(Protocol):
    def update(self, data: bytes, /) -> object: ...


class _Sm3:
    """SM3 in the shape of hashlib's objects."""

    __slots__ = ("_state",)

    def __init__(self) -> None:
        self._state = sm3.hasher()

    def update(self, data: bytes, /) -> None:
        self._state.update(data)

    def digest(self) -> bytes:
        return self._state.finalize()


class _Running(_Hash, Protocol):
    def digest(self) -> bytes: ...


_ALGORITHMS: Final[Mapping[str, Callable[[], _Running]]] = {
    "sm3": _Sm3,
    "sha-256": hashlib.sha256,
    "sha-512": hashlib.sha512,
}


def build_content_digest(body: bytes, *, algorithm: str = "sm3") -> str:
    """Write the Content-Digest field of a body."""
    running = _ALGORITHMS[algorithm]()
    running.update(body)
    return build_dictionary({algorithm: Item(running.digest())})


def verify_content_digest(field: str, body: bytes, *, accept: Collection[str] = DEFAULT_DIGESTS) -> None:
    """Check a body against its Content-Digest field.

    Raises DecodeError for a malformed field, ContentDigestRefused where no digest is of an accepted algorithm
    or one does not match.
    """
    digester = BodyDigester(field, accept=accept)
    digester.update(body)
    digester.verify()


class BodyDigester:
    """Digests a streamed body, to be compared with its Content-Digest field at the end."""

    __slots__ = ("_expected", "_running")

    def __init__(self, field: str, *, accept: Collection[str] = DEFAULT_DIGESTS) -> None:
        """Read the field; raise DecodeError or ContentDigestRefused before a byte of the body is read."""
        self._expected = _take_digests(field, accept)
        self._running = {name: _ALGORITHMS[name]() for name in self._expected}

    def update(self, data: bytes) -> None:
        """Digest the next part of the body."""
        for running in self._running.values():
            running.update(data)

    def verify(self) -> None:
        """Compare all digests, once, after the last part; raise ContentDigestRefused where one differs."""
        for name, running in self._running.items():
            if not compare_digest(running.digest(), self._expected[name]):
                message = f"The body does not have the {name} digest that Content-Digest states."
                raise ContentDigestRefused(message)


def _take_digests(field: str, accept: Collection[str]) -> dict[str, bytes]:
    digests: dict[str, bytes] = {}
    for name, member in parse_dictionary(field).items():
        if not isinstance(member, Item) or not isinstance(member.value, bytes):
            message = "A member of Content-Digest is a byte sequence, such as sm3=:…:."
            raise DecodeError(message)
        if name in _ALGORITHMS:
            digests[name] = member.value
    if not any(name in accept for name in digests):
        message = f"Content-Digest must state a digest by one of: {', '.join(accept)}."
        raise ContentDigestRefused(message)
    return digests
