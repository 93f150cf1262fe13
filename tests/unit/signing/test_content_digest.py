"""Content-Digest: SM3 over the body, whole or streamed; every known digest must match."""

from __future__ import annotations

import pytest

from signing import sm3
from signing.content_digest import (
    BodyDigester,
    ContentDigestRefused,
    build_content_digest,
    verify_content_digest,
)
from signing.errors import DecodeError

BODY = '{"事项":"开办"}'.encode()


def test_content_digest_with_sm3_is_the_digest_in_base64() -> None:
    import base64

    assert build_content_digest(b"abc") == f"sm3=:{base64.b64encode(sm3.digest(b'abc')).decode()}:"
    for algorithm in ("sm3", "sha-256"):
        verify_content_digest(build_content_digest(b"abc", algorithm=algorithm), b"abc")


def test_every_known_digest_must_match() -> None:
    right, wrong = build_content_digest(b"abc"), build_content_digest(b"abd", algorithm="sha-256")
    with pytest.raises(ContentDigestRefused):
        verify_content_digest(f"{right}, {wrong}", b"abc")
    verify_content_digest(f"{right}, md5=:AAAA:", b"abc")


@pytest.mark.parametrize("field", ["", "md5=:AAAA:", build_content_digest(b"abc", algorithm="sha-512")])
def test_digest_of_no_accepted_algorithm_is_refused(field: str) -> None:
    with pytest.raises(ContentDigestRefused):
        verify_content_digest(field, b"abc")


@pytest.mark.parametrize("field", ["sm3=abc", "sm3", "sm3=(:AAAA:)", "sm3=:A:", "SM3=:AAAA:"])
def test_malformed_content_digest_is_refused(field: str) -> None:
    with pytest.raises(DecodeError):
        verify_content_digest(field, b"abc")


def test_streamed_body_is_digested_in_parts() -> None:
    digester = BodyDigester(build_content_digest(b"abcdef"))
    digester.update(b"abc")
    digester.update(b"def")
    digester.verify()
    short = BodyDigester(build_content_digest(b"abcdef"))
    short.update(b"abc")
    with pytest.raises(ContentDigestRefused):
        short.verify()
