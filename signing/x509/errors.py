"""Errors of issuing.

SigningError
└── IssuanceRefused     an authority will not sign what it was asked to sign
"""

from __future__ import annotations

from signing.errors import SigningError


class IssuanceRefused(SigningError):
    """An authority will not sign what it was asked to sign."""

    code = "SIGNING-ISSUANCE-REFUSED"
    title = "Not issued"
