"""The yardstick of `bench.access`: bare FastAPI and asyncpg with the very statements that the hub runs.

`/query` and `/verify` read the rows and insert the log's leaf in one transaction, as the hub does; `/bare`
reads the rows alone. No token, no grant, no purpose, no masks, no limits, no receipt.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
from fastapi import FastAPI
from pydantic import BaseModel

from core.caller import OrganisationCode, SystemId
from core.database import Connection
from core.database.gathering import Gathering
from core.database.pool import prepare_connection
from core.log.leaf_body import build_leaf
from core.log.model import Event
from core.log.store import save_leaves
from exchange.access.values import render_value
from exchange.query.store import load_rows
from exchange.standards.schemas import POPULATION
from exchange.verify.store import write_subjects
from signing.merkle.hashing import HashSuite

CODE = "rk_jbxx"
KEY = "GMSFHM"
ITEMS = ("GMSFHM", "XM", "XB", "CSRQ", "HJSZD")


class _Recorder:
    """A connection that notes the statement it is given."""

    def __init__(self) -> None:
        self.statement: tuple[Any, ...] = ()

    async def fetch(self, *statement: Any) -> list[Any]:
        self.statement = statement
        return []

    async def execute(self, *statement: Any) -> None:
        self.statement = statement

    async def fetchval(self, *statement: Any) -> None:
        self.statement = statement


async def record_statements() -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """Return the hub's statements with their parameters: rows of a query, rows of a check, a leaf."""
    query, verify, leaf = _Recorder(), _Recorder(), _Recorder()
    with suppress(IndexError):  # the recorder answers with no rows
        await load_rows(
            cast(Connection, query), resource_code=CODE, key_items=[KEY], items=ITEMS,
            conditions={KEY: ""}, row_filter=(), limit_rows=101,
        )  # fmt: skip
    resource = POPULATION.build(provider_code=OrganisationCode("none"))
    gathering = Gathering()
    write_subjects(
        gathering, resource=resource, names=[KEY], subjects=[{KEY: ""}], items=["XM"],
        row_filter=(), system_id=SystemId(UUID(int=0)), budget_keys=[b""], counted_on=date(2026, 1, 1),
        with_disputes=False, row_salt=None,
    )  # fmt: skip
    await gathering.run(cast(Connection, verify))
    await save_leaves(cast(Connection, leaf), leaves=[_build_leaf()])
    return query.statement, verify.statement, leaf.statement


def _build_leaf() -> Any:
    return build_leaf(
        {
            "id": str(uuid4()),
            "time": datetime.now(UTC).isoformat(timespec="microseconds"),
            "event": str(Event.DATA_QUERIED),
            "organisation": "hub",
            "system": str(uuid4()),
            "operator": "操作员",
            "service_item": "食品经营许可",
            "case_number": "2026-000001",
            "resource": CODE,
            "subject_hmac": "00" * 32,
            "details": {"items": list(ITEMS), "rows": 1},
        },
        suite=HashSuite.SM3,
        mask=lambda text: text,
    )


class _Keys(BaseModel):
    keys: dict[str, Any]


class _Subject(BaseModel):
    subject: dict[str, Any]
    assertions: list[dict[str, Any]]


def create_app() -> FastAPI:
    """Build the yardstick; the database comes from the environment as for the hub."""
    state: dict[str, Any] = {}

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        state["query"], state["verify"], leaf = await record_statements()
        state["insert"], state["leaf"] = leaf[0], list(leaf[1:])
        async with asyncpg.create_pool(
            os.environ["SHUZHENG_DATABASE_URL"], min_size=2, max_size=10, init=prepare_connection
        ) as pool:
            state["pool"] = pool
            yield

    app = FastAPI(lifespan=lifespan)

    async def insert_leaf(connection: Any) -> None:
        await connection.execute(state["insert"], uuid4(), datetime.now(UTC), *state["leaf"][2:])

    @app.post("/query")
    async def query(body: _Keys) -> dict[str, Any]:
        async with state["pool"].acquire() as connection, connection.transaction():
            rows = await connection.fetch(*state["query"][:-1], body.keys[KEY])
            await insert_leaf(connection)
        return {"rows": [{name: render_value(r[f"i{n}"]) for n, name in enumerate(ITEMS)} for r in rows]}

    @app.post("/bare")
    async def bare(body: _Keys) -> dict[str, Any]:
        async with state["pool"].acquire() as connection:
            rows = await connection.fetch(*state["query"][:-1], body.keys[KEY])
        return {"rows": [{name: render_value(r[f"i{n}"]) for n, name in enumerate(ITEMS)} for r in rows]}

    @app.post("/verify")
    async def verify(body: _Subject) -> dict[str, Any]:
        async with state["pool"].acquire() as connection, connection.transaction():
            rows = await connection.fetch(*state["verify"][:-1], body.subject[KEY])
            await insert_leaf(connection)
        return {"answers": [rows[0]["i0"] == each["value"] for each in body.assertions]}

    return app
