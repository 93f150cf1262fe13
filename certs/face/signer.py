"""Open the key that signs faces, and its authority's statement about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from certs.face.payload import FaceKey, build_key_statement
from core.pki.service import PkiService
from signing.x509.names import Name
from signing.x509.profiles import Profile

FACE_KEY: Final = "certificate-face"


class FaceSigner:
    """Opens the key at its first use; one whose certificate ran out is renewed then."""

    def __init__(self, *, pki: PkiService, now: Callable[[], datetime]) -> None:
        self._pki = pki
        self._now = now
        self._opened: tuple[datetime, FaceKey] | None = None

    async def open(self) -> FaceKey:
        """Return the key with its statement."""
        if self._opened is not None and self._now() < self._opened[0]:
            return self._opened[1]
        certified = await self._pki.certified_signer(
            name=FACE_KEY,
            profile=Profile.HUB_SIGNER,
            subject=Name.build(common_name="Shuzheng Certificate Faces", organization="Shuzheng"),
        )
        until = certified.certificate.not_after
        statement = build_key_statement(
            public_key=certified.signer.public_key, last_on=until.date(), authority=self._pki.issuing_signer
        )
        key = FaceKey(signer=certified.signer, statement=statement)
        self._opened = (until, key)
        return key
