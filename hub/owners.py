"""Whose data an act touched, for the transparency log: asked of the packages above it."""

from __future__ import annotations

import time
from typing import Final

from certs.identifiers.identifier import parse_identifier
from core.database import Connection
from exchange.catalogue.store import load_provider_code
from signing.errors import ShuzhengError

REMEMBERED_S: Final = 60.0


class DataOwners:
    """Finds providers in the catalogue (remembered for a minute) and issuers in certificate identifiers."""

    def __init__(self) -> None:
        self._providers: dict[str, tuple[float, str]] = {}

    async def find_owner(
        self, connection: Connection, *, resource_code: str | None, certificate_id: str | None
    ) -> str | None:
        """Return the provider of the resource, or the issuer that the identifier names; None for unknown."""
        if resource_code is not None:
            return await self._find_provider(connection, resource_code)
        try:
            return None if certificate_id is None else parse_identifier(certificate_id).issuer_code
        except ShuzhengError:
            return None

    async def _find_provider(self, connection: Connection, resource_code: str) -> str | None:
        found_at, provider = self._providers.get(resource_code, (0.0, ""))
        if provider and time.monotonic() - found_at < REMEMBERED_S:
            return provider
        loaded = await load_provider_code(connection, code=resource_code)
        if loaded is not None:
            self._providers[resource_code] = (time.monotonic(), loaded)
        return loaded
