"""Make a seal: the signer's key and certificate, the picture, and the seal maker's signature over them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from certs.seals.model import RegisteredSeal, SealStatus
from certs.seals.request import SealRequest
from core.errors import FieldError, SchemaViolation
from core.identity.model import Organisation
from core.pki.model import CertifiedSigner
from core.pki.service import PkiService
from signing.findings import Severity
from signing.seals.build import SealOrder, build_seal
from signing.seals.holders import SIGNER, assess_holder
from signing.seals.model import PictureType, SealPicture, SealVersion
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.names import Name
from signing.x509.profiles import Profile

VENDOR_ID: Final = "SHUZHENG"
MAKER_KEY: Final = "seal-maker"

DrawPicture = Callable[[str, int], bytes]
"""Draws a round seal as PNG: takes the name and the side in millimetres."""


class SealMaker:
    """The hub as seal maker (制章者): its certificate signs every seal that is registered here."""

    def __init__(self, *, pki: PkiService, draw_picture: DrawPicture, now: Callable[[], datetime]) -> None:
        self._pki = pki
        self._draw_picture = draw_picture
        self._now = now

    async def make(
        self, request: SealRequest, *, organisation: Organisation, predecessor: UUID | None
    ) -> RegisteredSeal:
        """Make the seal under a new key of its own. Raises SchemaViolation for untrusted signers."""
        trust = await self._pki.trust_policy()
        now = self._now().replace(microsecond=0)
        further = tuple(Certificate.parse(der) for der in request.signers)
        await asyncio.to_thread(_require_trusted, further, now, trust)
        seal_id = uuid4()
        signer_key = f"seal-{seal_id}"
        signer = await self._pki.certified_signer(
            name=signer_key,
            profile=Profile.SEAL_SIGNER,
            subject=Name.build(common_name=organisation.name, organization=organisation.name),
        )
        maker = await self._maker()
        order = await self._order(request, (signer.certificate, *further), now)
        der = await asyncio.to_thread(
            build_seal,
            order,
            maker=maker.signer,
            maker_certificate=maker.certificate,
            trust=trust,
            version=SealVersion(request.version),
        )
        return RegisteredSeal(
            id=seal_id,
            organisation_code=request.organisation_code,
            name=request.name,
            seal_code=order.seal_id,
            kind=order.type,
            status=SealStatus.ACTIVE,
            signer_key=signer_key,
            signer_certificate=signer.certificate.der,
            maker_certificate=maker.certificate.der,
            picture_type=order.picture.type,
            picture_width_mm=request.width_mm,
            picture_height_mm=request.height_mm,
            der=der,
            valid_from=order.valid_from,
            valid_until=order.valid_until,
            created_at=now,
            predecessor=predecessor,
            version=request.version,
        )

    async def _maker(self) -> CertifiedSigner:
        return await self._pki.certified_signer(
            name=MAKER_KEY,
            profile=Profile.SEAL_MAKER,
            subject=Name.build(common_name="Shuzheng Seal Maker", organization="Shuzheng"),
        )

    async def _order(
        self, request: SealRequest, signers: tuple[Certificate, ...], now: datetime
    ) -> SealOrder:
        data = request.picture
        if data is None:
            data = await asyncio.to_thread(self._draw_picture, request.name, request.width_mm)
        ends = [now + timedelta(days=365 * request.years), *(signer.not_after for signer in signers)]
        return SealOrder(
            seal_id=f"{request.organisation_code}-{secrets.token_hex(8).upper()}",
            vendor_id=VENDOR_ID,
            name=request.name,
            type=request.kind,
            picture=SealPicture(
                type=PictureType.PNG, data=data, width_mm=request.width_mm, height_mm=request.height_mm
            ),
            signers=signers,
            created_at=now,
            valid_from=now,
            valid_until=min(ends),
        )


def _require_trusted(signers: tuple[Certificate, ...], at: datetime, trust: TrustPolicy) -> None:
    errors = []
    for number, certificate in enumerate(signers):
        report = assess_holder(certificate.der, role=SIGNER, at=at, trust=trust)
        errors += [
            FieldError(pointer=f"/signers/{number}", code=str(finding.code), detail=finding.message_en)
            for finding in report.findings
            if finding.severity in {Severity.ERROR, Severity.UNKNOWN}
        ]
    if errors:
        msg = "a further signer of the seal is not trusted by this hub"
        raise SchemaViolation(msg, errors=tuple(errors))
