"""Give systems secrets and SM2 keys, let new ones overlap with old ones, and revoke them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from core.caller import Caller, SystemId
from core.database import Connection, Database
from core.errors import FieldError, SchemaViolation
from core.identity import store, store_credentials
from core.identity.model import Credential, CredentialId, CredentialKind, Network, System
from core.identity.service import IdentityService
from core.log.model import Event
from core.log.writer import LogWriter
from signing.errors import SigningError
from signing.sm2 import PublicKey
from signing.x509 import pem
from signing.x509.certificate import Certificate

MAX_OVERLAP = timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret just made, shown this once, and until when the former ones are good."""

    credential: Credential
    secret: str = field(repr=False)
    former_until: datetime


class CredentialService:
    """Rotates what systems prove themselves with."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        identity: IdentityService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._identity = identity
        self._now = now

    async def rotate_secret(self, system_id: SystemId, *, overlap: timedelta, actor: Caller) -> NewSecret:
        """Give a system a new secret; former ones are good for `overlap` more. Raises NotFound."""
        secret, credential = await self._identity.make_secret(system_id)
        former_until = await self._add(credential, overlap=overlap, actor=actor)
        return NewSecret(credential=credential, secret=secret, former_until=former_until)

    async def add_key(
        self, system_id: SystemId, *, text: str, overlap: timedelta | None, actor: Caller
    ) -> Credential:
        """Register an SM2 key of a system: a certificate or a public key, in PEM.

        A certificate's key is good until the certificate ends. With `overlap` the former keys end that
        much later; with None they stay. Raises NotFound, SchemaViolation.
        """
        key, certificate = read_key(text)
        credential = Credential(
            id=CredentialId(uuid4()),
            system_id=system_id,
            kind=CredentialKind.KEY,
            created_at=self._now(),
            not_after=certificate.not_after if certificate else None,
            revoked_at=None,
            key=key,
        )
        if certificate is not None and not certificate.is_valid_at(self._now()):
            msg = "the certificate is not valid now"
            raise SchemaViolation(msg, errors=(FieldError(pointer="/pem", code="PERIOD", detail=msg),))
        await self._add(
            credential, overlap=overlap, actor=actor, certificate=certificate.der if certificate else None
        )
        return credential

    async def revoke(self, system_id: SystemId, credential_id: CredentialId, *, actor: Caller) -> None:
        """Revoke a credential and every token that it brought, at once on every process. Raises NotFound."""
        async with self._database.transaction() as connection:
            credential = await store_credentials.revoke_credential(
                connection, system_id=system_id, credential_id=credential_id, at=self._now()
            )
            await self._record(connection, Event.CREDENTIAL_REVOKED, credential, actor, {})

    async def list_of(self, system_id: SystemId) -> list[Credential]:
        """List every credential that a system ever had, the newest first. Raises NotFound."""
        async with self._database.acquire() as connection:
            await store.load_system(connection, system_id=system_id)
            return await store_credentials.load_credentials(connection, system_id=system_id)

    async def set_networks(
        self, system_id: SystemId, networks: tuple[Network, ...] | None, *, actor: Caller
    ) -> System:
        """Limit the addresses that a system may call from; None lifts the limit. Raises NotFound."""
        async with self._database.transaction() as connection:
            system = await store.set_networks(connection, system_id=system_id, networks=networks)
            details: dict[str, object] = {"system": str(system_id)}
            if networks is not None:
                details["networks"] = [str(network) for network in networks]
            await self._log.append(
                connection, event=Event.SYSTEM_NETWORKS_CHANGED, caller=actor, details=details
            )
        return system

    async def _add(
        self,
        credential: Credential,
        *,
        overlap: timedelta | None,
        actor: Caller,
        certificate: bytes | None = None,
    ) -> datetime:
        former_until = self._now() + (overlap or timedelta())
        async with self._database.transaction() as connection:
            await store.load_system(connection, system_id=credential.system_id)
            await store_credentials.save_credential(
                connection, credential=credential, certificate=certificate
            )
            details: dict[str, object] = {"former": 0}
            if overlap is not None:
                details["former"] = await store_credentials.end_credentials(
                    connection,
                    system_id=credential.system_id,
                    kind=credential.kind,
                    but=credential.id,
                    at=former_until,
                )
                details["former_until"] = former_until.isoformat()
            if credential.not_after is not None:
                details["not_after"] = credential.not_after.isoformat()
            await self._record(connection, Event.CREDENTIAL_ADDED, credential, actor, details)
        return former_until

    async def _record(
        self,
        connection: Connection,
        event: Event,
        credential: Credential,
        actor: Caller,
        details: dict[str, object],
    ) -> None:
        named = {
            "system": str(credential.system_id),
            "credential": str(credential.id),
            "kind": str(credential.kind),
        }
        await self._log.append(connection, event=event, caller=actor, details=named | details)


def read_key(text: str) -> tuple[PublicKey, Certificate | None]:
    try:
        if "BEGIN CERTIFICATE" in text:
            certificate = Certificate.parse(text.encode())
            return certificate.require_key(), certificate
        return PublicKey.from_spki(pem.parse_pem(text, "PUBLIC KEY")[0]), None
    except (SigningError, UnicodeEncodeError) as trouble:
        detail = trouble.detail if isinstance(trouble, SigningError) else "not PEM"
        msg = "a certificate or public key of SM2 in PEM is expected"
        raise SchemaViolation(
            msg, errors=(FieldError(pointer="/pem", code="KEY", detail=detail),)
        ) from trouble
