"""From an order to everything that its file is made from, changing nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from certs.face.payload import FaceFacts, FaceKey, build_face, digest_holder
from certs.identifiers import build_identifier, derive_serial
from certs.issue import store
from certs.issue.check import check_order, standardise_data
from certs.issue.metadata import build_metadata
from certs.issue.model import REPLACEABLE, Certificate, CertificateStatus, IssueOrder
from certs.issue.production import ProducedFile, Production
from certs.issue.store_register import NUMBER_TAKEN
from certs.seals.model import OpenSeal
from certs.types.model import CertificateType
from certs.types.store import UNKNOWN, load_types_by_code
from core.caller import Caller
from core.china_time import china_day
from core.database import Connection, Database
from core.errors import Conflict, FieldError, NotFound, SchemaViolation, ShuzhengError
from core.identity.store_standing import StandingChanged, find_changed
from signing import sm3


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedOrder:
    """An order that was found good, standardised, with its type and the identifier it will get."""

    order: IssueOrder
    actor: Caller
    kind: CertificateType
    identifier: str
    version: int


class Preparer:
    """Checks orders against types and the register."""

    def __init__(self, *, database: Database, public_url: str, now: Callable[[], datetime]) -> None:
        self._database = database
        self._public_url = public_url
        self._now = now

    async def prepare(self, order: IssueOrder, *, actor: Caller) -> PreparedOrder:
        """Check an order. Raises SchemaViolation with everything wrong, NotFound for an unknown type,
        Conflict where the number was issued before or the predecessor cannot be replaced."""
        (outcome,) = await self.prepare_all([(order, actor)])
        if not isinstance(outcome, PreparedOrder):
            raise outcome
        return outcome

    async def prepare_all(
        self, orders: Sequence[tuple[IssueOrder, Caller]]
    ) -> list[PreparedOrder | ShuzhengError | StandingChanged]:
        """Check orders, each on its own: the prepared order, or what `prepare` would raise.

        Who gives them is proved, where that has yet to be done; StandingChanged stands for those who are not.
        """
        async with self._database.acquire() as connection:
            changed = await find_changed(connection, [actor for _, actor in orders])
            kinds = await load_types_by_code(
                connection, codes=[order.type_code for order, _ in orders if "\x00" not in order.type_code]
            )
            outcomes: list[PreparedOrder | ShuzhengError | StandingChanged] = []
            for (order, actor), refusal in zip(orders, changed, strict=True):
                try:
                    kind = kinds.get(order.type_code)
                    outcomes.append(refusal or await self._check(connection, order, kind, actor))
                except (SchemaViolation, Conflict, NotFound) as wrong:
                    outcomes.append(wrong)
            identifiers = [each.identifier for each in outcomes if isinstance(each, PreparedOrder)]
            taken = await store.find_taken(connection, identifiers=identifiers)
        return [
            Conflict(NUMBER_TAKEN) if isinstance(each, PreparedOrder) and each.identifier in taken else each
            for each in outcomes
        ]

    async def _check(
        self, connection: Connection, order: IssueOrder, kind: CertificateType | None, actor: Caller
    ) -> PreparedOrder:
        if kind is None:
            raise NotFound(UNKNOWN)
        order = replace(order, data=standardise_data(order.data, kind.items))
        errors = check_order(order, kind, today=china_day(self._now()))
        version = 1
        if order.predecessor is not None:
            version, found = await _check_predecessor(connection, order, actor)
            errors += found
        if errors:
            msg = f"the order has {len(errors)} fields that are not right; see errors for each"
            raise SchemaViolation(msg, errors=tuple(errors))
        identifier = build_identifier(
            type_code=order.type_code,
            issuer_code=actor.organisation_code,
            serial=derive_serial(order.number),
            version=version,
        )
        return PreparedOrder(order=order, actor=actor, kind=kind, identifier=str(identifier), version=version)

    def plan(self, prepared: PreparedOrder, *, seal: OpenSeal, face: FaceKey) -> Production:
        """Lay down what the file of a prepared order will hold, sealed now."""
        actor = prepared.actor
        sealed_at = self._now().replace(microsecond=0)
        return Production(
            order=prepared.order,
            kind=prepared.kind,
            identifier=prepared.identifier,
            issuer_name=actor.organisation_name,
            metadata=build_metadata(
                order=prepared.order,
                kind=prepared.kind,
                identifier=prepared.identifier,
                issuer_name=actor.organisation_name,
                issuer_code=actor.organisation_code,
                seal_name=seal.seal.name,
                sealed_at=sealed_at,
            ),
            qr_payload=build_face(_facts(prepared), base_url=self._public_url, key=face),
            seal=seal,
            sealed_at=sealed_at,
        )


def _facts(prepared: PreparedOrder) -> FaceFacts:
    order = prepared.order
    return FaceFacts(
        identifier=prepared.identifier,
        type_name=prepared.kind.name,
        holder_name=order.holder.name,
        holder_digest=digest_holder(prepared.identifier, order.holder.code),
        issued_on=order.issued_on,
        valid_until=order.valid_until,
    )


async def _check_predecessor(
    connection: Connection, order: IssueOrder, actor: Caller
) -> tuple[int, list[FieldError]]:
    named = order.predecessor or ""
    old = None if "\x00" in named else await store.find_certificate(connection, identifier=named)
    detail = None
    if old is None or old.issuer_code != actor.organisation_code:
        detail = "no certificate of this identifier was issued by your organisation"
    elif (old.type_code, old.number) != (order.type_code, order.number):
        detail = "the predecessor has another type or number; a successor keeps both"
    if detail is None:
        assert old is not None
        if old.status not in REPLACEABLE:
            msg = f"the predecessor is {old.status} and cannot be replaced"
            raise Conflict(msg)
        return old.version + 1, []
    return 1, [FieldError(pointer="/predecessor", code="PREDECESSOR", detail=detail)]


def describe(prepared: PreparedOrder, production: Production, produced: ProducedFile) -> Certificate:
    """Describe the certificate as it will be registered."""
    order, actor = prepared.order, prepared.actor
    digest = sm3.digest(produced.data)
    return Certificate(
        identifier=prepared.identifier,
        type_code=prepared.kind.code,
        type_version=prepared.kind.version,
        type_name=prepared.kind.name,
        number=order.number,
        version=prepared.version,
        holder=order.holder,
        issuer_code=actor.organisation_code,
        issuer_name=actor.organisation_name,
        status=CertificateStatus.ACTIVE if order.is_active else CertificateStatus.NOT_ACTIVATED,
        predecessor=order.predecessor,
        successor=None,
        issued_on=order.issued_on,
        valid_from=order.valid_from,
        valid_until=order.valid_until,
        data=order.data,
        qr_payload=production.qr_payload,
        service_item=order.service_item,
        case_number=order.case_number,
        seal_id=production.seal.seal.id,
        object_key=f"certificates/{digest.hex()[:2]}/{digest.hex()}.ofd",
        object_offset=0,
        size_bytes=len(produced.data),
        digest_sm3=digest,
        sealed_sm3=produced.sealed_sm3,
        created_at=production.sealed_at,
    )
