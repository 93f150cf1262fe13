"""All SQL of the public-key infrastructure."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from core.database import Connection
from core.pki.model import Revocation
from signing.x509.certificate import Certificate

KEY_LOCK = 0x5348555A504B49  # "SHUZPKI"


async def lock_keys(connection: Connection) -> None:
    """Let one process at a time make keys and certificates, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", KEY_LOCK)


async def save_certificate(
    connection: Connection, *, certificate: Certificate, profile: str, key_name: str | None
) -> None:
    """Insert a certificate that the hub issued."""
    await connection.execute(
        "INSERT INTO core.x509_certificate (serial, issuer_name, profile, subject, key_name, der, not_after)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        Decimal(certificate.serial),
        str(certificate.issuer),
        profile,
        str(certificate.subject),
        key_name,
        certificate.der,
        certificate.not_after,
    )


async def load_certificate_of_key(
    connection: Connection, *, key_name: str, valid_at: datetime
) -> Certificate | None:
    """Load the newest certificate of a key that is neither revoked nor expired at `valid_at`."""
    der = await connection.fetchval(
        "SELECT der FROM core.x509_certificate WHERE key_name = $1 AND revoked_at IS NULL AND not_after > $2"
        " ORDER BY issued_at DESC LIMIT 1",
        key_name,
        valid_at,
    )
    return None if der is None else Certificate.parse(der)


async def load_certificates_of_key(connection: Connection, *, key_name: str) -> list[Certificate]:
    """Load every certificate of a key, in force or not, newest first."""
    rows = await connection.fetch(
        "SELECT der FROM core.x509_certificate WHERE key_name = $1 ORDER BY issued_at DESC", key_name
    )
    return [Certificate.parse(row["der"]) for row in rows]


async def has_certificate(connection: Connection, *, key_name: str) -> bool:
    """Tell whether a key ever had a certificate, in force or not."""
    return bool(
        await connection.fetchval(
            "SELECT EXISTS (SELECT FROM core.x509_certificate WHERE key_name = $1)", key_name
        )
    )


async def load_revocations(connection: Connection, *, issuer_name: str) -> list[Revocation]:
    """Load what an authority revoked, oldest first."""
    rows = await connection.fetch(
        "SELECT serial, revoked_at, revocation_reason FROM core.x509_certificate"
        " WHERE issuer_name = $1 AND revoked_at IS NOT NULL ORDER BY revoked_at, serial",
        issuer_name,
    )
    return [
        Revocation(serial=int(r["serial"]), revoked_at=r["revoked_at"], reason=r["revocation_reason"])
        for r in rows
    ]


async def set_revoked(
    connection: Connection, *, issuer_name: str, serial: int, revoked_at: datetime, reason: int
) -> bool:
    """Revoke a certificate; False where there is none of that number, or it is revoked already."""
    return bool(
        await connection.fetchval(
            "UPDATE core.x509_certificate SET revoked_at = $3, revocation_reason = $4"
            " WHERE issuer_name = $1 AND serial = $2 AND revoked_at IS NULL RETURNING true",
            issuer_name,
            Decimal(serial),
            revoked_at,
            reason,
        )
    )
