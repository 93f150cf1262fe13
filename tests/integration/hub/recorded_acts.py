"""Rows for tables that the demo's story leaves empty, and what every type of column is altered to."""

from __future__ import annotations

import asyncpg

from core.log.model import Event
from core.log.writer import LogWriter

_RESOURCE = "(SELECT min(code) FROM exchange.resource)"
_ORGANISATION = "(SELECT min(code) FROM core.organisation)"
_GRANT = "(SELECT id FROM exchange.grant_ LIMIT 1)"
_TYPE = "(SELECT min(code) FROM certs.certificate_type)"
_CERTIFICATE = "(SELECT min(identifier) FROM certs.certificate)"

FILLED = (
    (
        "INSERT INTO core.person (id, organisation_code, login, name, roles, password_hash)"
        f" VALUES (gen_random_uuid(), {_ORGANISATION}, 'zhang.san', '张三', '{{auditor}}', 'x')"
    ),
    f"INSERT INTO exchange.external_code VALUES ({_RESOURCE}, 'national', '307')",
    (
        "INSERT INTO exchange.data_element (identifier, title, definition, format, created_at)"
        " VALUES ('DE01', '姓名', '姓名', 'C..50', now())"
    ),
    f"INSERT INTO exchange.code_list VALUES ('street', '街道', '', 1, {_ORGANISATION})",
    "INSERT INTO exchange.code_list_version VALUES ('street', 1, '[]', now())",
    f"INSERT INTO exchange.scenario VALUES (gen_random_uuid(), '开办餐馆', {_ORGANISATION}, now())",
    f"INSERT INTO exchange.mask_rule VALUES ({_RESOURCE}, 'XM', '', '{{}}')",
    (
        "INSERT INTO subscriptions.target (id, consumer_id, kind, address, system_id, service_item,"
        " case_number, operator, batch_rows, created_at) SELECT gen_random_uuid(), id, 'webhook', '{}',"
        " gen_random_uuid(), 's', 'c', 'o', 100, now() FROM subscriptions.consumer LIMIT 1"
    ),
    (
        "INSERT INTO subscriptions.dead_letter SELECT gen_random_uuid(), id, gen_random_uuid(), 'x', 1, 1, 1,"
        " 1, 1, 1, 'refused', now() FROM subscriptions.target"
    ),
    f"INSERT INTO subscriptions.lake_choice VALUES ({_RESOURCE}, true)",
    (
        f"INSERT INTO subscriptions.share_profile VALUES (gen_random_uuid(), {_GRANT}, {_RESOURCE},"
        f" {_ORGANISATION}, gen_random_uuid(), '\\x01', 's', 'c', 'o', NULL, now(), now())"
    ),
    "INSERT INTO subscriptions.lead_terms SELECT id, 1, 5 FROM subscriptions.subscription LIMIT 1",
    (
        "INSERT INTO subscriptions.lead SELECT gen_random_uuid(), subscription_id, 1, 1, 'insert', now(),"
        " now(), now() FROM subscriptions.lead_terms"
    ),
    "INSERT INTO exchange.calendar_day VALUES ('2026-10-01', false)",
    (
        f"INSERT INTO exchange.objection VALUES (gen_random_uuid(), {_RESOURCE}, 'XM', '{{x}}', NULL,"
        f" '\\x01', 1, {_ORGANISATION}, {_GRANT}, 'claim', 'basis', 'open', now(), now())"
    ),
    (
        "INSERT INTO exchange.correction SELECT gen_random_uuid(), id, organisation_code, grant_id, 'query',"
        " now() FROM exchange.objection"
    ),
    (
        "INSERT INTO exchange.guard_alert VALUES (gen_random_uuid(), 'misses', 1, '\\x01', gen_random_uuid(),"
        f" {_ORGANISATION}, NULL, {_RESOURCE}, {_ORGANISATION}, now(), '{{}}')"
    ),
    f"INSERT INTO certs.certificate_source VALUES ({_CERTIFICATE}, {_RESOURCE}, 1, '\\x01')",
    f"INSERT INTO certs.copies_only VALUES ({_TYPE}, 's')",
    (
        f"INSERT INTO certs.authorisation VALUES (gen_random_uuid(), '\\x01', 'holder', {_CERTIFICATE},"
        f" {_ORGANISATION}, 's', 'c', false, 3, 0, gen_random_uuid(), now(), now())"
    ),
    (
        f"INSERT INTO certs.delegation VALUES (gen_random_uuid(), {_CERTIFICATE}, 'x', '111',"
        " gen_random_uuid(), now(), now())"
    ),
    f"INSERT INTO evidence.service_item VALUES ('s', {_ORGANISATION}, 's', '990000', now())",
    "INSERT INTO evidence.item_version VALUES ('s', 1, 'draft', '{}', 'x', now())",
    (
        f"INSERT INTO evidence.case_ VALUES (gen_random_uuid(), {_ORGANISATION}, 's', 1, 'c', NULL, NULL,"
        " now(), now(), NULL, 1, '{}', '{}')"
    ),
    (
        "INSERT INTO evidence.undertaking SELECT gen_random_uuid(), id, 'f', 'commitment', 'kept', 't', 'x',"
        " 'r', '\\x01', NULL, gen_random_uuid(), 'o', now(), now() FROM evidence.case_"
    ),
    (
        f"INSERT INTO evidence.cascade_rule VALUES ('r', {_ORGANISATION}, gen_random_uuid(), '{{}}', now(),"
        " now())"
    ),
    (
        f"INSERT INTO evidence.cascade_effect VALUES (gen_random_uuid(), {_ORGANISATION}, 's', '1', 't', 'r',"
        " NULL, NULL, 'c', 'notify', 'done', now(), NULL)"
    ),
    (
        "INSERT INTO evidence.credit_dataset SELECT true, 'xy_cn', s.organisation_code, s.id, now()"
        " FROM core.system s LIMIT 1"
    ),
    (
        "INSERT INTO evidence.credit_entry SELECT id, 'breached', 'published', 'xy_cn', NULL, 1,"
        " gen_random_uuid(), NULL, now() FROM evidence.undertaking"
    ),
    (
        "INSERT INTO evidence.asking SELECT gen_random_uuid(), id, 1, 'm', NULL, 'not_required', '', 'o',"
        " gen_random_uuid(), now() FROM evidence.case_"
    ),
)

_ALTERED = {
    "text": "coalesce({0}, '') || 'x'",
    "uuid": "gen_random_uuid()",
    "boolean": "NOT coalesce({0}, false)",
    "date": "coalesce({0}, '2026-01-01') + 1",
    "timestamp with time zone": "coalesce({0}, now()) + interval '1 microsecond'",
    "jsonb": "jsonb_build_object('altered', {0})",
    "bytea": r"'\x07'::bytea || coalesce({0}, '\x')",
    "text[]": "array_append(coalesce({0}, '{{}}'), 'x')",
    "cidr[]": "'{{192.0.2.0/24}}'",
    "integer": "coalesce({0}, 0) + 1",
    "bigint": "coalesce({0}, 0) + 1",
    "numeric": "coalesce({0}, 0) + 1",
}


def alter(column: str, kind: str) -> str:
    """Write what a column of a type is altered to; a type that is not listed fails the test."""
    return _ALTERED[kind.partition("(")[0]].format(f'"{column}"')


async def fill(connection: asyncpg.Connection, log: LogWriter) -> None:  # type: ignore[type-arg]
    """Insert the rows with the leaf of some act, as an act does."""
    async with connection.transaction():
        for sql in FILLED:
            await connection.execute(sql)
        await log.append(
            connection, event=Event.AUDIT_READ, caller=None, details={"view": "fill", "leaves": 0}
        )
