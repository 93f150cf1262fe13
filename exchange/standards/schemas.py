"""The ready schemas by code: population, legal persons, five of credit, three of space."""

from __future__ import annotations

from typing import Final

from exchange.standards.credit import COMMITMENT, DEBTOR, LICENCE, LIST, PENALTY
from exchange.standards.legal_person import LEGAL_PERSON
from exchange.standards.population import POPULATION
from exchange.standards.schema import StandardSchema as StandardSchema
from exchange.standards.spatial import ADDRESS, DIVISIONS, STREETS

STANDARD_SCHEMAS: Final[dict[str, StandardSchema]] = {
    schema.code: schema
    for schema in (
        POPULATION,
        LEGAL_PERSON,
        LICENCE,
        PENALTY,
        DEBTOR,
        LIST,
        COMMITMENT,
        ADDRESS,
        DIVISIONS,
        STREETS,
    )
}
