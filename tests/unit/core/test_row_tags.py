"""The tags of recorded rows: what they are computed over does not change, for the log holds them for good."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from core.log.recorded_rows import TAG_BYTES, RowTagger
from signing import sm3

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=("Cs",)))


@given(table=TEXT, key=TEXT, content=st.dictionaries(TEXT, st.none() | TEXT))
def test_tag_is_the_keyed_hash_of_table_key_column_and_value_as_json(
    table: str, key: str, content: dict[str, str | None]
) -> None:
    expected = {
        column: sm3.hmac(KEY, json.dumps([table, key, column, value], ensure_ascii=False).encode())[
            :TAG_BYTES
        ].hex()
        for column, value in content.items()
    }
    assert RowTagger(KEY).tag(table, key, content) == expected
