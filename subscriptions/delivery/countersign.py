"""Countersignatures: a subscriber's SM2 signature (r ‖ s, SM3, default ID) over the bytes of a manifest."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from core.caller import SystemId
from core.database import Connection
from core.errors import BadInput
from core.identity.model import Credential, CredentialId, CredentialKind
from core.identity.store_credentials import load_usable
from signing import sm2, sm3
from signing.errors import SigningError

MAX_WRITTEN_CHARACTERS = 200


async def load_keys(connection: Connection, *, system_id: SystemId, at: datetime) -> list[Credential]:
    """Load the keys that a system may countersign with."""
    return await load_usable(connection, system_id=system_id, kind=CredentialKind.KEY, at=at)


def find_signer(
    keys: Collection[Credential], *, signature: bytes | None, manifest: bytes
) -> CredentialId | None:
    """Find which of a system's keys made a countersignature; None where none did."""
    if signature is None:
        return None
    return next((each.id for each in keys if each.key and _holds(each.key, signature, manifest)), None)


def parse_signature(written: str) -> bytes | None:
    """Read a countersignature written as base64; None for what is none."""
    if len(written) > MAX_WRITTEN_CHARACTERS:
        return None
    try:
        return base64.b64decode(written.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


def write_proof(*, signature: bytes, key: sm2.PublicKey, manifest: bytes) -> dict[str, str]:
    """Write a countersignature as a document that can be checked without the hub."""
    return {
        "algorithm": "sm2-sm3",
        "manifest_sm3": sm3.digest(manifest).hex(),
        "signature": base64.b64encode(signature).decode(),
        "public_key": key.point.hex(),
    }


def verify_proof(document: bytes, *, manifest: bytes) -> sm2.PublicKey:
    """Return the key that countersigned a manifest. Raises BadInput where the document proves nothing."""
    try:
        proof: Mapping[str, Any] = json.loads(document)
        key = sm2.PublicKey.from_point(bytes.fromhex(proof["public_key"]))
        signature = parse_signature(proof["signature"])
        if signature is not None and _holds(key, signature, manifest):
            return key
    except (ValueError, KeyError, TypeError, AttributeError, SigningError):
        pass
    msg = "the countersignature does not hold over this delivery's manifest"
    raise BadInput(msg)


def _holds(key: sm2.PublicKey, signature: bytes, manifest: bytes) -> bool:
    try:
        key.verify(sm2.raw_to_der(signature), manifest)
    except SigningError:
        return False
    return True
