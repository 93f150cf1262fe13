"""Errors of making seals and seal signatures.

SigningError
└── SealRefused     an order for a seal or seal signature that must not be carried out
"""

from __future__ import annotations

from signing.errors import SigningError


class SealRefused(SigningError):
    """An order for a seal or a seal signature that must not be carried out."""

    code = "SIGNING-SEAL-REFUSED"
    title = "Seal not made"
