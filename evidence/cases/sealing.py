"""The order of a case, sealed (SM4-GCM under the hub's key) for as long as the hub has to verify by it."""

from __future__ import annotations

import json
from uuid import UUID

from evidence.cases.model import BundleReference, EvidenceOrder, Party
from evidence.rules.model import PartyKind
from signing import sm4

KEY_BYTES = 16


class OrderSeal:
    """Seals and opens orders, each bound to its undertaking or case. `key` has at least 16 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key[:KEY_BYTES]

    def seal(self, order: EvidenceOrder, *, bound_to: UUID) -> bytes:
        """Seal applicants and form; authorisation codes are not kept."""
        parties = [[each.role, each.code, each.name, each.kind] for each in order.parties]
        bundle = None if order.bundle is None else [order.bundle.code, order.bundle.reference]
        text = json.dumps([parties, dict(order.inputs), bundle], ensure_ascii=False)
        return sm4.seal_gcm(self._key, text.encode(), associated_data=bound_to.bytes)

    def open(self, sealed: bytes, *, bound_to: UUID) -> EvidenceOrder:
        """Open what `seal` made. Raises SigningError for anything else."""
        text = sm4.open_gcm(self._key, sealed, associated_data=bound_to.bytes)
        parties, inputs, bundle = json.loads(text)
        return EvidenceOrder(
            parties=tuple(
                Party(role=role, code=code, name=name, kind=PartyKind(kind))
                for role, code, name, kind in parties
            ),
            inputs=inputs,
            bundle=None if bundle is None else BundleReference(code=bundle[0], reference=bundle[1]),
        )
