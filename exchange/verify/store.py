"""All SQL of verification: the subjects' rows, and the mismatch budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

import asyncpg

from core.caller import SystemId
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.access.store_ground import Claim
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.store import table_of
from exchange.query.store import disputed_items, row_digest

ROWS_THAT_TELL = 2
_COUNT_JOIN = (
    " LEFT JOIN exchange.mismatch_count m ON m.system_id = $2 AND m.subject_hmac = q.h AND m.counted_on = $3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bid:
    """Values asserted of one subject by item, the advisory lock of its budget, and its size a day."""

    asserted: Mapping[str, object]
    lock: int
    budget: int

    def write_wrong(self, parameters: list[object]) -> str:
        """Write how many of the values are not the ones in row `d`. A column without a value is not wrong."""
        tests = []
        for name, value in self.asserted.items():
            parameters.append(value)
            tests.append(f"coalesce((d.{quote_name(name)} <> ${len(parameters)})::int, 0)")
        return " + ".join(tests) or "0"

    def write_charge(self, parameters: list[object]) -> str:
        """Write the call that counts what was wrong before, and charges what is wrong now."""
        parameters += [self.lock, self.budget]
        lock, budget = len(parameters) - 1, len(parameters)
        return f"exchange.charge_mismatches(${lock}, $2, q.h, $3, coalesce(found._wrong, 0), ${budget}::int)"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectRows:
    """What is recorded of one subject: at most two rows, and how many mismatches were counted today.

    `charged` were added to the day's as these rows were read, and are not among `mismatches`.
    """

    version: int
    as_of: datetime | None
    mismatches: int
    rows: tuple[Mapping[str, object], ...]
    disputed: frozenset[str]
    digest: bytes | None
    charged: int = 0


async def lock_subjects(connection: Connection, *, locks: Sequence[int]) -> None:
    """Take advisory locks until the transaction ends, in the order given."""
    await connection.execute(
        "SELECT count(pg_advisory_xact_lock(l)) FROM unnest($1::bigint[]) l", list(locks)
    )


async def load_subjects(
    connection: Connection,
    *,
    resource: Resource,
    names: Sequence[str],
    subjects: Sequence[Mapping[str, object]],
    items: Sequence[str],
    row_filter: RowFilter,
    system_id: SystemId,
    budget_keys: Sequence[bytes],
    counted_on: date,
    with_disputes: bool,
    row_salt: bytes | None,
    claim: Claim | None = None,
    bid: Bid | None = None,
) -> list[SubjectRows]:
    """Load the rows of many subjects, all named by the same key items `names`, in one statement and snapshot.

    Only the columns `items` are selected. Values travel as parameters, names quoted. With a `claim` the
    database proves what the call stands on in the same statement; raises GroundChanged where it is otherwise,
    and then no row has left the database. With a `bid` for the one subject, values that are not the very ones
    on record are charged to its budget in the same statement, so that others cannot guess meanwhile.
    """
    parameters: list[object] = [resource.code, system_id, counted_on]
    asked = _write_subjects(resource, names, subjects, budget_keys, parameters)
    tests = [compile_row_filter(row_filter, row="d", parameters=parameters)]
    tests += [f"d.{quote_name(name)} = q.k{n}" for n, name in enumerate(names)]
    counted, joined, wrong = "coalesce(m.mismatches, 0)", _COUNT_JOIN, "0"
    if bid is not None:
        counted, joined, wrong = bid.write_charge(parameters), "", bid.write_wrong(parameters)
    keys = [item.name for item in resource.key_items]
    columns = "".join(f", d.{quote_name(name)} AS {quote_name(f'i{n}')}" for n, name in enumerate(items))
    if with_disputes:
        parameters.append(list(items))
        columns += f", {disputed_items('d', keys, items_place=len(parameters))} AS _disputed"
    if row_salt is not None:
        parameters.append(row_salt)
        columns += f", {row_digest('d', keys, salt_place=len(parameters))} AS _digest"
    columns += f", {wrong} AS _wrong"
    proved = "" if claim is None else f" AND {claim.write(parameters)}"
    rows = await connection.fetch(
        "SELECT q.n, r.current_version AS _at, v.committed_at AS _as_of,"
        f" {counted} AS _mismatches, found.*"
        " FROM exchange.resource r LEFT JOIN exchange.version v"
        " ON v.resource_code = r.code AND v.version = r.current_version"
        f" CROSS JOIN {asked}{joined}"
        f" LEFT JOIN LATERAL (SELECT true AS _found{columns} FROM {table_of(resource.code)} d"
        f" WHERE {' AND '.join(tests)} LIMIT {ROWS_THAT_TELL}) found ON true WHERE r.code = $1{proved}"
        " ORDER BY q.n",
        *parameters,
    )
    if claim is not None:
        claim.take(rows)
    with_digest = row_salt is not None
    found = _group_rows(rows, len(subjects), items, with_disputes=with_disputes, with_digest=with_digest)
    if bid is None or found[0].mismatches >= bid.budget:
        return found
    return [replace(found[0], charged=rows[0]["_wrong"] or 0)]


def _write_subjects(
    resource: Resource,
    names: Sequence[str],
    subjects: Sequence[Mapping[str, object]],
    budget_keys: Sequence[bytes],
    parameters: list[object],
) -> str:
    """Write the subjects as rows `q`: key of the budget `h`, key values `k0`, `k1`, …, number `n` from 1.

    One subject goes as plain values: PostgreSQL takes an array of unknown length for ten rows, and would plan
    the statement anew for every call.
    """
    types = ["bytea"]
    values: list[list[object]] = [list(budget_keys)]
    for name in names:
        item = resource.item(name)
        assert item is not None
        types.append(_array_type(item.format))
        values.append([subject[name] for subject in subjects])
    first = len(parameters) + 1
    fields = ", ".join(["h", *(f"k{n}" for n in range(len(names))), "n"])
    if len(subjects) == 1:
        parameters += [each[0] for each in values]
        places = ", ".join(f"${first + n}::{kind}" for n, kind in enumerate(types))
        return f"(SELECT {places}, 1::bigint) AS q({fields})"
    parameters += values
    places = ", ".join(f"${first + n}::{kind}[]" for n, kind in enumerate(types))
    return f"unnest({places}) WITH ORDINALITY AS q({fields})"


def _group_rows(
    rows: Sequence[asyncpg.Record],
    number: int,
    items: Sequence[str],
    *,
    with_disputes: bool,
    with_digest: bool,
) -> list[SubjectRows]:
    grouped: list[list[Mapping[str, object]]] = [[] for _ in range(number)]
    for row in rows:
        grouped[row["n"] - 1].append(row)
    return [
        _subject_rows(found, items, with_disputes=with_disputes, with_digest=with_digest) for found in grouped
    ]


def _subject_rows(
    found: Sequence[Mapping[str, object]], items: Sequence[str], *, with_disputes: bool, with_digest: bool
) -> SubjectRows:
    first = found[0]
    present = [row for row in found if row["_found"] is not None]
    only = present[0] if len(present) == 1 else None
    version, as_of, mismatches = first["_at"], first["_as_of"], first["_mismatches"]
    assert isinstance(version, int)
    assert isinstance(mismatches, int)
    assert as_of is None or isinstance(as_of, datetime)
    disputed = only["_disputed"] if only is not None and with_disputes else ()
    digest = only["_digest"] if only is not None and with_digest else None
    assert isinstance(disputed, list | tuple)
    assert digest is None or isinstance(digest, bytes)
    return SubjectRows(
        version=version,
        as_of=as_of,
        mismatches=mismatches,
        rows=tuple({name: row[f"i{n}"] for n, name in enumerate(items)} for row in present),
        disputed=frozenset(map(str, disputed)),
        digest=digest,
    )


def _array_type(form: str) -> str:
    """Return the type of a parameter for values of a format: without a scale, to which it would round."""
    return parse_format(form).sql_type.partition("(")[0]


async def add_mismatches(
    connection: Connection, *, system_id: SystemId, counted_on: date, counts: Mapping[bytes, int]
) -> None:
    """Add to today's counts, by subject; the caller holds the subjects' locks."""
    ordered = sorted(counts.items())
    await connection.execute(
        "INSERT INTO exchange.mismatch_count AS c (system_id, subject_hmac, counted_on, mismatches)"
        " SELECT $1, h, $2, n FROM unnest($3::bytea[], $4::int[]) AS t(h, n)"
        " ON CONFLICT ON CONSTRAINT mismatch_count_pk"
        " DO UPDATE SET mismatches = c.mismatches + EXCLUDED.mismatches",
        system_id,
        counted_on,
        [key for key, _ in ordered],
        [count for _, count in ordered],
    )


async def delete_mismatches(connection: Connection, *, before: date) -> None:
    """Delete counts of days before `before`."""
    await connection.execute("DELETE FROM exchange.mismatch_count WHERE counted_on < $1", before)
