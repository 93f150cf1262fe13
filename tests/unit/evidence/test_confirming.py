"""The applicant's own signature under what is promised."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SchemaViolation
from evidence.cases.model import Party
from evidence.commitments.confirming import (
    Confirmation,
    ConfirmationForm,
    build_confirmed,
    verify_confirmation,
)
from evidence.rules.model import PartyKind
from signing import sm3
from signing.cms import build_signed_data
from signing.trust import TrustPolicy
from signing.x509.crl import RevocationList, RevokedEntry
from signing.x509.names import Name
from signing.x509.profiles import Profile
from tests.unit.signing.hierarchy import NOW, START, Holder, hierarchy, issue

CASE = UUID(int=7)
CONTENT = build_confirmed(CASE, "company", [("lease", "deliver-later", None)])
FIRM = Party(role="company", code="11990000MA0000015X", name="示例餐饮有限公司", kind=PartyKind.ORGANISATION)
PERSON = Party(role="manager", code="99010119900101001X", name="张三", kind=PartyKind.PERSON)
TRUSTED = TrustPolicy(roots=(hierarchy().root.certificate,), intermediates=hierarchy().intermediates)


def holder_of(subject: Name, **changes: object) -> Holder:
    """Issue a certificate of an applicant."""
    return issue(hierarchy().issuing, 40, Profile.SEAL_SIGNER, subject=subject, **changes)


FIRM_HOLDER = holder_of(Name.build(common_name="印章管理员", organization=FIRM.name))


def sign(holder: Holder = FIRM_HOLDER, content: bytes = CONTENT) -> bytes:
    return build_signed_data(content, signer=holder.key, certificate=holder.certificate, detached=True)


SIGNATURE = sign()


def verify(signature: bytes, *, party: Party = FIRM, trust: TrustPolicy = TRUSTED) -> Confirmation:
    return verify_confirmation(signature, content=CONTENT, party=party, trust=trust, at=NOW)


def test_signature_of_the_applicant_under_a_trusted_root_is_signed() -> None:
    signature = sign()
    assert verify(signature) == Confirmation(
        form=ConfirmationForm.SIGNED,
        signature_sm3=sm3.digest(signature).hex(),
        signer_sm3=sm3.digest(FIRM_HOLDER.certificate.der).hex(),
    )


def test_authority_that_is_not_known_here_is_told_apart() -> None:
    assert verify(sign(), trust=TrustPolicy()).form is ConfirmationForm.SIGNED_UNKNOWN


def test_person_is_named_by_the_number_in_the_certificate_too() -> None:
    holder = holder_of(Name.build(common_name="ZHANG SAN", serial_number=PERSON.code))
    assert verify(sign(holder), party=PERSON).form is ConfirmationForm.SIGNED


@pytest.mark.parametrize("trust", [TRUSTED, TrustPolicy()], ids=["trusted", "unknown"])
def test_certificate_of_somebody_else_is_refused(trust: TrustPolicy) -> None:
    with pytest.raises(SchemaViolation, match="somebody else"):
        verify(sign(), party=PERSON, trust=trust)


def test_signature_over_other_promises_is_refused() -> None:
    other = build_confirmed(CASE, "company", [("lease", "commit", "0" * 64)])
    with pytest.raises(SchemaViolation, match="does not stand"):
        verify(sign(content=other))


def test_certificate_that_expired_or_was_revoked_is_refused() -> None:
    expired = holder_of(Name.build(common_name=FIRM.name), not_after=START + timedelta(days=1))
    with pytest.raises(SchemaViolation, match="expired"):
        verify(sign(expired))
    entry = RevokedEntry(serial=FIRM_HOLDER.certificate.serial, revoked_at=NOW - timedelta(days=1))
    lists = tuple(RevocationList.parse(each) for each in hierarchy().crls(entry, at=NOW))
    revoked = TrustPolicy(roots=TRUSTED.roots, intermediates=TRUSTED.intermediates, crls=lists)
    with pytest.raises(SchemaViolation, match="does not stand"):
        verify(sign(), trust=revoked)


@given(st.data())
def test_any_flipped_bit_of_the_signature_is_refused_or_changes_nothing_that_counts(
    data: st.DataObject,
) -> None:
    signature = bytearray(SIGNATURE)
    place = data.draw(st.integers(0, len(signature) - 1))
    signature[place] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = verify(bytes(signature))
    except SchemaViolation:
        return
    if found.form is ConfirmationForm.SIGNED:  # of a certificate nobody vouches for, nothing is promised
        assert found.signer_sm3 == sm3.digest(FIRM_HOLDER.certificate.der).hex()


@pytest.mark.parametrize("garbage", [b"", b"\x30\x00", b"not DER"])
def test_what_is_no_signed_data_is_refused(garbage: bytes) -> None:
    with pytest.raises(SchemaViolation, match="does not stand"):
        verify(garbage)
