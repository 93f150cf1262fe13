"""SQL of who read an old value in a feed: by its change, or on a page of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from core.caller import OrganisationCode
from core.database import Connection
from core.database.names import quote_name
from exchange.access.model import RowFilter
from exchange.access.store import compile_row_filter
from exchange.catalogue.store import changes_of
from exchange.objections.model import Holder, HoldingBasis, Objection
from exchange.objections.store import OldValue
from exchange.query.store import write_past_rows

# A feed gave the old value with the change that brought it, or with the rows of a snapshot that it began
# with. Leaves of pages say of which version their snapshot was; those that were written before they did are
# taken for pages of the snapshot that their subscription began with.
_READERS: Final = (
    "WITH d AS (SELECT l.event, l.grant_id, l.body::jsonb -> 'details' AS d FROM core.log_leaf l"
    " WHERE l.resource_code = $1 AND l.event IN ('changes.read', 'subscription.created')),"
    " begun AS (SELECT d ->> 'subscription' AS subscription, (d ->> 'version')::bigint AS version"
    " FROM d WHERE event = 'subscription.created' AND d ->> 'start' = 'start'),"
    " reads AS (SELECT grant_id, d ->> 'subscription' AS subscription,"
    " (d ->> 'snapshot')::bigint AS snapshot,"
    " split_part(d ->> 'from', '.', 1)::bigint AS low, split_part(d ->> 'from', '.', 2)::bigint AS low_place,"
    " split_part(d ->> 'to', '.', 1)::bigint AS high, split_part(d ->> 'to', '.', 2)::bigint AS high_place"
    " FROM d WHERE event = 'changes.read' AND d -> 'items' ? $2),"
    " told AS (SELECT *, (low, low_place) <= ($3, $5) AND (high, high_place) >= ($3, $5)"
    " AND snapshot IS DISTINCT FROM $3 OR snapshot IS NULL AND begun.version >= $3 AND begun.version < $4"
    " AND low = begun.version AS has_change, snapshot >= $3 AND snapshot < $4 AS has_rows"
    " FROM reads LEFT JOIN begun USING (subscription))"
    " SELECT g.id, g.organisation_code, bool_or(has_change) AS has_change,"
    " coalesce(jsonb_agg(DISTINCT jsonb_build_array(snapshot, CASE WHEN low = snapshot THEN low_place ELSE 0"
    " END, CASE WHEN high = snapshot THEN high_place END)) FILTER (WHERE has_rows), '[]') AS pages"
    " FROM told JOIN exchange.grant_ g ON g.id = told.grant_id"
    " WHERE has_change OR has_rows GROUP BY g.id, g.organisation_code"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A grant whose subscriptions may have read an old value: with its change, or on a page of a snapshot.

    `pages` are (version of the snapshot, first place, last place; None: to its end).
    """

    holder: Holder
    has_change: bool
    pages: tuple[tuple[int, int, int | None], ...]


async def load_readers(connection: Connection, *, objection: Objection, old: OldValue) -> list[Reader]:
    """Load the grants whose subscriptions may have read the old value, from the delivery records.

    Whether the row lay within each grant's row filter, and on which page of a snapshot, is for the caller to
    look at.
    """
    rows = await connection.fetch(
        _READERS,
        objection.resource_code,
        objection.item,
        old.first,
        old.corrected,
        old.first_sequence,
    )
    return [
        Reader(
            holder=Holder(
                organisation_code=OrganisationCode(row["organisation_code"]),
                grant_id=row["id"],
                basis=HoldingBasis.SUBSCRIPTION,
            ),
            has_change=row["has_change"] is True,
            pages=tuple((version, first, last) for version, first, last in row["pages"]),
        )
        for row in rows
    ]


async def load_sharers(connection: Connection, *, objection: Objection, old: OldValue) -> list[Holder]:
    """Load the grants whose shares were read with the old value in them: whole, or the change to it.

    Files that a reader's own hints left out count as read. Whether the row lay within each grant's row filter
    is for the caller to look at.
    """
    rows = await connection.fetch(
        "WITH d AS (SELECT l.grant_id, l.body::jsonb -> 'details' AS d FROM core.log_leaf l"
        " WHERE l.resource_code = $1 AND l.event = 'share.read'),"
        " reads AS (SELECT grant_id, d ->> 'kind' AS kind, (d ->> 'from')::bigint AS low,"
        " (d ->> 'to')::bigint AS high FROM d WHERE d -> 'items' ? $2 AND (d ->> 'rows')::bigint > 0)"
        " SELECT DISTINCT g.id, g.organisation_code FROM reads"
        " JOIN exchange.grant_ g ON g.id = reads.grant_id"
        " WHERE CASE kind WHEN 'snapshot' THEN high >= $3 AND high < $4 ELSE low <= $3 AND high >= $3 END",
        objection.resource_code,
        objection.item,
        old.first,
        old.corrected,
    )
    return [
        Holder(
            organisation_code=OrganisationCode(row["organisation_code"]),
            grant_id=row["id"],
            basis=HoldingBasis.SHARE,
        )
        for row in rows
    ]


async def load_snapshot_place(
    connection: Connection,
    *,
    resource_code: str,
    keys: Mapping[str, object],
    row_filter: RowFilter,
    version: int,
) -> int | None:
    """Return the place of a key in a snapshot at `version`, counted from 1; None where it is not there."""
    parameters: list[object] = [version]
    passes = compile_row_filter(row_filter, row="(d.held)", parameters=parameters)
    columns = ", ".join(f"(d.held).{quote_name(name)}" for name in keys)
    first = len(parameters) + 1
    parameters += keys.values()
    places = ", ".join(f"${first + number}" for number in range(len(keys)))
    row = await connection.fetchrow(
        f"SELECT count(*) AS place, bool_or(({columns}) = ({places})) AS is_there"
        f" FROM {write_past_rows(resource_code, list(keys), version='$1')}"
        f" WHERE {passes} AND ({columns}) <= ({places})",
        *parameters,
    )
    return int(row["place"]) if row is not None and row["is_there"] else None


async def was_within(
    connection: Connection,
    *,
    objection: Objection,
    key_items: Sequence[str],
    row_filter: RowFilter,
    corrected: int,
) -> bool:
    """Tell whether the row lay within a row filter just before its correction."""
    parameters: list[object] = [corrected, list(objection.row_key)]
    passes = compile_row_filter(row_filter, row="(c._before)", parameters=parameters)
    same = " AND ".join(
        f"(c._before).{quote_name(name)}::text = ($2::text[])[{number}]"
        for number, name in enumerate(key_items, start=1)
    )
    return bool(
        await connection.fetchval(
            f"SELECT coalesce(bool_or({passes}), false) FROM {changes_of(objection.resource_code)} c"
            f" WHERE c._version = $1 AND c._operation <> 'insert' AND {same}",
            *parameters,
        )
    )
