"""The hub's own time-stamp authority (TSA), for the time stamps of seal signatures."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from core.pki.service import PkiService
from signing.seals.build import TimestampHook
from signing.timestamp.authority import TimeStampAuthority
from signing.timestamp.clock import ClockGuard
from signing.x509.names import Name
from signing.x509.profiles import Profile

TSA_KEY: Final = "seal-tsa"
POLICY: Final = "2.25.332385982003707402247186945793438853481"
"""Our time-stamp policy, in the arc that ITU-T X.667 opens to everybody: one second, the hub's own clock."""


class SealTimeStamps:
    """Opens the authority at its first use; a certificate that ran out is renewed then."""

    def __init__(self, *, pki: PkiService, now: Callable[[], datetime]) -> None:
        self._pki = pki
        self._now = now
        self._authority: TimeStampAuthority | None = None

    async def open(self) -> TimestampHook:
        """Return what stamps an SM3 digest and returns the token (DER, RFC 3161). It blocks."""
        authority = self._authority
        if authority is None or not authority.certificate.is_valid_at(self._now()):
            certified = await self._pki.certified_signer(
                name=TSA_KEY,
                profile=Profile.TSA,
                subject=Name.build(common_name="Shuzheng Time Stamps", organization="Shuzheng"),
            )
            authority = TimeStampAuthority(
                certificate=certified.certificate,
                signer=certified.signer,
                clock=ClockGuard(self._now, time.monotonic),
                policy=POLICY,
                chain=(self._pki.issuing,),
            )
            self._authority = authority
        return authority.stamp
