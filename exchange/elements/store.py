"""All SQL of the element registry."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from core.caller import OrganisationCode
from core.database import Connection
from core.errors import Conflict
from exchange.catalogue.model import CheckRule
from exchange.elements.model import Element


async def save_element(connection: Connection, *, element: Element, at: datetime) -> None:
    """Insert an element. Raises Conflict where its identifier is taken."""
    try:
        await connection.execute(
            "INSERT INTO exchange.data_element (identifier, title, title_en, definition, synonyms, names,"
            " format, code_list, check_rule, source, owner_code, created_at)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
            element.identifier,
            element.title,
            element.title_en,
            element.definition,
            element.synonyms,
            element.names,
            element.format,
            element.code_list,
            element.check_rule,
            element.source,
            element.owner_code,
            at,
        )
    except asyncpg.UniqueViolationError as taken:
        msg = f"the data element {element.identifier} is registered already"
        raise Conflict(msg) from taken


async def load_elements(connection: Connection) -> list[Element]:
    """Load the registered elements, by identifier."""
    rows = await connection.fetch("SELECT * FROM exchange.data_element ORDER BY identifier")
    return [
        Element(
            identifier=row["identifier"],
            title=row["title"],
            title_en=row["title_en"],
            definition=row["definition"],
            synonyms=tuple(row["synonyms"]),
            names=tuple(row["names"]),
            format=row["format"],
            code_list=row["code_list"],
            check_rule=None if row["check_rule"] is None else CheckRule(row["check_rule"]),
            source=row["source"],
            owner_code=OrganisationCode(row["owner_code"]),
        )
        for row in rows
    ]
