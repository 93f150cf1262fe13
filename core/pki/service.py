"""The hub's authorities at work: make them once, certify keys, revoke, publish revocation lists."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from core.database import Connection, Database
from core.errors import Conflict, NotFound
from core.log.model import Event
from core.log.writer import LogWriter
from core.pki import store
from core.pki.key_source import SigningKeys
from core.pki.model import CertifiedSigner
from signing.signer import Signer
from signing.sm2 import PublicKey
from signing.trust import TrustPolicy
from signing.x509.authority import Authority, Publication, create_root
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList, RevocationReason, RevokedEntry
from signing.x509.names import Name
from signing.x509.profiles import Profile

ROOT_KEY = "root-ca"
ISSUING_KEY = "issuing-ca"
HUB_SIGNER_KEY = "hub-signer"
ROOT_YEARS = 20
ISSUING_YEARS = 10
END_ENTITY_YEARS = 5
BACKDATE = timedelta(minutes=5)
CRL_LIFE = timedelta(days=7)


class PkiService:
    """Root and issuing authority of one hub. Make it with `open`, which creates what is missing."""

    def __init__(
        self,
        *,
        database: Database,
        key_store: SigningKeys,
        log: LogWriter,
        now: Callable[[], datetime],
        root: Authority,
        issuing: Authority,
    ) -> None:
        self._database = database
        self._key_store = key_store
        self._log = log
        self._now = now
        self._root = root
        self._issuing = issuing

    @classmethod
    async def open(
        cls,
        *,
        database: Database,
        key_store: SigningKeys,
        log: LogWriter,
        now: Callable[[], datetime],
        public_url: str,
    ) -> PkiService:
        """Load the hub's authorities, or make them where this is a new hub; safe from several processes."""
        async with database.transaction() as connection:
            await store.lock_keys(connection)
            root = await _open_root(
                connection,
                key_store=key_store,
                log=log,
                now=now(),
                publication=_publication(public_url, "root"),
            )
            issuing = await _open_issuing(connection, key_store=key_store, log=log, now=now(), root=root)
        authority = Authority(
            issuing.certificate, issuing.signer, publication=_publication(public_url, "issuing")
        )
        return cls(database=database, key_store=key_store, log=log, now=now, root=root, issuing=authority)

    @property
    def root(self) -> Certificate:
        """The hub's root certificate: all that an offline verifier needs."""
        return self._root.certificate

    @property
    def issuing(self) -> Certificate:
        """The certificate of the authority that certifies systems, seal makers and signers."""
        return self._issuing.certificate

    @property
    def issuing_signer(self) -> Signer:
        """The key of the issuing authority, to vouch for keys where no certificate travels."""
        return self._issuing.signer

    async def trust_policy(self) -> TrustPolicy:
        """Return what this hub trusts: its own root, with the current lists of both authorities."""
        crls = (await self.build_root_crl(), await self.build_crl())
        return TrustPolicy(
            roots=(self.root,),
            intermediates=(self.issuing,),
            crls=tuple(RevocationList.parse(crl) for crl in crls),
        )

    async def certified_signer(self, *, name: str, profile: Profile, subject: Name) -> CertifiedSigner:
        """Load the key `name` with its certificate, or make and certify it.

        A certificate that was revoked or has expired is replaced by a new one for a new key.
        """
        async with self._database.transaction() as connection:
            await store.lock_keys(connection)
            found = await store.load_certificate_of_key(connection, key_name=name, valid_at=self._now())
            if found is not None:
                return CertifiedSigner(signer=_load_matching(self._key_store, name, found), certificate=found)
            signer = self._key_store.create(name)
            if await store.has_certificate(connection, key_name=name):
                signer = self._key_store.rotate(name)
                await _refuse_certified(connection, name, signer)
            certificate = self._issuing.issue(
                profile=profile,
                subject=subject,
                public_key=signer.public_key,
                not_before=_whole_second(self._now() - BACKDATE),
                not_after=_years_after(self._now(), END_ENTITY_YEARS),
            )
            await _record(connection, self._log, certificate=certificate, profile=profile, key_name=name)
            return CertifiedSigner(signer=signer, certificate=certificate)

    async def load_public_keys(self, name: str) -> list[PublicKey]:
        """Load every public key that the key `name` ever had, in force or not, newest first."""
        return [certificate.require_key() for certificate in await self.load_certificates(name)]

    async def load_certificates(self, name: str) -> list[Certificate]:
        """Load every certificate of the key `name`, in force or not, newest first."""
        async with self._database.acquire() as connection:
            return await store.load_certificates_of_key(connection, key_name=name)

    async def destroy_key(self, name: str) -> bool:
        """Remove a key for good; False where there is none. Its certificates stay on record."""
        return await asyncio.to_thread(self._key_store.destroy, name)

    async def revoke(self, *, serial: int, reason: RevocationReason) -> None:
        """Revoke a certificate of the issuing authority. Raises NotFound for an unknown number."""
        async with self._database.transaction() as connection:
            done = await store.set_revoked(
                connection,
                issuer_name=str(self.issuing.subject),
                serial=serial,
                revoked_at=self._now(),
                reason=int(reason),
            )
            if not done:
                msg = "no certificate of that serial number is in force"
                raise NotFound(msg)
            await self._log.append(
                connection,
                event=Event.KEY_REVOKED,
                caller=None,
                details={"serial": f"{serial:x}", "reason": int(reason)},
            )

    async def build_crl(self) -> bytes:
        """Build the issuing authority's present revocation list, valid for a week, as DER."""
        return await self._build_crl(self._issuing)

    async def build_root_crl(self) -> bytes:
        """Build the root's present revocation list, which speaks of issuing authorities, as DER."""
        return await self._build_crl(self._root)

    async def _build_crl(self, authority: Authority) -> bytes:
        issuer_name = str(authority.certificate.subject)
        async with self._database.acquire() as connection:
            revoked = await store.load_revocations(connection, issuer_name=issuer_name)
        now = _whole_second(self._now())
        return authority.issue_crl(
            number=int(now.timestamp()),
            this_update=now,
            next_update=now + CRL_LIFE,
            entries=[
                RevokedEntry(
                    serial=r.serial, revoked_at=_whole_second(r.revoked_at), reason=RevocationReason(r.reason)
                )
                for r in revoked
            ],
        )


def _publication(public_url: str, authority: str) -> Publication:
    return Publication(
        crl_urls=(f"{public_url}/v1/trust/{authority}.crl",),
        issuer_urls=(f"{public_url}/v1/trust/{authority}.cer",),
    )


def _load_matching(key_store: SigningKeys, name: str, certificate: Certificate) -> Signer:
    """Load the version of a key that a certificate was made for."""
    point = certificate.require_key().point
    for key_id in reversed(key_store.key_ids(name)):
        key = key_store.load(key_id)
        if key.public_key.point == point:
            return key
    msg = (
        f"the key store has no {name} key for its certificate; "
        "restore the folder of keys that belongs to the database"
    )
    raise Conflict(msg)


async def _refuse_certified(connection: Connection, name: str, signer: Signer) -> None:
    """Raise Conflict where a key from outside had a certificate before: a revoked key stays revoked."""
    former = await store.load_certificates_of_key(connection, key_name=name)
    if signer.public_key.point in {each.require_key().point for each in former}:
        msg = f"the certificate of the key {name} has ended; put a new key into the device that holds it"
        raise Conflict(msg)


async def _open_root(
    connection: Connection,
    *,
    key_store: SigningKeys,
    log: LogWriter,
    now: datetime,
    publication: Publication,
) -> Authority:
    found = await store.load_certificate_of_key(connection, key_name=ROOT_KEY, valid_at=now)
    if found is not None:
        return Authority(found, _load_matching(key_store, ROOT_KEY, found), publication=publication)
    signer = key_store.create(ROOT_KEY)
    certificate = create_root(
        Name.build(common_name="Shuzheng Root CA", organization="Shuzheng"),
        signer,
        not_before=_whole_second(now - BACKDATE),
        not_after=_years_after(now, ROOT_YEARS),
    )
    await _record(connection, log, certificate=certificate, profile="root_ca", key_name=ROOT_KEY)
    return Authority(certificate, signer, publication=publication)


async def _open_issuing(
    connection: Connection, *, key_store: SigningKeys, log: LogWriter, now: datetime, root: Authority
) -> CertifiedSigner:
    found = await store.load_certificate_of_key(connection, key_name=ISSUING_KEY, valid_at=now)
    if found is not None:
        return CertifiedSigner(signer=_load_matching(key_store, ISSUING_KEY, found), certificate=found)
    signer = key_store.create(ISSUING_KEY)
    certificate = root.issue(
        profile=Profile.ISSUING_CA,
        subject=Name.build(common_name="Shuzheng Issuing CA", organization="Shuzheng"),
        public_key=signer.public_key,
        not_before=_whole_second(now - BACKDATE),
        not_after=_years_after(now, ISSUING_YEARS),
    )
    await _record(connection, log, certificate=certificate, profile=Profile.ISSUING_CA, key_name=ISSUING_KEY)
    return CertifiedSigner(signer=signer, certificate=certificate)


async def _record(
    connection: Connection, log: LogWriter, *, certificate: Certificate, profile: str, key_name: str
) -> None:
    await store.save_certificate(connection, certificate=certificate, profile=profile, key_name=key_name)
    await log.append(
        connection,
        event=Event.KEY_CERTIFIED,
        caller=None,
        details={
            "subject": str(certificate.subject),
            "profile": profile,
            "serial": f"{certificate.serial:x}",
        },
    )


def _whole_second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _years_after(at: datetime, years: int) -> datetime:
    return _whole_second(at) + timedelta(days=365 * years)
