"""All SQL of targets and dead letters. Leases are kept by the database's clock, which all hubs share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg

from core.caller import Purpose, SystemId
from core.database import Connection
from subscriptions.model import Position
from subscriptions.push.model import DeadLetter, Target, TargetKind, TargetState

_TARGETS = (
    "SELECT t.*, c.subscription_id, c.name AS consumer FROM subscriptions.target t"
    " JOIN subscriptions.consumer c ON c.id = t.consumer_id"
)


async def save_target(connection: Connection, *, target: Target) -> None:
    """Insert a target."""
    await connection.execute(
        "INSERT INTO subscriptions.target (id, consumer_id, kind, address, secret, system_id, service_item,"
        " case_number, operator, batch_rows, created_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        target.id,
        target.consumer_id,
        target.kind,
        dict(target.address),
        target.secret,
        target.system_id,
        target.purpose.service_item,
        target.purpose.case_number,
        target.purpose.operator,
        target.batch_rows,
        target.created_at,
    )


async def load_target(
    connection: Connection, *, subscription_id: UUID, consumer: str, for_update: bool = False
) -> Target | None:
    """Load the target of a consumer; None where it has none."""
    row = await connection.fetchrow(
        f"{_TARGETS} WHERE c.subscription_id = $1 AND c.name = $2"
        + (" FOR UPDATE OF t" if for_update else ""),
        subscription_id,
        consumer,
    )
    return None if row is None else _target(row)


async def load_targets(connection: Connection, *, subscription_id: UUID) -> list[Target]:
    """Load the targets of a subscription, oldest first."""
    rows = await connection.fetch(
        f"{_TARGETS} WHERE c.subscription_id = $1 ORDER BY t.created_at, t.id", subscription_id
    )
    return [_target(row) for row in rows]


async def claim_targets(connection: Connection, *, owner: UUID, lease_s: float, limit: int) -> list[Target]:
    """Lease targets that have something to be brought to them and that no other worker holds."""
    rows = await connection.fetch(
        "WITH due AS (SELECT t.id FROM subscriptions.target t"
        "  JOIN subscriptions.consumer c ON c.id = t.consumer_id"
        "  JOIN subscriptions.subscription s ON s.id = c.subscription_id"
        "  JOIN exchange.resource r ON r.code = s.resource_code"
        "  WHERE t.state = 'active' AND c.paused_at IS NULL AND t.next_attempt_at <= now()"
        "  AND (t.lease_until IS NULL OR t.lease_until < now())"
        "  AND (c.acked_version <= r.current_version OR EXISTS (SELECT FROM subscriptions.dead_letter d"
        "   WHERE d.target_id = t.id AND d.wanted_at IS NOT NULL AND d.redriven_at IS NULL)"
        "   OR EXISTS (SELECT FROM subscriptions.filter_change f WHERE f.grant_id = s.grant_id"
        "   AND f.epoch >= c.acked_epoch))"
        "  ORDER BY t.next_attempt_at LIMIT $3 FOR UPDATE OF t SKIP LOCKED),"
        " claimed AS (UPDATE subscriptions.target t SET lease_owner = $1,"
        "  lease_until = now() + $2::float8 * interval '1 second' FROM due WHERE t.id = due.id RETURNING t.*)"
        " SELECT t.*, c.subscription_id, c.name AS consumer FROM claimed t"
        " JOIN subscriptions.consumer c ON c.id = t.consumer_id",
        owner,
        lease_s,
        limit,
    )
    return [_target(row) for row in rows]


async def renew_lease(
    connection: Connection, *, target_id: UUID, owner: UUID, lease_s: float
) -> Target | None:
    """Hold on to a target, locked for this transaction, if it is still ours and active; else None."""
    row = await connection.fetchrow(
        "WITH held AS (UPDATE subscriptions.target t"
        "  SET lease_until = now() + $3::float8 * interval '1 second'"
        "  WHERE t.id = $1 AND t.lease_owner = $2 AND t.state = 'active' RETURNING t.*)"
        " SELECT t.*, c.subscription_id, c.name AS consumer FROM held t"
        " JOIN subscriptions.consumer c ON c.id = t.consumer_id WHERE c.paused_at IS NULL",
        target_id,
        owner,
        lease_s,
    )
    return None if row is None else _target(row)


async def release(connection: Connection, *, target_id: UUID, owner: UUID) -> None:
    """Give a lease back."""
    await connection.execute(
        "UPDATE subscriptions.target SET lease_owner = NULL, lease_until = NULL"
        " WHERE id = $1 AND lease_owner = $2",
        target_id,
        owner,
    )


async def save_pending(connection: Connection, *, target_id: UUID, key: UUID, rows: int, sm3: str) -> None:
    """Remember what is about to be sent."""
    await connection.execute(
        "UPDATE subscriptions.target SET pending_key = $2, pending_rows = $3, pending_sm3 = $4 WHERE id = $1",
        target_id,
        key,
        rows,
        sm3,
    )


async def save_success(connection: Connection, *, target_id: UUID, at: datetime | None) -> None:
    """Record that a target took what was sent, or (None) that it was parked; its circuit closes."""
    await connection.execute(
        "UPDATE subscriptions.target SET failures = 0, first_failed_at = NULL, last_error = NULL,"
        " last_success_at = coalesce($2, last_success_at), pending_key = NULL, pending_rows = NULL,"
        " pending_sm3 = NULL,"
        " next_attempt_at = now() WHERE id = $1",
        target_id,
        at,
    )


async def save_failure(
    connection: Connection, *, target_id: UUID, reason: str, wait_s: float, at: datetime
) -> None:
    """Record a failure, and when to try again."""
    await connection.execute(
        "UPDATE subscriptions.target SET failures = failures + 1, last_error = $2,"
        " first_failed_at = coalesce(first_failed_at, $4),"
        " next_attempt_at = now() + $3::float8 * interval '1 second' WHERE id = $1",
        target_id,
        reason,
        wait_s,
        at,
    )


async def save_state(
    connection: Connection, *, target_id: UUID, state: TargetState, reason: str | None
) -> None:
    """Stop a target or let it go on; going on forgets failures, and tries at once."""
    await connection.execute(
        "UPDATE subscriptions.target SET state = $2, state_reason = $3, lease_owner = NULL,"
        " lease_until = NULL,"
        " next_attempt_at = now(), failures = CASE WHEN $2 = 'active' THEN 0 ELSE failures END WHERE id = $1",
        target_id,
        state,
        reason,
    )


async def save_secret(connection: Connection, *, target_id: UUID, secret: bytes | None) -> None:
    """Replace a sealed secret."""
    await connection.execute(
        "UPDATE subscriptions.target SET secret = $2, next_attempt_at = now() WHERE id = $1",
        target_id,
        secret,
    )


async def save_dead_letter(connection: Connection, *, letter: DeadLetter) -> None:
    """Park what a target refused."""
    await connection.execute(
        "INSERT INTO subscriptions.dead_letter (id, target_id, message_key, from_cursor, first_version,"
        " first_sequence, last_version, last_sequence, rows, attempts, reason, parked_at, is_announcement)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        letter.id,
        letter.target_id,
        letter.message_key,
        letter.from_cursor,
        letter.first.version,
        letter.first.sequence,
        letter.last.version,
        letter.last.sequence,
        letter.rows,
        letter.attempts,
        letter.reason,
        letter.parked_at,
        letter.is_announcement,
    )


async def load_dead_letters(
    connection: Connection, *, target_id: UUID, only_wanted: bool = False
) -> list[DeadLetter]:
    """Load what is parked at a target, in the order of its changes; all, or what is to be sent again."""
    rows = await connection.fetch(
        "SELECT * FROM subscriptions.dead_letter WHERE target_id = $1 AND redriven_at IS NULL"
        " AND (NOT $2 OR wanted_at IS NOT NULL) ORDER BY first_version, first_sequence, parked_at LIMIT 1000",
        target_id,
        only_wanted,
    )
    return [_letter(row) for row in rows]


async def want_redrive(
    connection: Connection, *, target_id: UUID, letter_ids: Sequence[UUID], at: datetime
) -> int:
    """Ask for parked changes to be sent again; return how many letters that are."""
    done = await connection.execute(
        "UPDATE subscriptions.dead_letter SET wanted_at = $3 WHERE target_id = $1 AND id = ANY($2)"
        " AND redriven_at IS NULL",
        target_id,
        list(letter_ids),
        at,
    )
    return int(done.rpartition(" ")[2])


async def save_redriven(
    connection: Connection, *, letter_id: UUID, redriven_at: datetime | None, reason: str | None
) -> None:
    """Record that a letter was taken at last, or (`redriven_at` None) refused once more."""
    await connection.execute(
        "UPDATE subscriptions.dead_letter SET redriven_at = $2::timestamptz, attempts = attempts + 1,"
        " reason = coalesce($3, reason),"
        " wanted_at = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE wanted_at END"
        " WHERE id = $1",
        letter_id,
        redriven_at,
        reason,
    )


def _target(row: asyncpg.Record) -> Target:
    return Target(
        id=row["id"],
        consumer_id=row["consumer_id"],
        subscription_id=row["subscription_id"],
        consumer=row["consumer"],
        kind=TargetKind(row["kind"]),
        address=row["address"],
        secret=row["secret"],
        system_id=SystemId(row["system_id"]),
        purpose=Purpose(
            service_item=row["service_item"], case_number=row["case_number"], operator=row["operator"]
        ),
        batch_rows=row["batch_rows"],
        state=TargetState(row["state"]),
        state_reason=row["state_reason"],
        failures=row["failures"],
        first_failed_at=row["first_failed_at"],
        next_attempt_at=row["next_attempt_at"],
        last_error=row["last_error"],
        last_success_at=row["last_success_at"],
        pending_key=row["pending_key"],
        pending_rows=row["pending_rows"],
        pending_sm3=row["pending_sm3"],
        created_at=row["created_at"],
    )


def _letter(row: asyncpg.Record) -> DeadLetter:
    return DeadLetter(
        id=row["id"],
        target_id=row["target_id"],
        message_key=row["message_key"],
        from_cursor=row["from_cursor"],
        first=Position(version=row["first_version"], sequence=row["first_sequence"]),
        last=Position(version=row["last_version"], sequence=row["last_sequence"]),
        rows=row["rows"],
        attempts=row["attempts"],
        reason=row["reason"],
        parked_at=row["parked_at"],
        is_announcement=row["is_announcement"],
        wanted_at=row["wanted_at"],
        redriven_at=row["redriven_at"],
    )
