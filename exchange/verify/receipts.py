"""Receipts of verifications, batch-signed by the hub (`signing.merkle.receipts`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json
from signing.merkle.receipts_async import Batcher

_BEFORE_DIGEST: Final = b',"payload_digest":'


class BatchReceiptIssuer:
    """Issues receipts with their payload embedded, through a Batcher that its owner opens and closes."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def issue(self, payload: Mapping[str, JsonValue], /) -> bytes:
        """Return the receipt as canonical JSON with its payload, ready for `verify_receipt`."""
        body = build_canonical_json(payload)
        receipt = await self._batcher.submit(body)
        # A receipt is canonical JSON, in which the member payload comes right before payload_digest.
        return receipt.replace(_BEFORE_DIGEST, b',"payload":' + body + _BEFORE_DIGEST, 1)


def build_salted_digest(salt: bytes, value: object) -> str:
    """Digest a JSON value under a salt: SM3(salt ‖ canonical JSON), in hex."""
    return sm3.digest(salt + build_canonical_json(value)).hex()
