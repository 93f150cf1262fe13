"""Tokens are verified whole: imprint, nonce, policy, certificate, revocation, and every octet."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signing import der, sm3
from signing.errors import DecodeError, EvidenceRefused, ShuzhengError
from signing.timestamp.response import PkiFailure, PkiStatus, TimeStampResponse
from signing.timestamp.token import TimeStampToken, TstInfo, VerifiedTimeStamp, verify_time_stamp
from signing.x509.crl import RevokedEntry
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import NOW, hierarchy

WORLD = hierarchy()
DIGEST = sm3.digest(b"stamped")
TOKEN = WORLD.tsa().stamp(DIGEST)


def verify(token: bytes = TOKEN, **changes: object) -> VerifiedTimeStamp:
    order: dict[str, object] = {
        "digest": DIGEST,
        "roots": WORLD.roots,
        "intermediates": WORLD.intermediates,
        "crls": WORLD.crls(),
        **changes,
    }
    return verify_time_stamp(token, **order)  # type: ignore[arg-type]


def test_token_alone_or_inside_a_response_verifies() -> None:
    response = TimeStampResponse(status=PkiStatus.GRANTED, token=TOKEN).der
    assert verify().info == verify(response).info
    assert verify().path.trusted


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": sm3.digest(b"other")}, "other data"),
        ({"digest": b""}, "other data"),
        ({"nonce": 1}, "nonce"),
        ({"policies": ["1.2.3"]}, "policy"),
        ({"crls": ()}, "revocation"),
        ({"roots": ()}, "no certificate of its issuer"),
    ],
)
def test_token_that_does_not_answer_the_question_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(EvidenceRefused, match=words):
        verify(**changes)


def test_token_of_an_authority_revoked_before_it_is_refused_and_after_it_stands() -> None:
    serial = WORLD[Profile.TSA].certificate.serial
    with pytest.raises(EvidenceRefused, match="revoked"):
        verify(crls=WORLD.crls(RevokedEntry(serial=serial, revoked_at=NOW - timedelta(seconds=1))))
    assert verify(crls=WORLD.crls(RevokedEntry(serial=serial, revoked_at=NOW + timedelta(days=1))))


def test_token_with_an_octet_changed_is_refused_or_says_the_same() -> None:
    good = verify().info
    for place in range(0, len(TOKEN), 3):
        altered = TOKEN[:place] + bytes((TOKEN[place] ^ 1 << place % 8,)) + TOKEN[place + 1 :]
        try:
            found = verify(altered)
        except ShuzhengError:
            continue
        assert found.info == good


def test_response_that_grants_nothing_holds_no_token() -> None:
    refused = TimeStampResponse(
        status=PkiStatus.REJECTION, texts=("否",), failures=frozenset({PkiFailure.BAD_ALG})
    )
    assert TimeStampResponse.parse(refused.der) == refused
    with pytest.raises(DecodeError, match="holds no token"):
        TimeStampToken.parse(refused.der)


@pytest.mark.parametrize(
    "octets",
    [
        der.sequence(der.sequence(der.integer(2)), TOKEN),
        der.sequence(der.sequence(der.integer(0))),
        der.sequence(der.sequence(der.integer(9))),
        b"",
    ],
)
def test_response_that_contradicts_itself_is_refused(octets: bytes) -> None:
    with pytest.raises(DecodeError):
        TimeStampResponse.parse(octets)


INFO = TimeStampToken.parse(TOKEN).info


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (der.integer(1), der.integer(2)),
        (b"20260601120000Z", b"20260601120000+"),
        (b"20260601120000Z", b"20261301120000Z"),
        (der.sequence(der.integer(1)), der.sequence(der.integer(-1))),
    ],
)
def test_statement_that_is_not_as_the_standard_has_it_is_refused(old: bytes, new: bytes) -> None:
    assert old in INFO.der
    with pytest.raises(DecodeError):
        TstInfo.parse(INFO.der.replace(old, new, 1))


def test_statement_with_a_critical_extension_is_refused() -> None:
    def with_extension(critical: bool) -> bytes:
        flag = der.boolean(True) if critical else b""
        extension = der.sequence(der.oid("1.2.3"), flag, der.octet_string(der.null()))
        return der.sequence(der.parse_der(INFO.der).content, der.implicit(1, der.sequence(extension)))

    assert TstInfo.parse(with_extension(False)).serial == INFO.serial
    with pytest.raises(DecodeError, match="critical"):
        TstInfo.parse(with_extension(True))
