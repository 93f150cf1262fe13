"""Who calls, for whom and why: the words that every package above shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType
from uuid import UUID

OrganisationCode = NewType("OrganisationCode", str)
SystemId = NewType("SystemId", UUID)


class Scope(StrEnum):
    """What a caller may do at all; grants then say to which data."""

    ADMIN = "admin"
    CATALOGUE_WRITE = "catalogue:write"
    PUBLISH = "publish"
    ACCESS_APPLY = "access:apply"
    ACCESS_DECIDE = "access:decide"
    QUERY = "query"
    VERIFY = "verify"
    SUBSCRIBE = "subscribe"
    SEAL_MANAGE = "seal:manage"
    CERTIFICATE_ISSUE = "certificate:issue"
    CERTIFICATE_USE = "certificate:use"
    CERTIFICATE_HOLDER = "certificate:holder"
    RULES_WRITE = "rules:write"
    EVIDENCE = "evidence"
    AUDIT = "audit"


@dataclass(slots=True, kw_only=True)
class Standing:
    """What a token stood for when this process read it last: `mark` names the rows it was read from.

    The call that carries it is not yet proved. Whoever reads for it first asks the database, in the same
    statement, whether the mark is the same still; see `core.identity.store_standing`.
    """

    token_hash: bytes
    mark: str
    is_confirmed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call, as its bearer token proved: a system, or a person who signed in.

    For a person `person` is the login and `system_id` the person's own id, so that whatever is kept per
    caller is kept per person too. `standing` is there where the call has yet to be proved.
    """

    system_id: SystemId
    system_name: str
    organisation_code: OrganisationCode
    organisation_name: str
    scopes: frozenset[Scope]
    person: str | None = None
    standing: Standing | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Why a call is made (用途): the context that every access carries into the log.

    `service_item` is the code of the service item (事项), `case_number` that of the case (办件),
    `operator` the member of staff, `on_behalf_of` the organisation's code for which the caller asks.
    """

    service_item: str
    case_number: str
    operator: str
    on_behalf_of: OrganisationCode | None = None
