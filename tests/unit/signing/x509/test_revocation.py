"""Revocation lists and OCSP: made, read, verified, and believed only as far as they reach."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from signing import der, oids
from signing.errors import DecodeError, EvidenceRefused, SignatureInvalid
from signing.x509.algorithms import SM2_WITH_SM3, build_signed
from signing.x509.crl import RevocationList, RevocationReason, RevokedEntry, build_crl
from signing.x509.errors import IssuanceRefused
from signing.x509.extensions import Extension, build_distribution_point_name, build_extensions
from signing.x509.ocsp import CertStatus
from signing.x509.profiles import Profile
from signing.x509.revocation import (
    RevocationEvidence,
    RevocationFacts,
    RevocationSource,
    assess_revocation,
)
from tests.unit.signing.hierarchy import NOW, PUBLICATION, START, hierarchy, key

WORLD = hierarchy()
ISSUER = WORLD.issuing.certificate
LEAF = WORLD[Profile.SEAL_SIGNER].certificate
PERIOD = {"this_update": NOW, "next_update": NOW + timedelta(days=30)}


def revoke(*entries: RevokedEntry, **changes: Any) -> bytes:
    return WORLD.issuing.issue_crl(entries=entries, number=7, **{**PERIOD, **changes})


def facts(*crls: bytes, at: datetime = NOW) -> RevocationFacts:
    return assess_revocation(LEAF, ISSUER, at=at, evidence=RevocationEvidence.gather(crls))


def test_list_of_ours_is_read_back_with_everything_it_says() -> None:
    entries = [
        RevokedEntry(serial=1, revoked_at=START, reason=RevocationReason.KEY_COMPROMISE),
        RevokedEntry(serial=(1 << 159) - 1, revoked_at=NOW, invalid_since_at=START),
        RevokedEntry(serial=77, revoked_at=NOW.replace(year=2050)),
    ]
    crl = RevocationList.parse(revoke(*entries))
    crl.verify_issued_by(ISSUER)
    assert list(crl.entries()) == entries
    assert len(crl) == 3
    assert crl.number == 7
    assert crl.authority_key_identifier is not None
    assert crl.authority_key_identifier.key_identifier == ISSUER.subject_key_identifier
    assert (crl.this_update, crl.next_update) == (NOW, NOW + timedelta(days=30))
    assert crl.find(77) == entries[2]
    assert crl.find(78) is None
    assert crl.find(-1) is None
    assert RevocationList.parse(crl.pem.encode()).der == crl.der


def test_reason_unspecified_is_left_out() -> None:
    entry = RevokedEntry(serial=5, revoked_at=NOW, reason=RevocationReason.UNSPECIFIED)
    assert RevocationList.parse(revoke(entry)).find(5) == replace(entry, reason=None)


def test_empty_list_has_no_entries_element_and_is_true() -> None:
    crl = RevocationList.parse(revoke())
    assert len(crl) == 0
    assert crl
    assert facts(crl.der).status is CertStatus.GOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"next_update": NOW},
        {"next_update": NOW - timedelta(days=1)},
        {"number": -1},
        {"entries": [RevokedEntry(serial=5, revoked_at=NOW)] * 2},
        {"issuer": LEAF},
        {"signer": key(3)},
    ],
)
def test_list_that_must_not_be_made_is_refused(changes: dict[str, Any]) -> None:
    order: dict[str, Any] = {
        "issuer": ISSUER,
        "signer": key(2),
        "entries": (),
        "number": 1,
        **PERIOD,
        **changes,
    }
    with pytest.raises(IssuanceRefused):
        build_crl(order.pop("issuer"), order.pop("signer"), **order)


def test_list_with_any_octet_of_its_signed_part_changed_is_refused() -> None:
    good = revoke(RevokedEntry(serial=LEAF.serial, revoked_at=NOW))
    tbs = RevocationList.parse(good).tbs
    start = good.index(tbs)
    for place in range(start, start + len(tbs)):
        altered = good[:place] + bytes((good[place] ^ 1 << place % 8,)) + good[place + 1 :]
        try:
            crl = RevocationList.parse(altered)
        except DecodeError:
            continue
        with pytest.raises((SignatureInvalid, EvidenceRefused)):
            crl.verify_issued_by(ISSUER)


def test_list_of_another_issuer_or_an_authority_without_the_usage_is_refused() -> None:
    root_list, own = (RevocationList.parse(each) for each in WORLD.crls())
    with pytest.raises(EvidenceRefused, match="another issuer"):
        root_list.verify_issued_by(ISSUER)
    with pytest.raises(EvidenceRefused, match="does not allow"):
        own.verify_issued_by(replace(ISSUER, key_usage=frozenset()))
    with pytest.raises(SignatureInvalid):
        own.verify_issued_by(replace(ISSUER, public_key=key(9).public_key))


# -------------------------------------------------------------------------- what a list can tell


@pytest.mark.parametrize(
    ("changes", "at", "status"),
    [
        ({}, NOW, CertStatus.GOOD),
        ({}, NOW + timedelta(days=30), CertStatus.GOOD),
        ({}, NOW + timedelta(days=30, seconds=1), CertStatus.UNKNOWN),  # out of date
        ({}, START, CertStatus.GOOD),  # a later list would still tell
        (
            {"this_update": NOW.replace(year=2040), "next_update": NOW.replace(year=2041)},
            NOW,
            CertStatus.UNKNOWN,  # made after the certificate expired: it may have been dropped
        ),
    ],
)
def test_list_that_does_not_name_the_certificate_counts_as_far_as_it_reaches(
    changes: dict[str, Any], at: datetime, status: CertStatus
) -> None:
    found = facts(revoke(**changes), at=at)
    assert found.status is status
    assert bool(found.why_unknown) is (status is CertStatus.UNKNOWN)


def test_out_of_date_list_still_revokes() -> None:
    old = revoke(RevokedEntry(serial=LEAF.serial, revoked_at=NOW))
    assert facts(old, at=NOW + timedelta(days=300)).revoked


def test_removal_from_the_list_is_no_revocation() -> None:
    removed = RevokedEntry(serial=LEAF.serial, revoked_at=NOW, reason=RevocationReason.REMOVE_FROM_CRL)
    assert facts(revoke(removed)).status is CertStatus.GOOD


def test_earliest_revocation_that_any_list_tells_counts() -> None:
    early = revoke(RevokedEntry(serial=LEAF.serial, revoked_at=START))
    late = revoke(RevokedEntry(serial=LEAF.serial, revoked_at=NOW))
    assert facts(late, early, revoke()).revoked_at == START


def custom_list(*extensions: Extension) -> bytes:
    """A good list that bears other extensions."""
    block = der.explicit(0, build_extensions(extensions)) if extensions else b""
    tbs = der.sequence(
        der.integer(1),
        SM2_WITH_SM3.der,
        ISSUER.subject.der,
        der.time(NOW),
        der.time(NOW + timedelta(days=30)),
        block,
    )
    return build_signed(tbs, key(2).sign(tbs))


def scope(*fields: bytes) -> Extension:
    return Extension(oids.EXT_ISSUING_DISTRIBUTION_POINT, True, der.sequence(*fields))


def flag(number: int) -> bytes:
    return der.implicit(number, der.boolean(True))


@pytest.mark.parametrize(
    ("extension", "status"),
    [
        (scope(), CertStatus.GOOD),
        (scope(flag(1)), CertStatus.GOOD),  # user certificates only
        (scope(flag(2)), CertStatus.UNKNOWN),  # CA certificates only
        (scope(flag(4)), CertStatus.UNKNOWN),  # indirect
        (scope(flag(5)), CertStatus.UNKNOWN),  # attribute certificates
        (scope(der.implicit(3, der.named_bits({1}))), CertStatus.UNKNOWN),  # some reasons only
        (scope(build_distribution_point_name(PUBLICATION.crl_urls)), CertStatus.GOOD),
        (scope(build_distribution_point_name(["http://elsewhere.example/1.crl"])), CertStatus.UNKNOWN),
        (Extension(oids.EXT_DELTA_CRL_INDICATOR, True, der.integer(1)), CertStatus.UNKNOWN),
        (Extension("1.2.3.4", True, der.null()), CertStatus.UNKNOWN),
        (Extension("1.2.3.4", False, der.null()), CertStatus.GOOD),
    ],
)
def test_list_is_used_for_what_it_covers_only(extension: Extension, status: CertStatus) -> None:
    found = facts(custom_list(extension))
    assert found.status is status
    assert status is CertStatus.GOOD or "passed over" in found.why_unknown


def test_list_without_extensions_is_read() -> None:
    assert facts(custom_list()).source is RevocationSource.CRL


def test_list_signed_by_another_key_says_nothing() -> None:
    tbs = RevocationList.parse(revoke()).tbs
    forged = build_signed(tbs, key(3).sign(tbs))
    found = facts(forged)
    assert found.status is CertStatus.UNKNOWN
    assert found.why_unknown


def test_long_list_is_searched_without_decoding_it() -> None:
    entries = [RevokedEntry(serial=serial, revoked_at=NOW) for serial in range(1, 20_001)]
    crl = RevocationList.parse(revoke(*entries))
    assert crl.find(20_000) == entries[-1]
    assert crl.find(20_001) is None
