"""All SQL of verification: the subjects' rows, and the mismatch budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from core.caller import SystemId
from core.database import Connection
from core.database.gathering import Gathering, Row
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.access.store_ground import Claim
from exchange.catalogue.formats import parse_format
from exchange.catalogue.model import Resource
from exchange.catalogue.store import table_of
from exchange.query.store import disputed_items, row_digest

ROWS_THAT_TELL: Final = 2
_FIXED_COLUMNS: Final = 6  # subject, version, its time, mismatches, whether there is a row, what is wrong
_COUNT_JOIN: Final = (
    " LEFT JOIN exchange.mismatch_count m ON m.system_id = {system} AND m.subject_hmac = q.h"
    " AND m.counted_on = {day}"
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

    def write_charge(self, parameters: list[object], *, system: str, day: str) -> str:
        """Write the call that counts what was wrong before, and charges what is wrong now."""
        parameters += [self.lock, self.budget]
        lock, budget = len(parameters) - 1, len(parameters)
        wrong = "coalesce(found._wrong, 0)"
        return f"exchange.charge_mismatches(${lock}, {system}, q.h, {day}, {wrong}, ${budget}::int)"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenSubjects:
    """A reading of subjects within a statement, and which columns of it are what."""

    number: int
    items: tuple[str, ...]
    subjects: int
    with_disputes: bool
    with_digest: bool
    claim: Claim | None
    bid: Bid | None


def write_subjects(
    gathering: Gathering,
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
) -> WrittenSubjects:
    """Write the reading of many subjects' rows, all named by the same key items `names`, in one snapshot.

    Only the columns `items` are selected. Values travel as parameters, names quoted. With a `claim` the
    database proves what the call stands on in the same statement; `read_subjects` raises GroundChanged where
    it is otherwise, and then no row has left the database. With a `bid` for the one subject, values that are
    not the very ones on record are charged to its budget in the same statement, so that others cannot guess
    meanwhile.
    """
    place, parameters = gathering.place, gathering.parameters
    code, system, day = place(resource.code), place(system_id), place(counted_on)
    asked = _write_subjects(resource, names, subjects, budget_keys, parameters)
    tests = [compile_row_filter(row_filter, row="d", parameters=parameters)]
    tests += [f"d.{quote_name(name)} = q.k{n}" for n, name in enumerate(names)]
    counted, joined, wrong = "coalesce(m.mismatches, 0)", _COUNT_JOIN.format(system=system, day=day), "0"
    if bid is not None:
        counted, joined = bid.write_charge(parameters, system=system, day=day), ""
        wrong = bid.write_wrong(parameters)
    keys = [item.name for item in resource.key_items]
    columns = "".join(f", d.{quote_name(name)} AS {quote_name(f'i{n}')}" for n, name in enumerate(items))
    if with_disputes:
        columns += f", {disputed_items('d', keys, code=code, items=place(list(items)))} AS _disputed"
    if row_salt is not None:
        columns += f", {row_digest('d', keys, salt=place(row_salt))} AS _digest"
    proved = "" if claim is None else f" AND {claim.write(parameters)}"
    number = gathering.add(
        "SELECT q.n, r.current_version AS _at, v.committed_at AS _as_of,"
        f" {counted} AS _mismatches, found.*"
        " FROM exchange.resource r LEFT JOIN exchange.version v"
        " ON v.resource_code = r.code AND v.version = r.current_version"
        f" CROSS JOIN {asked}{joined}"
        f" LEFT JOIN LATERAL (SELECT true AS _found, {wrong} AS _wrong{columns}"
        f" FROM {table_of(resource.code)} d WHERE {' AND '.join(tests)} LIMIT {ROWS_THAT_TELL}) found ON true"
        f" WHERE r.code = {code}{proved} ORDER BY q.n"
    )
    return WrittenSubjects(
        number=number,
        items=tuple(items),
        subjects=len(subjects),
        with_disputes=with_disputes,
        with_digest=row_salt is not None,
        claim=claim,
        bid=bid,
    )


def read_subjects(written: WrittenSubjects, found: Sequence[Sequence[Row]]) -> list[SubjectRows]:
    """Read what `write_subjects` asked for, in the order of the subjects. Raises GroundChanged."""
    rows, bid = found[written.number], written.bid
    if written.claim is not None:
        written.claim.take(rows)
    grouped: list[list[Row]] = [[] for _ in range(written.subjects)]
    for row in rows:
        grouped[row[0] - 1].append(row)
    read = [_subject_rows(each, written) for each in grouped]
    if bid is None or read[0].mismatches >= bid.budget:
        return read
    return [replace(read[0], charged=rows[0][_FIXED_COLUMNS - 1] or 0)]


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


def _subject_rows(found: Sequence[Row], written: WrittenSubjects) -> SubjectRows:
    _, version, as_of, mismatches = found[0][: _FIXED_COLUMNS - 2]
    width = _FIXED_COLUMNS + len(written.items)
    present = [row for row in found if row[_FIXED_COLUMNS - 2] is not None]
    only = present[0] if len(present) == 1 else None
    return SubjectRows(
        version=version,
        as_of=as_of,
        mismatches=mismatches,
        rows=tuple(dict(zip(written.items, row[_FIXED_COLUMNS:width], strict=True)) for row in present),
        disputed=frozenset(only[width] if only is not None and written.with_disputes else ()),
        digest=only[width + written.with_disputes] if only is not None and written.with_digest else None,
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
