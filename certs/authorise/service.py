"""Give, use up and revoke authorisations."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from certs.authorise import store
from certs.authorise.model import Authorisation, AuthorisationMode, Delegation
from certs.identifiers import parse_identifier
from certs.issue.model import Certificate, Holder
from certs.issue.store import load_certificate
from certs.types.store import load_type
from core.caller import Caller, OrganisationCode, Purpose
from core.codes import credit
from core.database import Connection, Database
from core.errors import FieldError, Forbidden, NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from signing import sm3

CODE_BYTES: Final = 24
MAX_USES: Final = 100
MAX_SERVICE_ITEMS: Final = 100
MAX_LIFE: Final = timedelta(days=30)
MAX_DELEGATION: Final = timedelta(days=366)


class AuthorisationRefused(Forbidden):
    """The authorisation code does not cover this use."""

    code = "CERT-AUTHORISATION-REFUSED"
    title = "Authorisation does not cover this use"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For whom and how long: the case, how often, until when, and whether the original may go out."""

    organisation_code: OrganisationCode
    service_item: str
    case_number: str
    original: bool
    max_uses: int
    life: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAuthorisation:
    """An authorisation with its code (用证码), which is shown this once."""

    authorisation: Authorisation
    code: str

    def __repr__(self) -> str:
        return f"NewAuthorisation(id={self.authorisation.id})"


class AuthoriseService:
    """Keeps authorisations. Holders act through a portal that signed them in and vouches for them."""

    def __init__(self, *, database: Database, log: LogWriter, now: Callable[[], datetime]) -> None:
        self._database = database
        self._log = log
        self._now = now

    async def authorise_by_function(
        self, identifier: str, *, terms: Terms, caller: Caller, purpose: Purpose
    ) -> NewAuthorisation:
        """Authorise the caller itself, by the function of its case's service item (依职能).

        Raises Forbidden where certificates of this type may not be used for the service item.
        """
        self._check(terms)
        parse_identifier(identifier)
        async with self._database.transaction() as connection:
            certificate = await load_certificate(connection, identifier=identifier)
            kind = await load_type(connection, code=certificate.type_code)
            if not kind.may_be_used_for(purpose.service_item):
                msg = "the function of this service item does not cover certificates of this type"
                raise Forbidden(msg)
            copies_only = await store.is_copies_only(
                connection, type_code=kind.code, service_item=purpose.service_item
            )
            terms = replace(terms, original=terms.original and not copies_only)
            return await self._give(
                connection, certificate, AuthorisationMode.FUNCTION, terms, actor=caller, purpose=purpose
            )

    async def authorise_by_holder(
        self, identifier: str, *, acting: Holder, terms: Terms, portal: Caller
    ) -> NewAuthorisation:
        """Authorise an organisation in the name of the holder, or of a delegate of the holder.

        `acting` is who is signed in at the portal. What a delegate gives ends with the delegation's time.
        Raises NotFound unless that is the holder or somebody to whom the holder delegated the certificate.
        """
        self._check(terms)
        async with self._database.transaction() as connection:
            certificate, mode = await self.load_for(connection, identifier, acting)
            if mode is AuthorisationMode.DELEGATION:
                ends_at = await store.find_delegation_end(
                    connection,
                    identifier=identifier,
                    code=acting.code,
                    code_type=acting.code_type,
                    at=self._now(),
                )
                terms = replace(terms, life=min(terms.life, (ends_at or self._now()) - self._now()))
            return await self._give(connection, certificate, mode, terms, actor=portal, purpose=None)

    async def delegate(
        self,
        identifier: str,
        *,
        holder: Holder,
        delegate: Holder,
        life: timedelta,
        portal: Caller,
    ) -> Delegation:
        """Let a delegate act for the holder. Raises NotFound unless `holder` holds the certificate."""
        if not timedelta() < life <= MAX_DELEGATION:
            msg = "/days"
            raise _out_of_range(msg, f"1 to {MAX_DELEGATION.days} days")
        now = self._now()
        async with self._database.transaction() as connection:
            certificate, mode = await self.load_for(connection, identifier, holder)
            if mode is not AuthorisationMode.HOLDER:
                msg = "a delegate cannot delegate on"
                raise Forbidden(msg)
            delegation = Delegation(
                id=uuid4(),
                identifier=identifier,
                delegate_code=delegate.code,
                delegate_code_type=delegate.code_type,
                granted_by=portal.system_id,
                created_at=now,
                expires_at=now + life,
            )
            await store.save_delegation(connection, delegation=delegation)
            await self._write(connection, certificate, "delegated", str(delegation.id), actor=portal)
        return delegation

    async def revoke_delegation(
        self, identifier: str, delegation_id: UUID, *, holder: Holder, portal: Caller
    ) -> None:
        """Take a delegation back. Raises NotFound, and Forbidden for a delegate."""
        async with self._database.transaction() as connection:
            certificate, mode = await self.load_for(connection, identifier, holder)
            if mode is not AuthorisationMode.HOLDER:
                msg = "only the holder takes a delegation back"
                raise Forbidden(msg)
            done = await store.revoke_delegation(
                connection, delegation_id=delegation_id, identifier=identifier, revoked_at=self._now()
            )
            if not done:
                msg = "no such delegation is in force"
                raise NotFound(msg)
            await self._write(connection, certificate, "undelegated", str(delegation_id), actor=portal)

    async def revoke(
        self, authorisation_id: UUID, *, acting: Holder | None, reason: str, actor: Caller
    ) -> Authorisation:
        """Revoke an authorisation: its grantee may, or the holder (`acting`) through a portal.

        Revoking one that is revoked changes nothing. Raises NotFound, SchemaViolation, and Forbidden for a
        delegate and what no delegate gave.
        """
        if errors := check_text("/reason", reason, max_characters=500):
            msg = "a revocation has a reason"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            found = await store.load_authorisation(connection, authorisation_id=authorisation_id)
            if acting is not None:
                certificate, mode = await self.load_for(connection, found.identifier, acting)
                if mode is AuthorisationMode.DELEGATION and found.mode is not mode:
                    msg = "a delegate takes back what delegates gave, not what the holder gave"
                    raise Forbidden(msg)
            elif found.organisation_code != actor.organisation_code:
                msg = "no such authorisation"
                raise NotFound(msg)
            else:
                certificate = await load_certificate(connection, identifier=found.identifier)
            if found.revoked_at is None:
                await store.set_revoked(
                    connection, authorisation_id=found.id, revoked_at=self._now(), reason=reason
                )
                await self._write(connection, certificate, "revoked", str(found.id), actor=actor)
            return await store.load_authorisation(connection, authorisation_id=authorisation_id)

    async def set_copies_only(self, type_code: str, service_items: Sequence[str], *, actor: Caller) -> None:
        """Say for which service items (`*`: all) originals of a type do not go out by function."""
        errors = [
            error
            for number, item in enumerate(service_items)
            for error in check_text(f"/{number}", item, max_characters=128)
        ]
        if errors or len(service_items) > MAX_SERVICE_ITEMS:
            msg = f"name at most {MAX_SERVICE_ITEMS} service items, each a line of text"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            await load_type(connection, code=type_code)
            await store.replace_copies_only(connection, type_code=type_code, service_items=service_items)
            await self._log.append(
                connection,
                event=Event.COPIES_ONLY_SET,
                caller=actor,
                details={"type": type_code, "service_items": list(service_items)},
            )

    async def load_for(
        self, connection: Connection, identifier: str, acting: Holder
    ) -> tuple[Certificate, AuthorisationMode]:
        """Load a certificate for its holder or a delegate. Raises NotFound for anybody else."""
        parse_identifier(identifier)
        certificate = await load_certificate(connection, identifier=identifier)
        holder = certificate.holder
        if (holder.code, holder.code_type) == (acting.code, acting.code_type):
            return certificate, AuthorisationMode.HOLDER
        ends_at = await store.find_delegation_end(
            connection,
            identifier=identifier,
            code=acting.code,
            code_type=acting.code_type,
            at=self._now(),
        )
        if ends_at is None:
            msg = "no certificate of that identifier is held by, or delegated to, whom the portal signed in"
            raise NotFound(msg)
        return certificate, AuthorisationMode.DELEGATION

    async def find(
        self, connection: Connection, code: str, *, identifier: str, caller: Caller, purpose: Purpose
    ) -> tuple[Authorisation | None, AuthorisationRefused | None]:
        """Find what a code authorises, holding its row; or why it does not cover this."""
        found = await store.lock_by_code(connection, code_sm3=_digest(code))
        refusal = "the authorisation code is unknown, or was given to somebody else"
        if found is not None and found.organisation_code == caller.organisation_code:
            refusal = _find_refusal(found, identifier=identifier, purpose=purpose, now=self._now())
        return (None, AuthorisationRefused(refusal)) if refusal else (found, None)

    async def count(self, connection: Connection, authorisation: Authorisation) -> None:
        """Count one use of what `find` found."""
        await store.count_use(connection, authorisation_id=authorisation.id)

    def _check(self, terms: Terms) -> None:
        errors = [
            *check_text("/service_item", terms.service_item, max_characters=128),
            *check_text("/case_number", terms.case_number, max_characters=128),
        ]
        if not credit.is_check_valid(terms.organisation_code):
            detail = "not a unified social credit code with a right check character (GB 32100)"
            errors.append(FieldError(pointer="/organisation_code", code="CREDIT-CODE", detail=detail))
        if not 1 <= terms.max_uses <= MAX_USES:
            errors.append(FieldError(pointer="/max_uses", code="RANGE", detail=f"must be 1 to {MAX_USES}"))
        if not timedelta() < terms.life <= MAX_LIFE:
            detail = f"must be 1 to {MAX_LIFE.days * 24 * 60} minutes"
            errors.append(FieldError(pointer="/minutes", code="RANGE", detail=detail))
        if errors:
            msg = "the authorisation's fields are not all right"
            raise SchemaViolation(msg, errors=tuple(errors))

    async def _give(
        self,
        connection: Connection,
        certificate: Certificate,
        mode: AuthorisationMode,
        terms: Terms,
        *,
        actor: Caller,
        purpose: Purpose | None,
    ) -> NewAuthorisation:
        code = secrets.token_urlsafe(CODE_BYTES)
        now = self._now()
        authorisation = Authorisation(
            id=uuid4(),
            mode=mode,
            identifier=certificate.identifier,
            organisation_code=terms.organisation_code,
            service_item=terms.service_item,
            case_number=terms.case_number,
            original=terms.original,
            max_uses=terms.max_uses,
            uses=0,
            granted_by=actor.system_id,
            created_at=now,
            expires_at=now + terms.life,
        )
        await store.save_authorisation(connection, authorisation=authorisation, code_sm3=_digest(code))
        await self._write(
            connection, certificate, f"given:{mode}", str(authorisation.id), actor=actor, purpose=purpose
        )
        return NewAuthorisation(authorisation=authorisation, code=code)

    async def _write(
        self,
        connection: Connection,
        certificate: Certificate,
        act: str,
        authorisation: str,
        *,
        actor: Caller,
        purpose: Purpose | None = None,
    ) -> None:
        await self._log.append(
            connection,
            event=Event.CERTIFICATE_AUTHORISED,
            caller=actor,
            purpose=purpose,
            certificate_id=certificate.identifier,
            subject=certificate.holder.code,
            details={"act": act, "authorisation": authorisation},
        )


def _find_refusal(found: Authorisation, *, identifier: str, purpose: Purpose, now: datetime) -> str:
    if found.identifier != identifier:
        return "the authorisation is for another certificate"
    if (found.service_item, found.case_number) != (purpose.service_item, purpose.case_number):
        return "the authorisation is for another case; it is bound to a service item and a case number"
    if found.revoked_at is not None:
        return "the authorisation was revoked"
    if found.expires_at <= now:
        return "the authorisation has expired"
    if found.uses >= found.max_uses:
        return "the authorisation is used up"
    return ""


def _digest(code: str) -> bytes:
    return sm3.digest(code.encode("utf-8", "surrogatepass"))


def _out_of_range(pointer: str, detail: str) -> SchemaViolation:
    msg = f"must be {detail}"
    return SchemaViolation(msg, errors=(FieldError(pointer=pointer, code="RANGE", detail=msg),))
