"""What an item's ways stand on: its office's grants, what was published and issued, who provides it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from core.database import Connection
from evidence.rules.against import Holdings, load_holdings
from evidence.rules.model import ServiceItem
from exchange.access.model import Grant
from exchange.access.store import load_grants_in_force
from exchange.catalogue.store import load_versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What there is. `published_at` has the newest version of each resource, `issued` types with holders."""

    holdings: Holdings
    grants: Mapping[str, Sequence[Grant]]
    published_at: Mapping[str, datetime]
    issued: frozenset[str]
    names: Mapping[str, str]
    at: datetime


async def load_ground(connection: Connection, item: ServiceItem, *, at: datetime) -> Ground:
    """Load what the ways of an item stand on."""
    holdings = await load_holdings(connection, item)
    grants: dict[str, Sequence[Grant]] = {}
    published: dict[str, datetime] = {}
    for code in holdings.resources:
        grants[code] = await load_grants_in_force(
            connection, resource_code=code, organisation_code=item.office, at=at
        )
        for version in await load_versions(connection, code=code, limit=1):
            committed = version["committed_at"]
            assert isinstance(committed, datetime)
            published[code] = committed
    codes = {each.provider_code for each in holdings.resources.values()} | holdings.organisations
    codes |= {each.defining_body_code for each in holdings.types.values()}
    return Ground(
        holdings=holdings,
        grants=grants,
        published_at=published,
        issued=await _load_issued(connection, sorted(holdings.types)),
        names=await _load_names(connection, sorted(codes)),
        at=at,
    )


async def _load_issued(connection: Connection, codes: Sequence[str]) -> frozenset[str]:
    rows = await connection.fetch(
        "SELECT code FROM unnest($1::text[]) AS code"
        " WHERE EXISTS (SELECT FROM certs.certificate c WHERE c.type_code = code)",
        list(codes),
    )
    return frozenset(row["code"] for row in rows)


async def _load_names(connection: Connection, codes: Sequence[str]) -> dict[str, str]:
    rows = await connection.fetch(
        "SELECT code, name FROM core.organisation WHERE code = ANY($1::text[])", list(codes)
    )
    return {row["code"]: row["name"] for row in rows}
