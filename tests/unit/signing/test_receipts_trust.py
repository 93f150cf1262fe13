"""Receipts verified with the CA certificate alone: whose certificate counts, and whose does not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from signing.errors import EvidenceRefused
from signing.merkle.errors import ReceiptRefused
from signing.merkle.receipt_trust import TrustedPath
from signing.merkle.receipts import BatchSigner, verify_receipt
from signing.sm2 import PrivateKey
from signing.x509.authority import Authority, create_root
from signing.x509.certificate import Certificate
from signing.x509.names import Name
from signing.x509.profiles import Profile

AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ROOT_KEY, CA_KEY, HUB_KEY = (PrivateKey.from_scalar(n) for n in (101, 102, 103))


def name_of(common_name: str) -> Name:
    return Name.build(common_name=common_name)


ROOT = create_root(name_of("Root"), ROOT_KEY, not_before=AT - DAY, not_after=AT + 100 * DAY)
CA = Authority(ROOT, ROOT_KEY).issue(
    profile=Profile.ISSUING_CA,
    subject=name_of("Issuing CA"),
    public_key=CA_KEY.public_key,
    not_before=AT - DAY,
    not_after=AT + 90 * DAY,
)
HUB = Authority(CA, CA_KEY).issue(
    profile=Profile.HUB_SIGNER,
    subject=name_of("Hub"),
    public_key=HUB_KEY.public_key,
    not_before=AT - DAY,
    not_after=AT + DAY,
)


class PathRefused(EvidenceRefused):
    """The stand-in's refusal."""


def verify_two_steps(certificate: Certificate, intermediates: Sequence[Certificate], at: datetime) -> None:
    """Stand in for the path validation of signing.x509: signatures and validity, nothing else."""
    chain = [certificate, *intermediates, ROOT]
    for lower, upper in pairwise(chain):
        lower.verify_issued_by(upper)
    if not all(each.is_valid_at(at) for each in chain):
        message = "A certificate was not valid then."
        raise PathRefused(message)


TRUST = TrustedPath(verify_path=verify_two_steps, may_sign=lambda certificate: certificate == HUB)


def receipt(key: PrivateKey = HUB_KEY, certificates: tuple[bytes, ...] = (HUB.der, CA.der)) -> bytes:
    signer = BatchSigner(signer=key, issuer="hub", clock=lambda: AT, certificates=certificates)
    return signer.sign([b"payload"]).receipt(0)


def test_receipt_verifies_with_the_root_alone() -> None:
    verified = verify_receipt(receipt(), trust=TRUST, payload=b"payload")
    assert verified.signer_key == HUB_KEY.public_key


@pytest.mark.parametrize(
    "data",
    [
        receipt(certificates=()),
        receipt(certificates=(HUB.der,)),
        receipt(certificates=(CA.der, HUB.der)),
        receipt(certificates=(HUB.der, ROOT.der)),
        receipt(certificates=(HUB.der[:-1], CA.der)),
        receipt(certificates=(b"", CA.der)),
        receipt(key=CA_KEY),
        receipt(key=CA_KEY, certificates=(CA.der,)),
    ],
)
def test_receipt_with_wrong_certificates_is_refused(data: bytes) -> None:
    with pytest.raises(ReceiptRefused):
        verify_receipt(data, trust=TRUST, payload=b"payload")


def test_receipt_is_judged_at_the_time_that_the_caller_gives() -> None:
    late = TrustedPath(verify_path=verify_two_steps, may_sign=lambda _: True, at=AT + 2 * DAY)
    with pytest.raises(ReceiptRefused, match="not valid then"):
        verify_receipt(receipt(), trust=late)


def test_receipt_of_a_certificate_for_another_purpose_is_refused() -> None:
    nobody = TrustedPath(verify_path=verify_two_steps, may_sign=lambda _: False)
    with pytest.raises(ReceiptRefused):
        verify_receipt(receipt(), trust=nobody)
