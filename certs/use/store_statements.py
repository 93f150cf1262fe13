"""The one statement that reads for verifying what is said about certificates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from certs.issue.model import CertificateStatus, read_status
from certs.types.model import ANY_SERVICE_ITEM
from core.caller import Caller
from core.database import Connection
from core.identity.store_standing import MARK, STANDING_TOKENS

MAX_OF_NUMBER: Final = 50
# Each array stands in a SELECT of its own. Of a bare one PostgreSQL counts the elements, and plans the
# statement anew each time, for as many: that takes three times as long as the reading.
_LOAD: Final = (
    "SELECT asked.place,"
    f" (SELECT {MARK} FROM {STANDING_TOKENS} AND t.token_hash = asked.token_hash) AS mark,"
    " (SELECT count(*) > 0 FROM certs.certificate_type y WHERE y.code = asked.type_code) AS is_type,"
    " (SELECT count(*) > 0 FROM certs.type_service_item s WHERE s.type_code = asked.type_code"
    f" AND s.service_item IN (asked.service_item, '{ANY_SERVICE_ITEM}')) AS serves,"
    " c.identifier, c.holder_name, c.holder_code, c.holder_code_type, c.issuer_code, c.status, c.valid_from,"
    " c.valid_until, CASE WHEN asked.with_data THEN c.data END AS data"
    " FROM unnest((SELECT $1::integer[]), (SELECT $2::text[]), (SELECT $3::text[]), (SELECT $4::text[]),"
    " (SELECT $5::bytea[]), (SELECT $6::boolean[]))"
    " AS asked (place, type_code, number, service_item, token_hash, with_data)"
    " LEFT JOIN LATERAL (SELECT * FROM certs.certificate k"
    " WHERE k.number = asked.number AND k.type_code = asked.type_code"
    f" ORDER BY k.created_at DESC, k.version DESC, k.identifier LIMIT {MAX_OF_NUMBER}) c ON true"
    " ORDER BY asked.place, c.created_at DESC, c.version DESC, c.identifier"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedCertificate:
    """What a statement about a certificate is held against; `data` is empty where it was not asked for."""

    identifier: str
    holder_name: str
    holder_code: str = field(repr=False)
    holder_code_type: str
    issuer_code: str
    status: CertificateStatus
    valid_from: date
    valid_until: date | None
    data: Mapping[str, str] = field(repr=False)

    def status_on(self, day: date) -> CertificateStatus:
        """Tell the status on a day of China time, counting validity in."""
        return read_status(self.status, valid_from=self.valid_from, valid_until=self.valid_until, day=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which certificates a statement is about, who makes it, and for a case of which service item.

    `with_data` where it says something of their data.
    """

    type_code: str
    number: str
    service_item: str
    caller: Caller
    with_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the register has: the certificates of that type and number, newest first.

    `mark` is that of who asks, `serves` whether such cases may use certificates of the type by function; it
    is true for a type that is not registered, of which there is nothing to keep.
    """

    mark: str | None
    serves: bool
    certificates: list[StatedCertificate]


async def load_stated(connection: Connection, *, asked: Sequence[Asked]) -> list[Stated]:
    """Load what the register has for each statement, in their order."""
    standings = [each.caller.standing for each in asked]
    rows = await connection.fetch(
        _LOAD,
        list(range(len(asked))),
        [each.type_code for each in asked],
        [each.number for each in asked],
        [each.service_item for each in asked],
        [None if each is None else each.token_hash for each in standings],
        [each.with_data for each in asked],
    )
    found: dict[int, Stated] = {}
    for row in rows:
        fields = dict(row)
        place, mark = fields.pop("place"), fields.pop("mark")
        serves, is_type = fields.pop("serves"), fields.pop("is_type")
        stated = found.setdefault(place, Stated(mark=mark, serves=serves or not is_type, certificates=[]))
        if fields["identifier"] is not None:
            fields["status"] = CertificateStatus(fields["status"])
            fields["data"] = fields["data"] or {}
            stated.certificates.append(StatedCertificate(**fields))
    return [found[place] for place in range(len(asked))]
