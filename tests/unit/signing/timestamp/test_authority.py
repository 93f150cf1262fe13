"""The time-stamp authority: what it stamps, what it turns down, and what stops it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signing import der, oids, sm3
from signing.errors import DecodeError, EvidenceRefused, KeyUnusable
from signing.timestamp.authority import TimeStampAuthority
from signing.timestamp.clock import ClockGuard, ClockJumped
from signing.timestamp.request import MAX_REQUEST_BYTES, MessageImprint, TimeStampRequest
from signing.timestamp.response import PkiFailure, PkiStatus, TimeStampResponse
from signing.timestamp.token import TimeStampToken, VerifiedTimeStamp, verify_time_stamp
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.extensions import Extension
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import NOW, POLICY, Holder, hierarchy, issue

WORLD = hierarchy()
DIGEST = sm3.digest(b"stamped")
USUAL = TimeStampRequest(imprint=MessageImprint.of_sm3(DIGEST), nonce=5, certificates_wanted=True)


def ask(request: bytes | TimeStampRequest, authority: TimeStampAuthority | None = None) -> TimeStampResponse:
    octets = request if isinstance(request, bytes) else request.der
    return TimeStampResponse.parse((authority or WORLD.tsa()).respond(octets))


def granted(request: TimeStampRequest = USUAL, authority: TimeStampAuthority | None = None) -> bytes:
    response = ask(request, authority)
    assert response.status is PkiStatus.GRANTED
    assert response.token is not None
    return response.token


def verify(token: bytes, **changes: object) -> VerifiedTimeStamp:
    order: dict[str, object] = {
        "digest": DIGEST,
        "roots": WORLD.roots,
        "intermediates": WORLD.intermediates,
        "crls": WORLD.crls(),
        **changes,
    }
    return verify_time_stamp(token, **order)  # type: ignore[arg-type]


def test_request_is_stamped_with_everything_it_asked_for() -> None:
    token = granted()
    info = verify(token, nonce=5, policies=[POLICY]).info
    assert (info.generated_at, info.policy, info.nonce) == (NOW, POLICY, 5)
    assert info.imprint.digest == DIGEST
    assert info.accuracy == timedelta(seconds=1)
    assert info.serial > 0
    assert not info.ordering


def test_token_has_the_shape_that_readers_of_the_field_take() -> None:
    signed = TimeStampToken.parse(granted()).signed
    (signer,) = signed.signers
    assert (signed.type_oid, signed.version, signed.content_type) == (
        oids.CMS_SIGNED_DATA,
        3,
        oids.CT_TST_INFO,
    )
    assert signer.version == 1
    assert signer.signature_algorithm.oid == oids.SM2_WITH_SM3
    assert signer.signature_algorithm.parameters is None
    assert {each.oid for each in signer.attributes or ()} >= {
        oids.ATTR_CONTENT_TYPE,
        oids.ATTR_MESSAGE_DIGEST,
        oids.ATTR_SIGNING_CERTIFICATE_V2,
    }


@pytest.mark.parametrize("wanted", [True, False])
def test_certificates_are_sent_only_where_they_are_asked_for(wanted: bool) -> None:
    request = TimeStampRequest(imprint=USUAL.imprint, certificates_wanted=wanted)
    signed = TimeStampToken.parse(granted(request)).signed
    sent = {WORLD[Profile.TSA].certificate, *WORLD.intermediates} if wanted else set()
    assert set(signed.certificates) == sent


def test_serial_numbers_of_tokens_differ() -> None:
    serials = {TimeStampToken.parse(granted()).info.serial for _ in range(20)}
    assert len(serials) == 20


def test_time_is_stated_to_the_microsecond_without_trailing_zeros() -> None:
    moment = NOW.replace(microsecond=120_000)
    token = granted(authority=WORLD.tsa(now=moment))
    assert b"20260601120000.12Z" in token
    assert TimeStampToken.parse(token).info.generated_at == moment


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (b"garbage", PkiFailure.BAD_DATA_FORMAT),
        (USUAL.der + b"\x00", PkiFailure.BAD_DATA_FORMAT),
        (b"\x30" * (MAX_REQUEST_BYTES + 1), PkiFailure.BAD_DATA_FORMAT),
        (
            TimeStampRequest(imprint=MessageImprint(AlgorithmIdentifier(oids.SHA256), bytes(32))),
            PkiFailure.BAD_ALG,
        ),
        (TimeStampRequest(imprint=MessageImprint.of_sm3(bytes(31))), PkiFailure.BAD_ALG),
        (TimeStampRequest(imprint=USUAL.imprint, policy="1.2.3"), PkiFailure.UNACCEPTED_POLICY),
        (
            TimeStampRequest(imprint=USUAL.imprint, extensions=(Extension("1.2.3", False, der.null()),)),
            PkiFailure.UNACCEPTED_EXTENSION,
        ),
    ],
)
def test_request_that_cannot_be_granted_is_answered_with_the_reason(
    request_: bytes | TimeStampRequest, failure: PkiFailure
) -> None:
    response = ask(request_)
    assert response.status is PkiStatus.REJECTION
    assert response.failures == {failure}
    assert response.token is None
    assert response.texts


def test_policy_beside_the_usual_one_is_stamped_where_it_is_offered() -> None:
    request = TimeStampRequest(imprint=USUAL.imprint, policy="1.2.3")
    authority = WORLD.tsa(other_policies=("1.2.3",))
    assert TimeStampToken.parse(granted(request, authority)).info.policy == "1.2.3"


def jumping() -> ClockGuard:
    """A clock that jumps an hour ahead after it was set."""
    walls = iter([NOW, *[NOW + timedelta(hours=1)] * 10])
    return ClockGuard(lambda: next(walls), lambda: 0.0)


def test_authority_stops_stamping_when_its_clock_jumps() -> None:
    authority = WORLD.tsa(clock=jumping())
    for _ in range(2):
        response = ask(USUAL, authority)
        assert response.status is PkiStatus.REJECTION
        assert response.failures == {PkiFailure.TIME_NOT_AVAILABLE}
    with pytest.raises(ClockJumped):
        authority.stamp(DIGEST)


def test_authority_outside_its_certificates_period_stamps_nothing() -> None:
    late = WORLD.tsa(now=WORLD[Profile.TSA].certificate.not_after + timedelta(seconds=1))
    assert ask(USUAL, late).failures == {PkiFailure.SYSTEM_FAILURE}
    with pytest.raises(KeyUnusable):
        late.stamp(DIGEST)


def test_stamp_for_our_own_use_carries_the_chain() -> None:
    verified = verify(WORLD.tsa().stamp(DIGEST))
    assert verified.authority == WORLD[Profile.TSA].certificate
    with pytest.raises(DecodeError):
        WORLD.tsa().stamp(b"short")


@pytest.mark.parametrize(
    "holder",
    [WORLD[Profile.SEAL_SIGNER], Holder(WORLD[Profile.SEAL_SIGNER].key, WORLD[Profile.TSA].certificate)],
)
def test_authority_with_an_unsuitable_certificate_or_key_is_refused(holder: Holder) -> None:
    with pytest.raises(KeyUnusable):
        WORLD.tsa(certificate=holder.certificate, signer=holder.key)


@pytest.mark.parametrize("serial", [0, -1, 1 << 159])
def test_serial_source_that_gives_impossible_numbers_stops_the_authority(serial: int) -> None:
    with pytest.raises(KeyUnusable):
        WORLD.tsa(serial_source=lambda: serial).respond(USUAL.der)


@pytest.mark.parametrize(
    ("accuracy", "stated"),
    [
        (timedelta(milliseconds=1), timedelta(milliseconds=1)),
        (timedelta(seconds=2, milliseconds=500), timedelta(seconds=2.5)),
        (None, None),
    ],
)
def test_accuracy_is_stated_as_configured(accuracy: timedelta | None, stated: timedelta | None) -> None:
    token = granted(authority=WORLD.tsa(accuracy=accuracy))
    assert TimeStampToken.parse(token).info.accuracy == stated


def test_authority_of_another_root_is_not_believed() -> None:
    renewed = issue(WORLD.issuing, 290, Profile.TSA)
    token = granted(authority=WORLD.tsa(certificate=renewed.certificate, signer=renewed.key))
    assert verify(token).authority == renewed.certificate
    with pytest.raises(EvidenceRefused, match="no certificate of its issuer"):
        verify(token, roots=[], intermediates=[])
