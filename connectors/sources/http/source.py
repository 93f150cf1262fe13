"""The source that reads what a service answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import httpx
import pyarrow as pa

from connectors.auth import build_auth
from connectors.errors import TerminalError
from connectors.http import fill_template, open_http, send
from connectors.model import Batch, Cursor, Reading, SourceCapabilities
from connectors.protocols import BaseSource
from connectors.sources.http.columns import build_rows, build_schema
from connectors.sources.http.documents import find_records, read_document
from connectors.sources.http.model import HttpOptions
from connectors.sources.http.paging import Pager, Turn
from connectors.sources.http.since import Newest

CONTENT_TYPES: Final = {
    "json": "application/json",
    "form": "application/x-www-form-urlencoded",
    "xml": "text/xml; charset=utf-8",
}


class HttpSource(BaseSource):
    """Reads records page by page. A read that breaks off begins anew: pages shift, so none is skipped."""

    options_model = HttpOptions

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._columns = options.typed_columns
        self._auth = build_auth(options.auth)
        self._open: httpx.Client | None = None

    @property
    def capabilities(self) -> SourceCapabilities:
        """Everything each time, or what changed since."""
        reading = Reading.FULL if self._options.since is None else Reading.INCREMENTAL
        return SourceCapabilities(reading=reading, key=self._options.key)

    def fetch_schema(self) -> pa.Schema:
        """Return the columns that the options name; the service is not asked."""
        return build_schema(self._columns)

    def read(self, cursor: Cursor | None) -> Iterator[Batch]:
        """Read all pages; the cursor comes after the last."""
        newest = self._open_newest(cursor)
        for records in self._read_pages(None if newest is None else newest.value):
            rows = build_rows(records, self._columns)
            if newest is not None:
                rows = newest.take(rows)
            if rows.num_rows:
                yield Batch(rows=rows)
        if newest is not None and newest.value is not None:
            yield Batch(rows=build_rows([], self._columns), cursor=newest.cursor)

    def _open_newest(self, cursor: Cursor | None) -> Newest | None:
        since = self._options.since
        if since is None:
            return None
        newest = Newest(column=since.column, kind=self._columns[since.column].type)
        newest.go_on(cursor)
        return newest

    def close(self) -> None:
        """Close the connections."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _read_pages(self, since: str | None) -> Iterator[list[Any]]:
        options = self._options
        pager = Pager(options.paging, max_pages=options.max_pages)
        turn: Turn | None = pager.first()
        last = b""
        while turn is not None:
            request = self._build_request(turn, since)
            answer = send(self._connect(), request, self._auth, max_bytes=options.max_answer_bytes)
            document = read_document(answer.content, options.answer)
            records = find_records(document, options)
            if records and answer.content == last:
                msg = "two pages are the same; do the parameters of paging have the names that it expects?"
                raise TerminalError(msg)
            last = answer.content
            yield records
            link = answer.links.get("next", {}).get("url")
            turn = pager.next(document, records=len(records), url=str(request.url), link=link)

    def _build_request(self, turn: Turn, since: str | None) -> httpx.Request:
        options = self._options
        if turn.url is not None:
            return httpx.Request(options.method, turn.url, headers=options.headers)
        values = dict(turn.parameters)
        start = since if since is not None else options.since.start if options.since else None
        if options.since is not None and start is not None:
            values[options.since.parameter] = start
        headers, content = dict(options.headers), None
        if options.body is not None:
            text, used = fill_template(options.body, values, options.body_type)
            values = {name: value for name, value in values.items() if name not in used}
            content = text.encode()
            headers = {"Content-Type": CONTENT_TYPES[options.body_type]} | headers
        url = httpx.URL(options.url).copy_merge_params({**options.parameters, **values})
        return httpx.Request(options.method, url, headers=headers, content=content)

    def _connect(self) -> httpx.Client:
        if self._open is None:
            self._open = open_http(timeout_s=self._options.timeout_s)
        return self._open
