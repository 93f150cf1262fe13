"""How people sign in, act, and sign out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from core.caller import Caller
from core.database import Database
from core.errors import (
    Conflict,
    Forbidden,
    PasswordInitial,
    SecondFactorNeeded,
    TokenExpired,
    Unauthenticated,
)
from core.identity import store_credentials
from core.identity.admission import SESSION_PREFIX
from core.identity.assertion import CLOCK_SKEW, parse_assertion
from core.identity.hashing import SECRET_BYTES, SecretHasher
from core.identity.model import Bearer, SignatureRule
from core.log.model import Event
from core.log.writer import LogWriter
from core.people import store
from core.people.factors import build_totp_uri, draw_totp_secret, find_totp_step
from core.people.model import Account, PersonId, Session
from core.people.passwords import require_password
from signing import sm3, sm4

MAX_TRIES: Final = 5
LOCKED: Final = timedelta(minutes=15)
REFUSED: Final = (
    "login, password or second factor is wrong, or the login may not be used now (suspended, or locked for"
    " a while after wrong tries)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody shows to sign in: a password and, where one is enrolled, a second factor."""

    login: str
    password: str = field(repr=False)
    code: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """A TOTP secret to put into an authenticator, shown this once."""

    uri: str = field(repr=False)


class SessionService:
    """Signs people in, and tells whom a session stands for."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        hasher: SecretHasher,
        token_key: bytes,
        totp_key: bytes,
        ttl_s: int,
        public_url: str,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._hasher = hasher
        self._token_key = token_key
        self._totp_key = totp_key[: sm4.KEY_BYTES]
        self._ttl_s = ttl_s
        self._public_url = public_url
        self._now = now

    async def sign_in(self, attempt: Attempt) -> Session:
        """Start a session.

        1. The try is counted; the MAX_TRIES-th in a row that fails locks the login for LOCKED. 2. Password,
        in the same words and time whoever is named. 3. The second factor, where one is enrolled. 4. An
        initial password must be changed first. Raises Unauthenticated, SecondFactorNeeded, PasswordInitial.
        """
        account, factor = await self._prove(attempt)
        person, now = account.person, self._now()
        if account.proofs.password_is_initial:
            msg = "change the initial password first: POST /v1/people/password"
            raise PasswordInitial(msg)
        token = SESSION_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        ends = now + timedelta(seconds=self._ttl_s)
        async with self._database.transaction() as connection:
            await store.save_session(
                connection, token_hash=self._hash(token), person_id=person.id, started_at=now, ends=ends
            )
            await self._log.append(
                connection,
                event=Event.PERSON_SIGNED_IN,
                caller=account.as_caller(),
                details={"factor": factor, "expires_at": ends.isoformat()},
            )
        return Session(token=token, person=person, expires_at=ends, ttl_s=self._ttl_s)

    async def change_password(self, attempt: Attempt, new_password: str) -> None:
        """Replace a password, proved by the former one and the second factor; ends all sessions.

        Raises Unauthenticated, SecondFactorNeeded, SchemaViolation.
        """
        account, _ = await self._prove(attempt)
        require_password(new_password, login=account.person.login, former=attempt.password)
        password_hash = await self._hasher.hash(new_password)
        async with self._database.transaction() as connection:
            await store.set_password(
                connection, person_id=account.person.id, password_hash=password_hash, is_initial=False
            )
            await store.end_sessions(connection, person_id=account.person.id, at=self._now())
            await self._log.append(
                connection,
                event=Event.PERSON_PROOFS_CHANGED,
                caller=account.as_caller(),
                details={"login": account.person.login, "what": "password"},
            )

    async def authenticate(self, token: str) -> Bearer:
        """Return whom a session stands for. Raises TokenExpired, or Unauthenticated."""
        async with self._database.acquire() as connection:
            found = await store.load_session(connection, token_hash=self._hash(token))
        if found is None:
            msg = "the session is unknown or has ended; sign in"
            raise Unauthenticated(msg)
        account, expires_at = found
        if expires_at <= self._now():
            msg = "the session has expired; sign in again"
            raise TokenExpired(msg)
        return Bearer(
            caller=account.as_caller(),
            expires_at=expires_at,
            request_signatures=SignatureRule.OFF,
            networks=None,
        )

    async def sign_out(self, token: str, actor: Caller) -> None:
        """End a session of the caller's own at once, on every process; nothing happens where it is none."""
        async with self._database.transaction() as connection:
            ended = await store.end_session(
                connection,
                token_hash=self._hash(token),
                person_id=PersonId(actor.system_id),
                at=self._now(),
            )
            if ended:
                await self._log.append(connection, event=Event.PERSON_SIGNED_OUT, caller=actor)

    async def enrol_totp(self, actor: Caller) -> Enrolment:
        """Draw a TOTP secret for the caller; it counts once `confirm_totp` has seen a code of it.

        Raises Forbidden for a system, Conflict where one counts already.
        """
        secret = draw_totp_secret()
        async with self._database.transaction() as connection:
            account = await store.load_account(connection, person_id=_require_person(actor))
            if account.proofs.has_totp:
                msg = "an authenticator is enrolled; an administrator can remove it"
                raise Conflict(msg)
            sealed = sm4.seal_gcm(self._totp_key, secret, associated_data=account.person.id.bytes)
            await store.set_totp(
                connection, person_id=account.person.id, sealed=sealed, is_confirmed=False, step=0
            )
            await self._log.append(
                connection,
                event=Event.PERSON_PROOFS_CHANGED,
                caller=actor,
                details={"login": account.person.login, "what": "totp_drawn"},
            )
        return Enrolment(uri=build_totp_uri(secret, login=account.person.login))

    async def confirm_totp(self, actor: Caller, code: str) -> None:
        """Ask for codes from now on, once a first one is right. Raises Forbidden, Conflict."""
        async with self._database.transaction() as connection:
            account = await store.load_account(connection, person_id=_require_person(actor))
            if account.proofs.totp_sealed is None or account.proofs.totp_is_confirmed:
                msg = "there is no enrolment to confirm; POST /v1/people/me/totp begins one"
                raise Conflict(msg)
            step = find_totp_step(self._open_totp(account), code, at=self._now())
            if step is None:
                msg = "the code is not that of the enrolled secret; see to the clock of the authenticator"
                raise Conflict(msg)
            await store.set_totp(
                connection,
                person_id=account.person.id,
                sealed=account.proofs.totp_sealed,
                is_confirmed=True,
                step=step,
            )
            await self._log.append(
                connection,
                event=Event.PERSON_PROOFS_CHANGED,
                caller=actor,
                details={"login": account.person.login, "what": "totp"},
            )

    async def _prove(self, attempt: Attempt) -> tuple[Account, str]:
        """Prove who it is, and with which second factor; what was tried is forgotten then."""
        now = self._now()
        async with self._database.transaction() as connection:
            account = await store.count_try(
                connection, login=attempt.login, now=now, most=MAX_TRIES, locked_until=now + LOCKED
            )
        hashes = [] if account is None else [account.proofs.password_hash]
        right = await self._hasher.find(hashes, attempt.password)
        if account is None:
            raise Unauthenticated(REFUSED)
        if right is None:
            raise await self._refuse(account)
        factor = await self._prove_factor(account, attempt)
        async with self._database.transaction() as connection:
            await store.forget_tries(connection, person_id=account.person.id)
        return account, factor

    async def _prove_factor(self, account: Account, attempt: Attempt) -> str:
        factors = account.proofs.factors
        if not factors:
            return "none"
        code, assertion = attempt.code, attempt.assertion
        if code is None and assertion is None:
            msg = f"this login has a second factor; send one of: {', '.join(factors)}"
            raise SecondFactorNeeded(msg)
        if code is not None and "totp" in factors and await self._is_code(account, code):
            return "totp"
        if assertion is not None and "key" in factors and await self._is_assertion(account, assertion):
            return "key"
        raise await self._refuse(account)

    async def _is_code(self, account: Account, code: str) -> bool:
        step = find_totp_step(self._open_totp(account), code, at=self._now())
        if step is None:
            return False
        async with self._database.transaction() as connection:
            return await store.use_totp_step(connection, person_id=account.person.id, step=step)

    async def _is_assertion(self, account: Account, text: str) -> bool:
        try:
            read = parse_assertion(text)
            read.require_current(audience=self._public_url, now=self._now())
        except Unauthenticated:
            return False
        key = account.proofs.key
        if key is None or read.client_id != account.person.login or not read.is_signed_by([key]):
            return False
        async with self._database.transaction() as connection:
            return await store_credentials.use_once(
                connection,
                owner=account.as_caller().system_id,
                value=f"jti:{read.jti}",
                expires_at=read.expires_at + 2 * CLOCK_SKEW,
                now=self._now(),
            )

    async def _refuse(self, account: Account) -> Unauthenticated:
        """Record a try that failed, and return what to raise."""
        async with self._database.transaction() as connection:
            await self._log.append(
                connection,
                event=Event.PERSON_SIGN_IN_REFUSED,
                caller=account.as_caller(),
                details={"is_locked": account.proofs.failures >= MAX_TRIES},
            )
        return Unauthenticated(REFUSED)

    def _open_totp(self, account: Account) -> bytes:
        sealed = account.proofs.totp_sealed or b""
        return sm4.open_gcm(self._totp_key, sealed, associated_data=account.person.id.bytes)

    def _hash(self, token: str) -> bytes:
        return sm3.hmac(self._token_key, token.encode("utf-8", "surrogateescape"))


def _require_person(actor: Caller) -> PersonId:
    if actor.person is None:
        msg = "this is for people who signed in; systems have credentials instead"
        raise Forbidden(msg)
    return PersonId(actor.system_id)
