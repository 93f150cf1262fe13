"""A resource with rows, grants on it, and callers, for tests of whatever stands on grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

from core.caller import Caller, OrganisationCode, Purpose, Scope, SystemId
from core.database import Database
from core.database.names import quote_name
from core.identity import store as identity_store
from core.identity.model import Organisation
from core.log.group import LeafGroup
from core.log.writer import LogWriter
from exchange.access.decision import Verdict
from exchange.access.grants import GrantService
from exchange.access.ground import GroundReader
from exchange.access.masks import Masker
from exchange.access.model import Application, Decision, Grant, Mode, Terms
from exchange.access.refusal import RefusalLog
from exchange.access.service import AccessService
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle
from exchange.guard.model import Sighting
from exchange.objections.corrections import CorrectionService
from exchange.objections.service import ObjectionService
from exchange.query.cursor import CursorSeal
from exchange.query.reading import QuestionReader
from exchange.query.service import QueryService
from exchange.verify.model import ReceiptIssuer
from exchange.verify.service import VerifyService
from hub.services import utc_now
from tests.hubs import organisation_code

PROVIDER, CONSUMER, STRANGER = (OrganisationCode(organisation_code(number)) for number in (11, 12, 13))
PURPOSE = Purpose(service_item="食品经营许可", case_number="2026-000001", operator="王审批")
SUBJECT_KEY = b"k" * 32

ITEMS = (
    Item(
        name="GMSFHM",
        title="公民身份号码",
        format="C18",
        is_key=True,
        is_required=True,
        check_rule=CheckRule.CITIZEN_NUMBER,
    ),
    Item(name="XM", title="姓名", format="C..50"),
    Item(name="XB", title="性别", format="C1", share_type=ShareType.UNCONDITIONAL),
    Item(name="HJSZD", title="户籍所在地", format="C6", share_type=ShareType.UNCONDITIONAL),
    Item(name="CSRQ", title="出生日期", format="YYYYMMDD"),
    Item(name="SR", title="收入", format="N..12,2"),
    Item(name="JKSJ", title="建库时间", format="YYYYMMDDhhmmss"),
    Item(name="SFYX", title="是否有效", format="B"),
    Item(
        name="ZJXY",
        title="宗教信仰",
        format="C..20",
        share_type=ShareType.NOT_SHARED,
        share_basis="个人信息保护法第二十八条",
    ),
)
SHARED = tuple(item.name for item in ITEMS if item.share_type is not ShareType.NOT_SHARED)


def build_resource(code: str = "people") -> Resource:
    """Build the resource: a key, free and conditional items of every kind, and one that is not shared."""
    return Resource(
        code=code,
        title="人口基本信息",
        summary="",
        theme=Theme.POPULATION,
        provider_code=PROVIDER,
        update_cycle=UpdateCycle.DAILY,
        items=ITEMS,
    )


def build_row(number: int, **changes: object) -> dict[str, object]:
    """Build the row of person `number`."""
    row: dict[str, object] = {
        "GMSFHM": f"99010119900101{number:04d}",
        "XM": f"人{number}",
        "XB": str(1 + number % 2),
        "HJSZD": f"99{number % 3:02d}01",
        "CSRQ": date(1990, 1, 1) + timedelta(days=number),
        "SR": Decimal(number) / 4,
        "JKSJ": None,
        "SFYX": number % 2 == 0,
        "ZJXY": "SECRET",
    }
    return row | changes


def build_terms(**changes: object) -> Terms:
    """Build terms: all shared items, all modes, this purpose's service item."""
    fields: dict[str, object] = {
        "items": SHARED,
        "modes": frozenset(Mode),
        "service_items": (PURPOSE.service_item,),
        "purpose": "核验申请人信息",
        "legal_basis": "行政许可法",
        "valid_until": utc_now() + timedelta(days=30),
        "row_filter": {},
    }
    return Terms(**(fields | changes))  # type: ignore[arg-type]


class Sightings(list[Sighting]):
    """What a watcher was told."""

    def note(self, sighting: Sighting, /) -> None:
        """Keep it."""
        self.append(sighting)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A provider with one resource, a consumer, a stranger."""

    database: Database
    log: LogWriter
    refusals: RefusalLog
    access: AccessService
    grants: GrantService
    resource: Resource
    provider: Caller
    consumer: Caller
    stranger: Caller
    sightings: Sightings = field(default_factory=Sightings)

    async def give(self, **changes: object) -> Grant:
        """Apply as the consumer and approve as the provider; return the grant."""
        terms = build_terms(**changes)
        application = await self.access.apply(
            caller=self.consumer, resource_code=self.resource.code, terms=terms
        )
        if application.grant_id is None:
            application = await self.approve(application)
        grants = await self.grants.list_grants(caller=self.consumer, as_provider=False)
        return next(grant for grant in grants if grant.id == application.grant_id)

    async def approve(self, application: Application, items: Sequence[str] | None = None) -> Application:
        """Approve an application as the provider."""
        return await self.access.decide(
            caller=self.provider,
            application_id=application.id,
            verdict=Verdict(decision=Decision.APPROVE, items=items),
        )

    def query_service(self) -> QueryService:
        """Build the service of queries."""
        return QueryService(
            database=self.database,
            log=self.log,
            leaves=LeafGroup(database=self.database, log=self.log),
            refusals=self.refusals,
            grounds=GroundReader(),
            reader=QuestionReader(
                log=self.log,
                masker=Masker(b"m" * 32),
                cursors=CursorSeal(b"c" * 32),
                watcher=self.sightings,
            ),
            now=utc_now,
        )

    def verify_service(self, receipts: ReceiptIssuer, *, mismatches_a_day: int = 20) -> VerifyService:
        """Build the service of verification."""
        return VerifyService(
            database=self.database,
            log=self.log,
            leaves=LeafGroup(database=self.database, log=self.log),
            refusals=self.refusals,
            receipts=receipts,
            grounds=GroundReader(),
            watcher=self.sightings,
            now=utc_now,
            mismatches_a_day=mismatches_a_day,
        )

    def objection_service(self) -> ObjectionService:
        """Build the service of objections."""
        return ObjectionService(database=self.database, log=self.log, refusals=self.refusals, now=utc_now)

    def correction_service(self) -> CorrectionService:
        """Build the service of corrections."""
        return CorrectionService(
            database=self.database,
            log=self.log,
            refusals=self.refusals,
            masker=Masker(b"m" * 32),
            now=utc_now,
        )

    async def publish(self, upserts: Sequence[Mapping[str, object]] = (), deletes: Sequence[str] = ()) -> int:
        """Make one version of these changes, as publishing does, and return its number."""
        return await publish_version(self.database, self.resource, upserts=upserts, deletes=deletes)

    async def events(self) -> list[dict[str, object]]:
        """Read all leaves of the log, in the order of time."""
        async with self.database.acquire() as connection:
            rows = await connection.fetch(
                "SELECT event, body::jsonb AS body, subject_hmac FROM core.log_leaf ORDER BY recorded_at, id"
            )
        return [row["body"] for row in rows]


async def open_world(database: Database) -> World:
    """Set the world up on a migrated database."""
    log = LogWriter(subject_key=SUBJECT_KEY, now=utc_now)
    refusals = RefusalLog(database=database, log=log)
    resource = build_resource()
    callers = []
    async with database.transaction() as connection:
        for code, name in ((PROVIDER, "提供部门"), (CONSUMER, "使用部门"), (STRANGER, "其他部门")):
            organisation = Organisation(code=code, name=name, division_code="990000")
            await identity_store.save_organisation(connection, organisation=organisation)
            callers.append(
                Caller(
                    system_id=SystemId(uuid4()),
                    system_name=name,
                    organisation_code=code,
                    organisation_name=name,
                    scopes=frozenset(Scope),
                )
            )
        await catalogue_store.save_resource(connection, resource=resource)
        await catalogue_store.create_tables(connection, resource=resource)
    return World(
        database=database,
        log=log,
        refusals=refusals,
        access=AccessService(database=database, log=log, refusals=refusals, now=utc_now),
        grants=GrantService(database=database, log=log, now=utc_now),
        resource=resource,
        provider=callers[0],
        consumer=callers[1],
        stranger=callers[2],
    )


async def publish_version(
    database: Database, resource: Resource, *, upserts: Sequence[Mapping[str, object]], deletes: Sequence[str]
) -> int:
    """Write one version straight into the tables of a resource keyed by one item."""
    table, changes = catalogue_store.table_of(resource.code), catalogue_store.changes_of(resource.code)
    key = quote_name(resource.key_items[0].name)
    names = [item.name for item in resource.items]
    columns = ", ".join(map(quote_name, names))
    places = ", ".join(f"${n + 2}" for n in range(len(names)))
    sets = ", ".join(f"{quote_name(name)} = EXCLUDED.{quote_name(name)}" for name in names)
    async with database.transaction() as connection:
        version = await connection.fetchval(
            "UPDATE exchange.resource SET current_version = current_version + 1 WHERE code = $1"
            " RETURNING current_version",
            resource.code,
        )
        await catalogue_store.ensure_key_index(connection, resource=resource)
        await catalogue_store.ensure_partition(connection, code=resource.code, version=version)
        log = (
            f"INSERT INTO {changes} SELECT $1, $2, CASE WHEN $3::text IS NULL THEN 'insert'"
            f" WHEN $4::text IS NULL THEN 'delete' ELSE 'update' END, $3::text::{table}, $4::text::{table}"
        )
        for sequence, (identity, row) in enumerate(
            [*((row["GMSFHM"], row) for row in upserts), *((number, None) for number in deletes)], start=1
        ):
            whole = f"SELECT d::text FROM {table} d WHERE {key} = $1"
            before = await connection.fetchval(whole, identity)
            if row is None:
                await connection.execute(f"DELETE FROM {table} WHERE {key} = $1", identity)
            else:
                await connection.execute(
                    f"INSERT INTO {table} (_version, {columns}) VALUES ($1, {places})"
                    f" ON CONFLICT ({key}) DO UPDATE SET _version = EXCLUDED._version, {sets}",
                    version,
                    *(row[name] for name in names),
                )
            after = await connection.fetchval(whole, identity)
            if before is not None or after is not None:
                await connection.execute(log, version, sequence, before, after)
        batch = uuid4()
        await connection.execute(
            "INSERT INTO exchange.batch (id, resource_code, system_id, idempotency_key, mode, state)"
            " VALUES ($1, $2, $1, $3, 'upsert', 'published')",
            batch,
            resource.code,
            str(batch),
        )
        await connection.execute(
            "INSERT INTO exchange.version (resource_code, version, batch_id, mode, received_rows,"
            " accepted_rows, rejected_rows, inserted_rows, updated_rows, unchanged_rows, deleted_rows,"
            " current_rows)"
            " VALUES ($1, $2, $3, 'upsert', $4, $4, 0, 0, 0, 0, 0, 0)",
            resource.code,
            version,
            batch,
            len(upserts) + len(deletes),
        )
    return int(version)
