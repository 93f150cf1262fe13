"""All SQL of people and their sessions."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import datetime

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.errors import Conflict, NotFound
from core.identity.model import Status
from core.people.model import Account, Person, PersonId, Proofs, Role
from signing.sm2 import PublicKey

_ACCOUNTS = (
    "SELECT p.*, o.name AS organisation_name FROM core.person p"
    " JOIN core.organisation o ON o.code = p.organisation_code"
)


async def save_person(connection: Connection, *, person: Person, password_hash: str) -> None:
    """Insert a person. Raises Conflict where the login is taken, NotFound for an unknown organisation."""
    try:
        await connection.execute(
            "INSERT INTO core.person (id, organisation_code, login, name, roles, password_hash)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            person.id,
            person.organisation_code,
            person.login,
            person.name,
            sorted(person.roles),
            password_hash,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"the login {person.login} is taken"
        raise Conflict(msg) from taken
    except asyncpg.ForeignKeyViolationError as missing:
        msg = f"organisation {person.organisation_code} is not registered"
        raise NotFound(msg) from missing


async def load_accounts(connection: Connection, *, organisation_code: str | None) -> list[Account]:
    """Load people with their proofs, of one organisation or all, by organisation and login."""
    rows = await connection.fetch(
        f"{_ACCOUNTS} WHERE $1::text IS NULL OR p.organisation_code = $1"
        " ORDER BY p.organisation_code, p.login",
        organisation_code,
    )
    return [_account(row) for row in rows]


async def load_account(connection: Connection, *, person_id: PersonId) -> Account:
    """Load a person with its proofs. Raises NotFound."""
    row = await connection.fetchrow(f"{_ACCOUNTS} WHERE p.id = $1", person_id)
    if row is None:
        msg = "no such person"
        raise NotFound(msg)
    return _account(row)


async def set_status(connection: Connection, *, person_id: PersonId, status: Status) -> None:
    """Suspend a person or make it active again; its sessions stop or work at once. Raises NotFound."""
    await _change(connection, "status = $2", person_id, status)


async def set_roles(connection: Connection, *, person_id: PersonId, roles: AbstractSet[Role]) -> None:
    """Replace a person's roles; its sessions have the new ones at once. Raises NotFound."""
    await _change(connection, "roles = $2", person_id, sorted(roles))


async def set_password(
    connection: Connection, *, person_id: PersonId, password_hash: str, is_initial: bool
) -> None:
    """Replace a password, and lift what wrong tries brought. Raises NotFound."""
    change = "password_hash = $2, password_is_initial = $3, failures = 0, locked_until = NULL"
    await _change(connection, change, person_id, password_hash, is_initial)


async def set_totp(
    connection: Connection, *, person_id: PersonId, sealed: bytes | None, is_confirmed: bool, step: int
) -> None:
    """Keep a person's TOTP secret (sealed), or with None forget it. Raises NotFound."""
    change = "totp_sealed = $2, totp_is_confirmed = $3, totp_step = $4"
    await _change(connection, change, person_id, sealed, is_confirmed, step)


async def set_key(connection: Connection, *, person_id: PersonId, key: PublicKey | None) -> None:
    """Keep a person's SM2 key, or with None forget it. Raises NotFound."""
    await _change(connection, "key_point = $2", person_id, None if key is None else key.point)


async def _change(connection: Connection, change: str, *values: object) -> None:
    if await connection.execute(f"UPDATE core.person SET {change} WHERE id = $1", *values) == "UPDATE 0":
        msg = "no such person"
        raise NotFound(msg)


async def count_try(
    connection: Connection, *, login: str, now: datetime, most: int, locked_until: datetime
) -> Account | None:
    """Count a try to sign in before it is judged, and load who it is about.

    None where there is nobody of that login who may act, or the login is locked. The try that reaches `most`
    locks; a success lifts that again. Tries made at once are counted one by one, on all processes.
    """
    tries = "CASE WHEN p.locked_until IS NULL THEN p.failures + 1 ELSE 1 END"
    row = await connection.fetchrow(
        f"UPDATE core.person p SET failures = {tries},"
        f" locked_until = CASE WHEN {tries} >= $3 THEN $4::timestamptz END"
        " FROM core.organisation o WHERE p.login = $1 AND p.status = 'active'"
        " AND (p.locked_until IS NULL OR p.locked_until <= $2)"
        " AND o.code = p.organisation_code AND o.status = 'active'"
        " RETURNING p.*, o.name AS organisation_name",
        login,
        now,
        most,
        locked_until,
    )
    return None if row is None else _account(row)


async def use_totp_step(connection: Connection, *, person_id: PersonId, step: int) -> bool:
    """Use up a TOTP step; False where it or a later one was used before."""
    done = await connection.execute(
        "UPDATE core.person SET totp_step = $2 WHERE id = $1 AND totp_step < $2", person_id, step
    )
    return done == "UPDATE 1"


async def forget_tries(connection: Connection, *, person_id: PersonId) -> None:
    """Forget the tries: the person signed in."""
    await connection.execute(
        "UPDATE core.person SET failures = 0, locked_until = NULL WHERE id = $1", person_id
    )


async def save_session(
    connection: Connection, *, token_hash: bytes, person_id: PersonId, started_at: datetime, ends: datetime
) -> None:
    """Insert a session's hash; forget sessions that ended before it starts."""
    await connection.execute("DELETE FROM core.session WHERE expires_at < $1", started_at)
    await connection.execute(
        "INSERT INTO core.session (token_hash, person_id, started_at, expires_at) VALUES ($1, $2, $3, $4)",
        token_hash,
        person_id,
        started_at,
        ends,
    )


async def load_session(connection: Connection, *, token_hash: bytes) -> tuple[Account, datetime] | None:
    """Load whose session a token is and when it ends; None where unknown, ended, or its owner suspended."""
    row = await connection.fetchrow(
        "SELECT p.*, o.name AS organisation_name, s.expires_at FROM core.session s"
        " JOIN core.person p ON p.id = s.person_id JOIN core.organisation o ON o.code = p.organisation_code"
        " WHERE s.token_hash = $1 AND s.ended_at IS NULL AND p.status = 'active' AND o.status = 'active'",
        token_hash,
    )
    return None if row is None else (_account(row), row["expires_at"])


async def end_session(
    connection: Connection, *, token_hash: bytes, person_id: PersonId, at: datetime
) -> bool:
    """End one session of a person; False where it is none."""
    done = await connection.execute(
        "UPDATE core.session SET ended_at = $3 WHERE token_hash = $1 AND person_id = $2 AND ended_at IS NULL",
        token_hash,
        person_id,
        at,
    )
    return done == "UPDATE 1"


async def end_sessions(connection: Connection, *, person_id: PersonId, at: datetime) -> None:
    """End every session of a person."""
    await connection.execute(
        "UPDATE core.session SET ended_at = $2 WHERE person_id = $1 AND ended_at IS NULL", person_id, at
    )


def _account(row: asyncpg.Record) -> Account:
    point = row["key_point"]
    return Account(
        person=Person(
            id=PersonId(row["id"]),
            organisation_code=OrganisationCode(row["organisation_code"]),
            login=row["login"],
            name=row["name"],
            roles=frozenset(Role(role) for role in row["roles"]),
            status=Status(row["status"]),
        ),
        proofs=Proofs(
            password_hash=row["password_hash"],
            password_is_initial=row["password_is_initial"],
            failures=row["failures"],
            locked_until=row["locked_until"],
            totp_sealed=row["totp_sealed"],
            totp_is_confirmed=row["totp_is_confirmed"],
            totp_step=row["totp_step"],
            key=None if point is None else PublicKey(bytes(point)),
        ),
        organisation_name=row["organisation_name"],
    )
