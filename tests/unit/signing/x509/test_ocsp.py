"""OCSP: requests with SM3 and SHA-1, answers on demand and ahead of demand, and who may give them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from signing import der, oids
from signing.errors import DecodeError, EncodeError, EvidenceRefused, SignatureInvalid
from signing.x509 import extensions as ext
from signing.x509.crl import RevocationReason
from signing.x509.errors import IssuanceRefused
from signing.x509.ocsp import (
    MAX_NONCE_BYTES,
    CertId,
    CertStatus,
    OcspRequest,
    OcspResponse,
    OcspResponseStatus,
    build_ocsp_request,
)
from signing.x509.ocsp_responder import (
    GOOD,
    UNKNOWN,
    Responder,
    StatusAnswer,
    build_error_response,
)
from signing.x509.path import assess_path
from signing.x509.profiles import Profile
from signing.x509.revocation import RevocationEvidence, RevocationFacts, assess_revocation
from tests.unit.signing.hierarchy import NOW, START, hierarchy, issue, key

WORLD = hierarchy()
ISSUER = WORLD.issuing.certificate
LEAF = WORLD[Profile.SEAL_SIGNER].certificate
REVOKED = StatusAnswer(
    status=CertStatus.REVOKED, revoked_at=START, reason=RevocationReason.CESSATION_OF_OPERATION
)
NEXT = NOW + timedelta(days=1)


def register(serial: int) -> StatusAnswer:
    return {LEAF.serial: GOOD, 6: REVOKED}.get(serial, UNKNOWN)


def answer(
    *serials: int,
    nonce: bytes | None = None,
    hash_oid: str = oids.SM3,
    responder: Responder | None = None,
    produced_at: datetime = NOW,
) -> OcspResponse:
    asked = build_ocsp_request(*serials, issuer=ISSUER, nonce=nonce, hash_oid=hash_oid)
    return OcspResponse.parse(
        (responder or WORLD.responder()).respond(asked, register, produced_at=produced_at, next_update=NEXT)
    )


@pytest.mark.parametrize("hash_oid", [oids.SM3, oids.SHA1, oids.SHA256])
def test_answer_says_good_revoked_and_unknown_under_the_hash_that_was_asked_with(hash_oid: str) -> None:
    response = answer(LEAF.serial, 6, 7, hash_oid=hash_oid)
    response.verify(issuer=ISSUER)
    good, revoked, unknown = response.responses
    assert good.status is CertStatus.GOOD
    assert (revoked.status, revoked.revoked_at, revoked.reason) == (
        CertStatus.REVOKED,
        START,
        RevocationReason.CESSATION_OF_OPERATION,
    )
    assert unknown.status is CertStatus.UNKNOWN
    assert all(each.cert_id.hash_oid == hash_oid for each in response.responses)
    assert (good.this_update, good.next_update, response.produced_at) == (NOW, NEXT, NOW)


def test_cert_id_of_sha1_carries_null_as_clients_do_and_of_sm3_nothing() -> None:
    null = der.sequence(der.oid(oids.SHA1), der.null())
    assert null in CertId.build(1, ISSUER, hash_oid=oids.SHA1).raw
    assert der.sequence(der.oid(oids.SM3)) in CertId.build(1, ISSUER).raw
    with pytest.raises(EncodeError):
        CertId.build(1, ISSUER, hash_oid=oids.SHA512)


def test_answer_repeats_the_octets_of_the_cert_id_that_was_asked() -> None:
    """A client that writes NULL after SM3 must find its own octets in the answer."""
    usual = CertId.build(LEAF.serial, ISSUER)
    odd = usual.raw.replace(der.sequence(der.oid(oids.SM3)), der.sequence(der.oid(oids.SM3), der.null()))[2:]
    asked = OcspRequest(cert_ids=(replace(usual, raw=der.sequence(odd)),)).der
    response = OcspResponse.parse(WORLD.responder().respond(asked, register, produced_at=NOW))
    assert response.responses[0].cert_id.raw == der.sequence(odd)
    assert response.responses[0].status is CertStatus.GOOD


@pytest.mark.parametrize("size", [1, 32, MAX_NONCE_BYTES])
def test_nonce_is_repeated_and_demanded(size: int) -> None:
    response = answer(LEAF.serial, nonce=b"n" * size)
    response.verify(issuer=ISSUER, nonce=b"n" * size)
    with pytest.raises(EvidenceRefused, match="nonce"):
        response.verify(issuer=ISSUER, nonce=b"m" * size)
    with pytest.raises(EvidenceRefused, match="nonce"):
        answer(LEAF.serial).verify(issuer=ISSUER, nonce=b"n")


@pytest.mark.parametrize("nonce", [b"", b"n" * (MAX_NONCE_BYTES + 1)])
def test_nonce_of_impossible_size_is_refused(nonce: bytes) -> None:
    with pytest.raises(EncodeError):
        build_ocsp_request(1, issuer=ISSUER, nonce=nonce)
    block = ext.build_extensions([ext.Extension(oids.OCSP_NONCE, False, der.octet_string(nonce))])
    request = OcspRequest.parse(build_ocsp_request(1, issuer=ISSUER))
    body = der.sequence(der.sequence(der.sequence(request.cert_ids[0].raw)), der.explicit(2, block))
    with pytest.raises(DecodeError):
        OcspRequest.parse(der.sequence(body))


@pytest.mark.parametrize("octets", [b"", b"\x30\x00", b"garbage", der.sequence(der.sequence(der.sequence()))])
def test_request_that_cannot_be_read_is_answered_malformed(octets: bytes) -> None:
    response = OcspResponse.parse(WORLD.responder().respond(octets, register, produced_at=NOW))
    assert response.status is OcspResponseStatus.MALFORMED_REQUEST
    with pytest.raises(EvidenceRefused, match="malformed"):
        response.verify(issuer=ISSUER)


def test_certificate_of_another_issuer_is_unknown_and_not_looked_up() -> None:
    asked = build_ocsp_request(LEAF.serial, issuer=WORLD.root.certificate)

    def never(serial: int) -> StatusAnswer:
        raise AssertionError(serial)

    response = OcspResponse.parse(WORLD.responder().respond(asked, never, produced_at=NOW))
    assert response.responses[0].status is CertStatus.UNKNOWN
    assert response.find(LEAF.serial, ISSUER) is None


# ------------------------------------------------------------------------- ahead of the request


def test_responses_made_ahead_serve_requests_without_a_nonce_under_both_hashes() -> None:
    responder = WORLD.responder()
    ready = responder.pre_produce([LEAF.serial, 6], register, produced_at=NOW, next_update=NEXT)
    assert set(ready) == {(oid, serial) for oid in (oids.SM3, oids.SHA1) for serial in (LEAF.serial, 6)}
    for (hash_oid, serial), octets in ready.items():
        asked = build_ocsp_request(serial, issuer=ISSUER, hash_oid=hash_oid)
        assert responder.find_pre_produced(asked, ready) == octets
        response = OcspResponse.parse(octets)
        response.verify(issuer=ISSUER)
        found = response.find(serial, ISSUER)
        assert found is not None
        assert found.status is register(serial).status


@pytest.mark.parametrize(
    "asked",
    [
        build_ocsp_request(LEAF.serial, issuer=ISSUER, nonce=b"n"),
        build_ocsp_request(LEAF.serial, 6, issuer=ISSUER),
        build_ocsp_request(LEAF.serial, issuer=WORLD.root.certificate),
        build_ocsp_request(LEAF.serial, issuer=ISSUER, hash_oid=oids.SHA256),
        build_ocsp_request(8, issuer=ISSUER),
        b"garbage",
    ],
    ids=["nonce", "two", "issuer", "hash", "serial", "garbage"],
)
def test_request_that_nothing_was_made_ahead_for_is_left_to_be_answered(asked: bytes) -> None:
    responder = WORLD.responder()
    ready = responder.pre_produce([LEAF.serial], register, produced_at=NOW, next_update=NEXT)
    assert responder.find_pre_produced(asked, ready) is None


# ------------------------------------------------------------------------------ who may answer


def test_issuer_itself_may_answer_and_sends_no_certificate() -> None:
    own = Responder(ISSUER, WORLD.issuing.signer, issuer=ISSUER)
    response = answer(LEAF.serial, responder=own)
    assert response.certificates == ()
    assert response.verify(issuer=ISSUER) == ISSUER


def test_responder_without_the_purpose_or_key_cannot_be_made() -> None:
    holder = WORLD[Profile.SEAL_SIGNER]
    with pytest.raises(IssuanceRefused, match="not for OCSP signing"):
        Responder(holder.certificate, holder.key, issuer=ISSUER)
    with pytest.raises(IssuanceRefused, match="do not belong together"):
        Responder(WORLD[Profile.OCSP_RESPONDER].certificate, holder.key, issuer=ISSUER)
    responder = WORLD[Profile.OCSP_RESPONDER]
    with pytest.raises(IssuanceRefused, match="not for OCSP signing"):
        Responder(responder.certificate, responder.key, issuer=WORLD.root.certificate)


def forge(profile: Profile, number: int = 270, **changes: object) -> OcspResponse:
    """Answer as a responder that its own construction would not let answer."""
    holder = issue(WORLD.issuing, number, profile, **changes)
    responder = object.__new__(Responder)
    for field, value in (("certificate", holder.certificate), ("signer", holder.key), ("issuer", ISSUER)):
        object.__setattr__(responder, field, value)
    return answer(LEAF.serial, responder=responder)


def test_answer_by_a_certificate_of_the_issuer_for_another_purpose_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="not for OCSP signing"):
        forge(Profile.ORGANISATION_SYSTEM).verify(issuer=ISSUER)


def test_answer_by_a_responder_whose_certificate_had_ended_is_refused() -> None:
    ended = forge(Profile.OCSP_RESPONDER, not_after=NOW - timedelta(seconds=1))
    with pytest.raises(EvidenceRefused, match="not valid when it answered"):
        ended.verify(issuer=ISSUER)


def test_answer_by_a_responder_of_another_issuer_is_refused() -> None:
    with pytest.raises(EvidenceRefused, match="not from the issuer"):
        answer(LEAF.serial).verify(issuer=WORLD.root.certificate)


def test_answer_by_a_responder_that_merely_claims_the_issuer_is_refused() -> None:
    response = answer(LEAF.serial)
    impostor = replace(ISSUER, public_key=key(271).public_key)
    with pytest.raises(SignatureInvalid):
        response.verify(issuer=impostor)


def test_answer_with_any_octet_of_its_signed_part_changed_is_refused() -> None:
    good = answer(LEAF.serial, 6, nonce=b"n" * 16)
    start = good.der.index(good.tbs)
    for place in range(start, start + len(good.tbs)):
        altered = good.der[:place] + bytes((good.der[place] ^ 1 << place % 8,)) + good.der[place + 1 :]
        try:
            response = OcspResponse.parse(altered)
        except DecodeError:
            continue
        with pytest.raises((SignatureInvalid, EvidenceRefused)):
            response.verify(issuer=ISSUER)


def test_answer_without_status_or_body_cannot_be_built_or_read() -> None:
    with pytest.raises(IssuanceRefused):
        build_error_response(OcspResponseStatus.SUCCESSFUL)
    with pytest.raises(DecodeError):
        OcspResponse.parse(der.sequence(der.enumerated(0)))
    with pytest.raises(DecodeError):
        OcspResponse.parse(der.sequence(der.enumerated(4)))
    with pytest.raises(IssuanceRefused):
        StatusAnswer(status=CertStatus.REVOKED)
    with pytest.raises(IssuanceRefused):
        StatusAnswer(status=CertStatus.GOOD, revoked_at=NOW)


# ------------------------------------------------------------------------------ as evidence


def judged(response: OcspResponse, at: datetime = NOW) -> RevocationFacts:
    evidence = RevocationEvidence.gather((), [response.der])
    return assess_revocation(LEAF, ISSUER, at=at, evidence=evidence)


def test_answer_counts_until_its_next_update() -> None:
    response = answer(LEAF.serial)
    assert judged(response, NEXT).status is CertStatus.GOOD
    late = judged(response, NEXT + timedelta(seconds=1))
    assert late.status is CertStatus.UNKNOWN
    assert "out of date" in late.why_unknown


def test_unverifiable_or_unknowing_answer_says_nothing() -> None:
    assert judged(forge(Profile.ORGANISATION_SYSTEM)).status is CertStatus.UNKNOWN
    stranger = WORLD.responder().respond(
        build_ocsp_request(LEAF.serial, issuer=ISSUER), lambda serial: UNKNOWN, produced_at=NOW
    )
    assert "does not know" in judged(OcspResponse.parse(stranger)).why_unknown


def test_path_is_trusted_by_an_answer_for_its_end_and_a_list_for_the_rest() -> None:
    report = assess_path(
        LEAF,
        roots=WORLD.roots,
        intermediates=WORLD.intermediates,
        at=NOW,
        crls=WORLD.crls()[:1],
        ocsp_responses=[answer(LEAF.serial).der],
    )
    assert report.trusted, report.problems
