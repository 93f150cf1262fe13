"""The feed as server-sent events: one event per page, its id the cursor to go on from.

Source: HTML Living Standard 9.2 (Server-sent events).
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Final

from core.caller import Caller, Purpose
from signing.errors import ShuzhengError
from subscriptions.feed.page import Page
from subscriptions.feed.read import FeedReader, Wanted

HEARTBEAT_S: Final = 15.0
ROWS_PER_EVENT: Final = 500
RETRY_MS: Final = 2000


async def stream_events(
    feed: FeedReader, *, caller: Caller, purpose: Purpose, wanted: Wanted, first: Page
) -> AsyncIterator[bytes]:
    """Yield the page `first`, then what follows it, until the client leaves or the feed refuses.

    An event `changes` carries NDJSON; a refusal ends the stream with an event `problem`. Where nothing
    happens a comment keeps the connection open.
    """
    yield f"retry: {RETRY_MS}\n\n".encode()
    page = first
    while True:
        yield _render(page)
        try:
            page = await feed.read(
                caller=caller,
                purpose=purpose,
                wanted=replace(wanted, after=page.next_cursor),
                wait_s=HEARTBEAT_S,
            )
        except ShuzhengError as refused:
            problem = {"code": refused.code, "title": refused.title, "detail": refused.detail}
            yield f"event: problem\ndata: {json.dumps(problem, ensure_ascii=False)}\n\n".encode()
            return


def _render(page: Page) -> bytes:
    if not page.table.num_rows:
        return f": at {page.current_version}\nid: {page.next_cursor}\n\n".encode()
    lines = "".join(f"data: {line}\n" for line in page.body.decode().splitlines())
    return f"event: changes\nid: {page.next_cursor}\n{lines}\n".encode()
