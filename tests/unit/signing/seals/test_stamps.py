"""Time stamps of seals and seal signatures: the good, the forged, the misplaced."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signing import der, oids, sm3
from signing.findings import FindingCode, Severity, Verdict
from signing.seals.assess import assess_seal
from signing.seals.model import SealVersion, TimeSource
from signing.seals.parse import parse_seal_signature
from signing.seals.signature import SealSignatureReport, assess_seal_signature
from signing.seals.stamps import StampReport, assess_stamp, read_stamped_at
from signing.trust import TrustPolicy
from signing.x509.crl import RevokedEntry
from signing.x509.profiles import Profile
from tests.unit.signing.seals import pki, samples

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "200"))
WORLD = pki.pki()
VALUE = b"a signature value"
LATER = pki.NOW + timedelta(days=2)


def judge(token: bytes, trust: TrustPolicy | None = None) -> StampReport:
    return assess_stamp(token, stamped=VALUE, subject="stamp", trust=trust or WORLD.trust())


def codes(report: StampReport) -> set[str]:
    return {str(each.code) for each in report.findings}


def stamp(**changes: Any) -> bytes:
    return pki.stamp(sm3.digest(VALUE), **changes)


def assess(value: bytes, trust: TrustPolicy | None = None, at: Any = LATER) -> SealSignatureReport:
    return assess_seal_signature(
        value, data_hash=sm3.digest(pki.DATA), property_info=pki.PATH, at=at, trust=trust or WORLD.trust()
    )


def test_time_stamp_of_a_trusted_authority_is_trusted() -> None:
    report = judge(stamp())
    assert report.findings == ()
    assert report.is_trusted
    assert report.stamped_at == pki.NOW
    assert report.authority == WORLD.tsa.certificate


@pytest.mark.parametrize(
    "changes",
    [
        {"content_type": oids.GM_SIGNED_DATA},
        {"signature_oid": oids.SM2_SIGNATURE},
    ],
)
def test_time_stamp_in_the_variants_of_the_field_is_read(changes: dict[str, Any]) -> None:
    assert judge(stamp(**changes)).is_trusted


def test_time_stamp_inside_a_whole_response_is_read() -> None:
    response = der.sequence(der.sequence(der.integer(0)), stamp())
    assert judge(response).is_trusted


def test_time_stamp_moved_to_another_value_is_refused() -> None:
    report = assess_stamp(stamp(), stamped=b"another", subject="stamp", trust=WORLD.trust())
    assert codes(report) == {"E171"}
    assert codes(judge(stamp(digest_oid=oids.SHA256))) == {"E171"}


def test_time_stamp_by_a_certificate_for_other_purposes_is_refused() -> None:
    report = judge(stamp(tsa=WORLD.signer))
    assert codes(report) == {"E172"}
    assert not report.is_trusted


def test_time_stamp_of_an_authority_outside_its_validity_is_refused() -> None:
    old = WORLD.issue(140, "旧时间戳", Profile.TSA, not_after=pki.NOW - timedelta(days=1))
    assert codes(judge(stamp(tsa=old))) == {"E172"}


def test_time_stamp_of_a_revoked_authority_is_refused() -> None:
    entry = RevokedEntry(serial=WORLD.tsa.certificate.serial, revoked_at=pki.NOW - timedelta(days=3))
    trust = WORLD.trust(crls=(pki.revocations(WORLD.authority, entry),))
    assert codes(judge(stamp(), trust)) == {"E172"}


def test_time_stamp_without_a_root_is_unknown_and_gives_no_time() -> None:
    report = judge(stamp(), WORLD.trust(roots=()))
    assert [each.severity for each in report.findings] == [Severity.UNKNOWN]
    assert not report.is_trusted
    assert judge(stamp(), WORLD.trust(roots=(), tsa_roots=WORLD.trust().roots)).is_trusted
    assert codes(judge(stamp(), WORLD.trust(tsa_roots=(WORLD.maker.certificate,)))) == {"E172"}


CONTENT_TYPE = pki.attribute(oids.ATTR_CONTENT_TYPE, der.oid(oids.CT_TST_INFO))


@pytest.mark.parametrize(
    "attributes",
    [
        (CONTENT_TYPE, pki.attribute(oids.ATTR_MESSAGE_DIGEST, der.octet_string(bytes(32)))),
        (CONTENT_TYPE,),
        (CONTENT_TYPE, CONTENT_TYPE),
        (pki.attribute(oids.ATTR_CONTENT_TYPE, der.oid(oids.CMS_DATA)),),
        (pki.attribute(oids.ATTR_CONTENT_TYPE, der.integer(1)),),
    ],
)
def test_time_stamp_whose_attributes_do_not_bind_its_content_is_refused(
    attributes: tuple[bytes, ...],
) -> None:
    assert codes(judge(stamp(attributes=attributes))) == {"E170"}


def test_time_stamp_signed_for_another_certificate_is_refused() -> None:
    assert codes(judge(stamp(named=WORLD.other.certificate))) == {"E170"}


def test_time_stamp_over_content_that_is_no_time_stamp_is_refused() -> None:
    assert codes(judge(stamp(info_type=oids.CMS_DATA))) == {"E170"}


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_time_stamp_with_any_bit_flipped_is_refused_or_says_the_same(data: st.DataObject) -> None:
    """Not under a token's signature: version numbers, the list of digests, and how values are named there."""
    whole = stamp_once()
    changed = bytearray(whole)
    position = data.draw(st.integers(0, 8 * len(whole) - 1))
    changed[position // 8] ^= 1 << (position % 8)
    report = judge(bytes(changed))
    assert not report.is_trusted or report.stamped_at == pki.NOW


def stamp_once(_kept: list[bytes] = []) -> bytes:  # noqa: B006 - kept between examples on purpose
    if not _kept:
        _kept.append(stamp())
    return _kept[0]


def test_time_stamp_from_mutated_octets_is_reported_and_never_raises() -> None:
    chance = random.Random(5)
    whole = stamp_once()
    for _ in range(FUZZ_CASES):
        changed = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        judge(bytes(changed))
        read_stamped_at(bytes(changed))
    assert codes(judge(bytes(70_000))) == {"E170"}


# ---------------------------------------------------------------------- in seals and signatures


@pytest.mark.parametrize("version", [SealVersion.V4, SealVersion.V5])
def test_seal_signature_with_a_trusted_time_stamp_takes_its_time_from_it(version: SealVersion) -> None:
    at = pki.NOW + timedelta(seconds=30)
    report = assess(pki.sign(version, timestamp=partial(pki.stamp, at=at)))
    assert report.findings == ()
    assert report.verdict is Verdict.VALID
    assert (report.time_source, report.signed_at) == (TimeSource.TIMESTAMP, at)
    required = WORLD.trust(require_timestamp=True)
    assert assess(pki.sign(version, timestamp=partial(pki.stamp, at=at)), required).verdict is Verdict.VALID


def test_seal_signature_back_dated_by_a_revoked_signer_is_caught_by_its_time_stamp() -> None:
    value = pki.sign(timestamp=partial(pki.stamp, at=pki.NOW + timedelta(days=1)))
    entry = RevokedEntry(serial=WORLD.signer.certificate.serial, revoked_at=pki.NOW + timedelta(hours=1))
    trust = WORLD.trust(crls=(pki.revocations(WORLD.authority, entry), WORLD.crls[1]))
    assert assess(value, trust).has(FindingCode.SIGNER_REVOKED)
    claimed = assess(pki.sign(), trust)
    assert claimed.has(FindingCode.REVOKED_LATER)
    assert claimed.has(FindingCode.TIME_CLAIMED)


def test_seal_signature_time_stamped_before_it_was_signed_is_refused() -> None:
    early = pki.sign(timestamp=partial(pki.stamp, at=pki.NOW - timedelta(minutes=6)))
    assert assess(early).has(FindingCode.TIMESTAMP_ORDER)
    within = pki.sign(timestamp=partial(pki.stamp, at=pki.NOW - timedelta(minutes=4)))
    assert assess(within).verdict is Verdict.VALID


def test_seal_signature_with_the_time_stamp_of_another_signature_is_refused() -> None:
    token = parse_seal_signature(pki.sign(timestamp=pki.stamp)).timestamp
    assert token is not None
    report = assess(pki.sign(timestamp=lambda _: token))
    assert report.has(FindingCode.TIMESTAMP_IMPRINT)
    assert report.time_source is TimeSource.CLAIMED


def test_seal_signature_with_garbage_for_a_time_stamp_is_refused() -> None:
    assert assess(pki.sign(timestamp=lambda _: b"garbage")).has(FindingCode.TIMESTAMP_INVALID)


def test_seal_signature_v1_with_a_token_for_its_time_takes_it_as_a_claim() -> None:
    key = WORLD.signer.key
    tbs, _ = (part.raw for part in der.parse_der(pki.signature_of(SealVersion.V1)).children())
    fields = [part.raw for part in der.parse_der(tbs).children()]
    for token, verdict in ((stamp(), Verdict.VALID), (der.sequence(der.null()), Verdict.INVALID)):
        fields[2] = der.bit_string(token)
        changed = der.sequence(*fields)
        report = assess(der.sequence(changed, der.bit_string(key.sign(changed))))
        assert report.verdict is verdict
        assert report.time_source is (TimeSource.CLAIMED if verdict is Verdict.VALID else None)


def test_seal_v5_with_its_own_time_stamp_is_valid_and_made_at_that_time() -> None:
    seal = pki.make_seal(SealVersion.V5, timestamp=partial(pki.stamp, at=samples.CREATED))
    report = assess_seal(seal, at=pki.NOW, trust=WORLD.trust())
    assert report.verdict is Verdict.VALID
    assert report.timestamp is not None
    assert report.timestamp.stamped_at == samples.CREATED
    assert assess(pki.sign(SealVersion.V5, seal=seal)).verdict is Verdict.VALID


def test_seal_v5_that_says_it_was_made_after_its_time_stamp_is_refused() -> None:
    early = pki.make_seal(
        SealVersion.V5, timestamp=partial(pki.stamp, at=samples.CREATED - timedelta(hours=1))
    )
    report = assess_seal(early, at=pki.NOW, trust=WORLD.trust())
    assert report.has(FindingCode.SEAL_CREATED_AFTER_TIMESTAMP)


def test_seal_v5_with_the_time_stamp_of_another_seal_is_refused() -> None:
    seal = pki.make_seal(SealVersion.V5, timestamp=lambda _: pki.stamp(bytes(32), at=samples.CREATED))
    report = assess_seal(seal, at=pki.NOW, trust=WORLD.trust())
    assert [each.code for each in report.findings] == ["E174"]
