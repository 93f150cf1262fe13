"""All SQL of search. What a word is, `exchange.search_words` decides, for texts and queries alike."""

from __future__ import annotations

from core.database import Connection
from exchange.catalogue.store import read_resource
from exchange.search.model import Found, Search

# A word counts by its rarity (inverse document frequency) and by where it stands. What fits far less well
# than the best is left out: it shares only common pieces (信息, 数据) with the query.
_LEAST_SHARE_OF_BEST = 0.3
_RANKED = """
WITH words AS MATERIALIZED (
    SELECT to_tsquery('simple', quote_literal(w) || CASE WHEN w ~ '^[a-z0-9]' THEN ':*' ELSE '' END) AS query
    FROM exchange.search_words($1, true) AS w
), weighed AS MATERIALIZED (
    SELECT w.query, ln(1 + (SELECT count(*) FROM exchange.resource_words)::float8 / greatest(1, (
        SELECT count(*) FROM exchange.resource_words AS s WHERE s.whole @@ w.query))) AS rarity
    FROM words AS w
), fits AS (
    SELECT s.resource_code, sum(w.rarity * (
        CASE WHEN s.title @@ w.query THEN 1.0 ELSE 0 END + CASE WHEN s.items @@ w.query THEN 0.35 ELSE 0 END
        + CASE WHEN s.rest @@ w.query THEN 0.2 ELSE 0 END)) AS fit
    FROM weighed AS w JOIN exchange.resource_words AS s ON s.whole @@ w.query GROUP BY s.resource_code
), ranked AS (
    SELECT r.*, f.fit + CASE WHEN strpos(lower(r.title), lower($1)) > 0
        THEN 2.0 + 2.0 * char_length($1) / char_length(r.title) ELSE 0 END AS score
    FROM fits AS f JOIN exchange.resource AS r ON r.code = f.resource_code
), chosen AS (SELECT * FROM ranked WHERE score >= $10::float8 * (SELECT max(score) FROM ranked))
"""
_ALL = """
WITH chosen AS (
    SELECT r.*, 0.0::float8 AS score FROM exchange.resource AS r WHERE $1::text = '' AND $10::float8 > 0
)
"""
_FILTERED = """
SELECT * FROM chosen AS r WHERE r.state = $2 AND ($3::text IS NULL OR r.theme = $3)
    AND ($4::text IS NULL OR r.provider_code = $4) AND ($5::text IS NULL OR r.update_cycle = $5)
    AND (($6::text IS NULL AND $7::text IS NULL) OR EXISTS (SELECT FROM exchange.resource_item AS i
        WHERE i.resource_code = r.code AND ($6::text IS NULL OR i.share_type = $6)
        AND ($7::text IS NULL OR i.name = $7)))
ORDER BY r.score DESC, r.code LIMIT $8 OFFSET $9
"""


async def search_resources(connection: Connection, *, search: Search) -> list[Found]:
    """Find resources, the best first; all that pass the filters, by code, where no words are asked for."""
    text = search.text.strip()
    rows = await connection.fetch(
        (_RANKED if text else _ALL) + _FILTERED,
        text,
        search.state,
        search.theme,
        search.provider_code,
        search.update_cycle,
        search.share_type,
        search.item,
        search.limit,
        search.offset,
        _LEAST_SHARE_OF_BEST,
    )
    return [Found(resource=read_resource(row), score=round(float(row["score"]), 4)) for row in rows]
