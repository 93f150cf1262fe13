"""Masks in SQL against those of the hub: the same of any text; what they hide never leaves the database."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.database import Database
from exchange.access.masks import Mask, MaskKind, mask_text
from subscriptions.feed import read as feed_read
from subscriptions.feed.page import Form
from subscriptions.feed.store_masks import IN_SQL, write_mask
from subscriptions.model import Start
from tests.exchange_world import World, build_row
from tests.integration.subscriptions.feed_world import Feed
from tests.integration.subscriptions.test_feed import begin, read

texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=30)
masks = st.sampled_from(sorted(IN_SQL - {MaskKind.KEEP})).map(lambda kind: Mask(kind=kind)) | st.builds(
    lambda first, last: Mask(kind=MaskKind.KEEP, keep_first=first, keep_last=last),
    st.integers(0, 12),
    st.integers(0, 12),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=masks, text=texts)
async def test_mask_in_sql_equals_the_mask_of_the_hub(database: Database, mask: Mask, text: str) -> None:
    columns = f"{write_mask(mask, 'v.x')}, {write_mask(mask, 'v.y')}"
    query = f"SELECT {columns} FROM (VALUES ($1::text, NULL)) v (x, y)"
    async with database.acquire() as connection:
        shown, absent = await connection.fetchrow(query, text)
    assert (shown, absent) == (mask_text(mask, text), None)


@pytest.mark.parametrize("start", [Start.START, Start.NOW])
async def test_masked_text_comes_masked_out_of_the_database_in_every_form(
    world: World, feed: Feed, monkeypatch: pytest.MonkeyPatch, start: Start
) -> None:
    seen: list[dict[str, list[object]]] = []
    plain = feed_read.apply_masks

    def watch(table, left):  # type: ignore[no-untyped-def]
        seen.append({"names": table.column("XM").to_pylist(), "left": sorted(left)})
        return plain(table, left)

    monkeypatch.setattr(feed_read, "apply_masks", watch)
    await world.give(masks={"XM": {"*": "name"}, "SR": {"*": {"keep_first": 1}}, "HJSZD": {"*": "hash"}})
    if start is Start.START:
        await world.publish([build_row(1, XM="欧阳某某", SR=120)])
    subscription = await begin(feed, world, start)
    if start is Start.NOW:
        await world.publish([build_row(1, XM="欧阳某某", SR=120)])
    for form in Form:
        page = await read(feed, world, subscription, form=form)
        assert page.table.column("XM").to_pylist() == ["欧***"]
        assert page.table.column("SR").to_pylist()[0].startswith("1*")
        assert len(page.table.column("HJSZD").to_pylist()[0]) == 64
    assert seen == [{"names": ["欧***"], "left": ["HJSZD", "SR"]}] * len(Form)
