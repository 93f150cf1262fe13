"""All SQL of cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Final
from uuid import UUID

import asyncpg

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from core.database.writes import Writes
from core.identity.store_standing import write_mark
from evidence.cases.model import BundleReference, Case
from evidence.sources.model import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact of a case as kept; `mark` digests what it came to, where the hub may check it again."""

    fact: str
    outcome: Outcome
    code: str
    established_at: datetime | None
    reused_from: UUID | None
    reuse_key: bytes | None
    mark: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOrder:
    """The order of a case under seal, and the system that sent it, in whose name the hub checks again."""

    sealed: bytes
    system_id: SystemId


@dataclass(frozen=True, slots=True, kw_only=True)
class Reusable:
    """A fact that a case established by itself."""

    case_id: UUID
    fact: str
    established_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisRow:
    """What a fact of a case rests on, as kept."""

    fact: str
    way: int
    kind: str
    outcome: Outcome
    source: str
    source_version: int | None
    row_key: bytes | None
    certificate_id: str | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCounts:
    """The counts of one run."""

    took_ms: int
    calls: int
    required: int
    supplied: int
    waived: int
    undertaken: int
    remaining: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCase:
    """A case of an office, if there is one, with number and digest of the item's released rules.

    `mark` is that of the caller's token (see `core.identity.store_standing`).
    """

    case: Case | None
    released: tuple[int, str] | None
    mark: str | None


_COUNTS: Final = attrgetter("took_ms", "calls", "required", "supplied", "waived", "undertaken", "remaining")
_FACT_COLUMNS: Final = tuple(
    map(attrgetter, ("fact", "outcome", "code", "established_at", "reused_from", "reuse_key"))
)
_BASIS_COLUMNS: Final = tuple(
    map(
        attrgetter,
        (
            "fact",
            "way",
            "kind",
            "outcome",
            "source",
            "source_version",
            "row_key",
            "certificate_id",
            "as_of",
        ),
    )
)


async def load_case(
    connection: Connection,
    *,
    organisation_code: str,
    item_code: str,
    case_number: str,
    token_hash: bytes | None = None,
    lock: bool = False,
) -> OpenCase:
    """Load the case of an office by item and number; `lock` holds it until the transaction ends."""
    row = await connection.fetchrow(
        "WITH c AS MATERIALIZED (SELECT * FROM evidence.case_ WHERE organisation_code = $1 AND item_code = $2"
        f" AND case_number = $3{' FOR UPDATE' if lock else ''})"
        f" SELECT v.version AS released, v.digest_sm3, {write_mark('$4')} AS mark, c.*"
        " FROM (SELECT $2::text AS code) i"
        " LEFT JOIN evidence.item_version v ON v.item_code = i.code AND v.state = 'released'"
        " LEFT JOIN c ON true",
        organisation_code,
        item_code,
        case_number,
        token_hash,
    )
    assert row is not None
    return OpenCase(
        case=None if row["id"] is None else _case(row),
        released=None if row["released"] is None else (row["released"], row["digest_sm3"]),
        mark=row["mark"],
    )


async def load_case_by_id(connection: Connection, *, case_id: UUID) -> Case | None:
    """Load a case by its id."""
    row = await connection.fetchrow("SELECT * FROM evidence.case_ WHERE id = $1", case_id)
    return None if row is None else _case(row)


async def lock_case(connection: Connection, *, case_id: UUID) -> Case:
    """Load a case that is there, and hold it until the transaction ends."""
    row = await connection.fetchrow("SELECT * FROM evidence.case_ WHERE id = $1 FOR UPDATE", case_id)
    assert row is not None
    return _case(row)


def write_run(
    writes: Writes,
    *,
    case: Case,
    outcomes: Mapping[str, str],
    marks: Mapping[str, str],
    at: datetime,
    facts: Sequence[FactRow],
    bases: Sequence[BasisRow],
    counts: RunCounts,
    order: KeptOrder | None,
) -> int:
    """Write the run of a case that comes after `case.runs`, in the place of the run before, as the first.

    `order` is kept where the case's rules have the hub check again by itself. Returns the place of whether
    the run was saved. Where it was not, another run of the case was saved meanwhile, and the transaction has
    to be undone.
    """
    assert not writes.parameters
    for name, statement in _SAVE_RUN.items():
        writes.add(name, statement)
    writes.parameters += [case.id, case.runs + 1, at, list(_COUNTS(counts))]
    writes.parameters += [[read(each) for each in facts] for read in _FACT_COLUMNS]
    writes.parameters += [[read(each) for each in bases] for read in _BASIS_COLUMNS]
    bundle = case.bundle
    writes.parameters += [
        case.organisation_code,
        case.item_code,
        case.item_version,
        case.case_number,
        None if bundle is None else bundle.code,
        None if bundle is None else bundle.reference,
        dict(outcomes),
        dict(marks),
        [each.mark for each in facts],
    ]
    if order is not None:
        writes.add("ordered", _SAVE_ORDER)
        writes.parameters += [order.sealed, order.system_id]
    return writes.ask("(SELECT count(*) > 0 FROM saved)")


_SAVE_RUN: Final = {
    "saved": "INSERT INTO evidence.case_ AS c (id, organisation_code, item_code, item_version,"
    " case_number, bundle_code, bundle_reference, opened_at, last_run_at, runs, outcomes, marks)"
    " VALUES ($1, $20, $21, $22, $23, $24, $25, $3, $3, 1, $26, $27)"
    " ON CONFLICT ON CONSTRAINT case_number_unique DO UPDATE SET runs = c.runs + 1,"
    " last_run_at = EXCLUDED.last_run_at, outcomes = EXCLUDED.outcomes, marks = EXCLUDED.marks"
    " WHERE c.id = $1 AND c.runs = $2 - 1 RETURNING id",
    "gone": "DELETE FROM evidence.case_basis WHERE case_id = $1 AND $2 > 1"
    " AND NOT (fact, way) IN (SELECT * FROM unnest($11::text[], $12::integer[]))",
    "left_out": "DELETE FROM evidence.case_fact WHERE case_id = $1 AND $2 > 1 AND NOT fact = ANY($5::text[])",
    "ran": "INSERT INTO evidence.case_run SELECT s.id, $2, $3, u[1], u[2], u[3], u[4], u[5], u[6], u[7]"
    " FROM saved s, (SELECT $4::integer[] AS u) c",
    "found": "INSERT INTO evidence.case_fact (case_id, fact, outcome, code, established_at,"
    " reused_from, reuse_key, mark)"
    " SELECT s.id, f.* FROM saved s, unnest($5::text[], $6::text[], $7::text[], $8::timestamptz[],"
    " $9::uuid[], $10::bytea[], $28::bytea[]) f"
    " ON CONFLICT ON CONSTRAINT case_fact_pk DO UPDATE SET outcome = EXCLUDED.outcome,"
    " code = EXCLUDED.code, established_at = EXCLUDED.established_at,"
    " reused_from = EXCLUDED.reused_from, reuse_key = EXCLUDED.reuse_key, mark = EXCLUDED.mark",
    "rests": "INSERT INTO evidence.case_basis (case_id, fact, way, kind, outcome, source, source_version,"
    " row_key, certificate_id, as_of)"
    " SELECT s.id, b.* FROM saved s, unnest($11::text[], $12::integer[], $13::text[], $14::text[],"
    " $15::text[], $16::bigint[], $17::bytea[], $18::text[], $19::timestamptz[]) b"
    " ON CONFLICT ON CONSTRAINT case_basis_pk DO UPDATE SET kind = EXCLUDED.kind,"
    " outcome = EXCLUDED.outcome, source = EXCLUDED.source, source_version = EXCLUDED.source_version,"
    " row_key = EXCLUDED.row_key, certificate_id = EXCLUDED.certificate_id, as_of = EXCLUDED.as_of",
}


_SAVE_ORDER: Final = (
    "INSERT INTO evidence.case_order (case_id, sealed, system_id)"
    " SELECT s.id, $29::bytea, $30::uuid FROM saved s"
    " ON CONFLICT ON CONSTRAINT case_order_pk DO UPDATE SET sealed = EXCLUDED.sealed,"
    " system_id = EXCLUDED.system_id"
)


async def load_order(connection: Connection, *, case_id: UUID) -> KeptOrder | None:
    """Load the order that is kept of a case; None where none is."""
    row = await connection.fetchrow(
        "SELECT sealed, system_id FROM evidence.case_order WHERE case_id = $1", case_id
    )
    return None if row is None else KeptOrder(sealed=row["sealed"], system_id=SystemId(row["system_id"]))


async def load_reusable(connection: Connection, *, keys: Sequence[bytes]) -> dict[bytes, Reusable]:
    """Load, for each reuse key, the newest case that established it by itself, and when.

    What the hub saw change since then, in whichever case, is left out, unless it found it to be as it was.
    """
    rows = await connection.fetch(
        "SELECT DISTINCT ON (f.reuse_key) f.reuse_key, f.case_id, f.fact, f.established_at"
        " FROM evidence.case_fact f"
        " WHERE f.reuse_key = ANY($1::bytea[]) AND f.outcome = 'supplied' AND f.reused_from IS NULL"
        " AND NOT EXISTS (SELECT FROM evidence.case_fact g JOIN evidence.cascade_effect e"
        " ON e.case_id = g.case_id AND e.fact = g.fact WHERE g.reuse_key = f.reuse_key"
        " AND e.made_at >= f.established_at AND e.finding IS DISTINCT FROM 'held')"
        " ORDER BY f.reuse_key, f.established_at DESC",
        list(keys),
    )
    return {
        row["reuse_key"]: Reusable(
            case_id=row["case_id"], fact=row["fact"], established_at=row["established_at"]
        )
        for row in rows
    }


async def load_facts(connection: Connection, *, case_id: UUID) -> list[FactRow]:
    """Load the facts of a case as its last run left them."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.case_fact WHERE case_id = $1 ORDER BY fact", case_id
    )
    return [
        FactRow(
            fact=row["fact"],
            outcome=Outcome(row["outcome"]),
            code=row["code"],
            established_at=row["established_at"],
            reused_from=row["reused_from"],
            reuse_key=row["reuse_key"],
            mark=row["mark"],
        )
        for row in rows
    ]


async def load_bases(connection: Connection, *, case_id: UUID) -> list[BasisRow]:
    """Load what the facts of a case rest on."""
    rows = await connection.fetch(
        "SELECT * FROM evidence.case_basis WHERE case_id = $1 ORDER BY fact, way", case_id
    )
    return [_basis(row) for row in rows]


async def load_bases_of(
    connection: Connection, *, facts: Sequence[Reusable]
) -> dict[tuple[UUID, str], list[BasisRow]]:
    """Load what facts rest on, each in the order of its ways: (case, fact) → rows."""
    rows = await connection.fetch(
        "SELECT b.* FROM evidence.case_basis b JOIN unnest($1::uuid[], $2::text[]) AS f (case_id, fact)"
        " USING (case_id, fact) ORDER BY b.way",
        [each.case_id for each in facts],
        [each.fact for each in facts],
    )
    found: defaultdict[tuple[UUID, str], list[BasisRow]] = defaultdict(list)
    for row in rows:
        found[UUID(str(row["case_id"])), row["fact"]].append(_basis(row))
    return dict(found)


async def close_case(connection: Connection, *, case_id: UUID, at: datetime) -> bool:
    """Close a case, and erase its order; False where it is closed already."""
    done = await connection.execute(
        "WITH erased AS (DELETE FROM evidence.case_order WHERE case_id = $1)"
        " UPDATE evidence.case_ SET closed_at = $2 WHERE id = $1 AND closed_at IS NULL",
        case_id,
        at,
    )
    return done.endswith(" 1")


def _basis(row: asyncpg.Record) -> BasisRow:
    return BasisRow(
        fact=row["fact"],
        way=row["way"],
        kind=row["kind"],
        outcome=Outcome(row["outcome"]),
        source=row["source"],
        source_version=row["source_version"],
        row_key=row["row_key"],
        certificate_id=row["certificate_id"],
        as_of=row["as_of"],
    )


def _case(row: asyncpg.Record) -> Case:
    bundle = None
    if row["bundle_code"] is not None:
        bundle = BundleReference(code=row["bundle_code"], reference=row["bundle_reference"])
    return Case(
        id=row["id"],
        organisation_code=OrganisationCode(row["organisation_code"]),
        item_code=row["item_code"],
        item_version=row["item_version"],
        case_number=row["case_number"],
        bundle=bundle,
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        last_run_at=row["last_run_at"],
        runs=row["runs"],
        outcomes=row["outcomes"],
        marks=row["marks"],
    )
