"""Receipts of verifications, batch-signed by the hub (`signing.merkle.receipts`)."""

from __future__ import annotations

from collections.abc import Mapping

from signing import sm3
from signing.canonical_json import JsonValue, build_canonical_json, parse_json
from signing.merkle.receipts_async import Batcher


class BatchReceiptIssuer:
    """Issues receipts with their payload embedded, through a Batcher that its owner opens and closes."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher

    async def issue(self, payload: Mapping[str, JsonValue], /) -> JsonValue:
        """Return the receipt as JSON; `verify_receipt` checks its canonical or any other spelling."""
        body = build_canonical_json(payload)
        receipt = parse_json(await self._batcher.submit(body))
        assert isinstance(receipt, Mapping)
        return {**receipt, "payload": parse_json(body)}


def build_salted_digest(salt: bytes, value: object) -> str:
    """Digest a JSON value under a salt: SM3(salt ‖ canonical JSON), in hex."""
    return sm3.digest(salt + build_canonical_json(value)).hex()
