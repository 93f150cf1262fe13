"""Services over HTTP as source and sink, on a real server."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors import ConfigurationError, TerminalError, TransientError
from connectors.model import Cursor, Operation, Reading
from connectors.options import build_options
from connectors.sinks.http import HttpSink, HttpSinkOptions
from connectors.sources.http.model import HttpOptions
from connectors.sources.http.source import HttpSource
from tests.http_service import Answer, Asked, running_service
from tests.parcels import build_parcel

ROWS = [{"id": n, "name": f"第{n}行", "at": f"2026-01-{1 + n // 10:02}"} for n in range(45)]


def source(url: str, **more: Any) -> HttpSource:
    columns = {"id": {"path": "id", "type": "integer"}, "name": "name"}
    return HttpSource(HttpOptions.model_validate({"url": url, "columns": columns, "key": ["id"]} | more))


def read(source: HttpSource, cursor: Cursor | None = None) -> tuple[list[int], Cursor | None]:
    ids: list[int] = []
    for batch in source.read(cursor):
        ids += batch.rows.column("id").to_pylist()
        cursor = batch.cursor or cursor
    source.close()
    return ids, cursor


def reply(document: Any, **headers: str) -> Answer:
    return Answer(body=json.dumps(document).encode(), headers=headers)


@pytest.mark.parametrize("size", [10, 9, 45, 50])
@pytest.mark.parametrize("total", [None, "total"])
@pytest.mark.parametrize("kind", ["page", "offset"])
def test_pages_and_offsets_come_whole(kind: str, size: int, total: str | None) -> None:
    def answer(asked: Asked) -> Answer:
        per = int(asked.query["n"])
        start = (int(asked.query["p"]) - 1) * per if kind == "page" else int(asked.query["p"])
        return reply({"data": {"list": ROWS[start : start + per]}, "total": len(ROWS)})

    paging = {"kind": kind, "parameter": "p", "size_parameter": "n", "size": size, "total_path": total}
    with running_service(answer) as url:
        assert read(source(url, records="data.list", paging=paging))[0] == list(range(45))


def test_marks_and_links_are_followed() -> None:
    def answer(asked: Asked) -> Answer:
        start = int(asked.query.get("after", 0))
        more = start + 10 if start + 10 < len(ROWS) else None
        links = {"Link": f'</x?after={more}>; rel="next"'} if more else {}
        return reply({"rows": ROWS[start : start + 10], "next": more}, **links)

    marks = {"kind": "cursor", "parameter": "after", "path": "next"}
    with running_service(answer) as url:
        assert read(source(url, records="rows", paging=marks))[0] == list(range(45))
        assert read(source(f"{url}/x", records="rows", paging={"kind": "link"}))[0] == list(range(45))


def test_paging_that_goes_wrong_is_told_and_never_loops() -> None:
    same = reply({"rows": ROWS[:5], "next": "m", "total": 50})
    page = {"kind": "page", "size": 5}
    with running_service(lambda _: same) as url:
        with pytest.raises(TerminalError, match="two pages are the same"):
            read(source(url, records="rows", paging=page))
        with pytest.raises(TerminalError, match=r"two pages are the same|same mark"):
            read(source(url, records="rows", paging={"kind": "cursor", "path": "next"}))
        with pytest.raises(TerminalError, match="more than 1 pages"):
            read(source(url, records="rows", paging=page, max_pages=1))
    with running_service(lambda _: reply({"rows": [], "total": 3})) as url, pytest.raises(TransientError):
        read(source(url, records="rows", paging=page | {"total_path": "total"}))
    elsewhere = reply({"rows": ROWS[:5]}, Link='<http://elsewhere.example/>; rel="next"')
    with running_service(lambda _: elsewhere) as url, pytest.raises(TerminalError, match="another server"):
        read(source(url, records="rows", paging={"kind": "link"}))


def test_changes_are_asked_for_since_the_greatest_value() -> None:
    asked_since: list[str | None] = []

    def answer(asked: Asked) -> Answer:
        since = asked.query.get("since")
        asked_since.append(since)
        return reply([row for row in [*ROWS, *late] if str(row["at"]) >= (since or "")])

    late: list[dict[str, Any]] = []
    more = {
        "columns": {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "date"}},
        "since": {"column": "at", "parameter": "since"},
    }
    with running_service(answer) as url:
        assert source(url, **more).capabilities.reading is Reading.INCREMENTAL
        first, cursor = read(source(url, **more))
        cursor = json.loads(json.dumps(cursor))
        again, _ = read(source(url, **more), cursor)
        late.append({"id": 99, "at": "2026-01-05"})  # in the moment that was read last
        later, after = read(source(url, **more), cursor)
    assert (first, again, later) == (list(range(45)), [], [99])
    assert asked_since == [None, "2026-01-05", "2026-01-05"]
    assert len(after["seen"]) == 6
    with pytest.raises(TerminalError, match="none of this source"):
        read(source(url, **more), {"x": 1})


def test_greatest_number_is_that_of_its_value_and_too_many_of_one_moment_come_again() -> None:
    def answer(asked: Asked) -> Answer:
        since = float(asked.query.get("since", 0))
        return reply([{"id": n, "at": at} for n, at in enumerate(marks) if float(at) >= since])

    marks = ["9", "10", "9.5"]
    more = {
        "columns": {"id": {"path": "id", "type": "integer"}, "at": {"path": "at", "type": "number"}},
        "since": {"column": "at", "parameter": "since"},
    }
    with running_service(answer) as url:
        _, cursor = read(source(url, **more))
        assert cursor["since"] == "10"
        assert read(source(url, **more), cursor)[0] == []
        marks += ["10"] * 200
        _, cursor = read(source(url, **more), cursor)
        assert cursor["seen"] == []
        assert len(read(source(url, **more), cursor)[0]) == 201
        with pytest.raises(TerminalError, match="none of this source"):
            read(source(url, **more), {"since": "ten", "seen": []})


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer(status=503), TransientError, "answers 503"),
        (Answer(status=401, body=b"secret"), TerminalError, "401; check the credentials"),
        (Answer(status=302, headers={"Location": "http://x"}), TerminalError, "another address"),
        (Answer(body=b"{secret"), TerminalError, "no JSON"),
        (Answer(body=b'{"rows": "secret"}'), TerminalError, "no list of records at rows"),
        (Answer(body=b'{"other": []}'), TerminalError, "no list of records at rows"),
        (Answer(body=b'{"rows": [{"id": "secret"}]}'), TerminalError, "column id.* no integer"),
        (Answer(body=b'{"rows": [], "code": "99"}'), TerminalError, "code is not 0"),
        (Answer(body=b'{"rows": ["' + b"x" * 2000 + b'"]}'), TerminalError, "larger than"),
    ],
)
def test_answers_that_are_none_end_in_a_sentence(answer: Answer, kind: type[Exception], said: str) -> None:
    success = {"code": "0"} if b"code" in answer.body else {}
    with running_service(lambda _: answer) as url, pytest.raises(kind, match=said) as told:
        read(source(url, records="rows", success=success, max_answer_bytes=1500))
    assert "secret" not in str(told.value)


def test_null_and_empty_lists_are_no_records_and_an_absent_server_is_waited_for() -> None:
    for body in (b'{"rows": []}', b'{"rows": null}'):
        with running_service(lambda _, body=body: Answer(body=body)) as url:
            assert read(source(url, records="rows"))[0] == []
    with pytest.raises(TransientError, match="does not answer"):
        read(source("http://127.0.0.1:9", records="rows"))


def test_values_keep_their_exact_form() -> None:
    record = '[{"a": {"b": [1.10, 2]}, "n": 12345678901234567890.10, "t": true, "d": "20260102", "i": "7"}]'
    columns = {
        "first": "a.b.0",
        "n": {"path": "n", "type": "number"},
        "t": {"path": "t", "type": "boolean"},
        "d": {"path": "d", "type": "date"},
        "i": {"path": "i", "type": "integer"},
        "a": {"path": "a", "type": "json"},
        "none": "a.c.d",
    }
    with running_service(lambda _: Answer(body=record.encode())) as url:
        reader = source(url, columns=columns, key=[])
        (batch,) = reader.read(None)
        reader.close()
    assert batch.rows.schema == reader.fetch_schema()
    assert batch.rows.to_pylist() == [
        {
            "first": "1.10",
            "n": "12345678901234567890.10",
            "t": True,
            "d": date(2026, 1, 2),
            "i": 7,
            "a": '{"b": [1.1, 2]}',
            "none": None,
        }
    ]


def test_soap_request_is_filled_in_and_its_answer_unwrapped() -> None:
    bodies: list[str] = []

    def answer(asked: Asked) -> Answer:
        bodies.append(asked.body.decode())
        assert asked.headers["soapaction"] == "query"
        assert asked.headers["content-type"] == "text/xml; charset=utf-8"
        inner = '<?xml version="1.0"?><list><row id="1"><name>张三 &amp; 子</name></row><row id="2"/></list>'
        text = inner.replace("&", "&amp;").replace("<", "&lt;")
        document = (
            '<?xml version="1.0" encoding="GBK"?><s:Envelope xmlns:s="x"><s:Body><q:r xmlns:q="y">'
            f"<return>{text}</return></q:r></s:Body></s:Envelope>"
        )
        return Answer(body=document.encode("gb18030"))

    more = {
        "method": "POST",
        "headers": {"SOAPAction": "query"},
        "body": "<soap><since>{{since}}</since><page>{{page}}</page></soap>",
        "body_type": "xml",
        "answer": "xml",
        "unwrap": "Envelope.Body.r.return",
        "unwrapped": "xml",
        "records": "list.row",
        "columns": {"id": {"path": "@id", "type": "integer"}, "name": "name"},
        "since": {"column": "id", "parameter": "since", "start": "<&'"},
        "paging": {"kind": "page", "size": 10},
    }
    with running_service(answer) as url:
        reader = source(url, **more)
        rows = [row for batch in reader.read(None) for row in batch.rows.to_pylist()]
        reader.close()
    assert rows == [{"id": 1, "name": "张三 & 子"}, {"id": 2, "name": None}]
    assert bodies == ["<soap><since>&lt;&amp;&apos;</since><page>1</page></soap>"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "secret">]><x>&a;</x>', "DOCTYPE"),
        (b"<x><y></x>", "no XML"),
        (b"<a>" * 200, "more than 100 elements"),
        (b'<?xml version="1.0" encoding="gbk"?><x>\xff\xff</x>', "encoding"),
    ],
)
def test_hostile_xml_is_refused(body: bytes, said: str) -> None:
    with running_service(lambda _: Answer(body=body)) as url, pytest.raises(TerminalError, match=said):
        read(source(url, answer="xml", records="x.row"))


def test_options_that_disagree_are_named() -> None:
    for values, said in (
        ({"columns": {"a": "a"}, "key": ["b"]}, "columns must hold b"),
        ({"columns": {"a": "a"}, "paging": {"kind": "cursor"}}, "paging.cursor.path"),
        ({"columns": {"a": "a"}, "auth": {"kind": "tif", "paas_id": "x", "token": "hidden"}}, "digest_case"),
    ):
        with pytest.raises(ConfigurationError, match=said) as wrong:
            build_options(HttpOptions, {"url": "http://x"} | values, where="source")
        assert "hidden" not in str(wrong.value)


def test_sink_sends_parts_under_keys_that_stay(tmp_path: Path) -> None:
    came: list[Asked] = []

    def answer(asked: Asked) -> Answer:
        came.append(asked)
        return Answer(status=503) if len(came) == 2 else reply({"code": 0})

    rows = [
        {
            "id": n,
            "n": Decimal("1.50"),
            "d": date(2026, 1, 2),
            "t": datetime(2026, 1, 2, tzinfo=UTC),
            "b": b"\x01",
        }
        for n in range(5)
    ]
    with running_service(answer) as url:
        given = {"url": url, "rows_per_request": 2, "wrap": "rows", "success": {"code": "0"}}
        sink = HttpSink(HttpSinkOptions.model_validate(given | {"delete_url": f"{url}/gone"}))
        parcel = build_parcel(tmp_path, 1, rows)
        with pytest.raises(TransientError):
            sink.write(parcel)
        assert sink.write(parcel).accepted == 5
        sink.write(build_parcel(tmp_path, 2, [{"id": 3}], Operation.DELETE))
        with pytest.raises(TerminalError, match="cannot snapshot"):
            sink.write(build_parcel(tmp_path, 3, [{"id": 3}], Operation.SNAPSHOT))
        sink.close()
    assert [asked.headers["idempotency-key"] for asked in came] == [
        "c.1.1-1", "c.1.1-2", "c.1.1-1", "c.1.1-2", "c.1.1-3", "c.1.2-1",
    ]  # fmt: skip
    assert came[0].body == came[2].body
    assert json.loads(came[2].body)["rows"][0] == {
        "id": 0,
        "n": "1.50",
        "d": "2026-01-02",
        "t": "2026-01-02T00:00:00+00:00",
        "b": base64.b64encode(b"\x01").decode(),
    }
    assert (came[5].path, json.loads(came[5].body)) == ("/gone", {"rows": [{"id": 3}]})


def test_sink_that_is_told_no_says_so_without_the_rows(tmp_path: Path) -> None:
    with running_service(lambda _: reply({"code": 5, "message": "secret"})) as url:
        sink = HttpSink(HttpSinkOptions.model_validate({"url": url, "success": {"code": "0"}}))
        with pytest.raises(TerminalError, match="code is not 0") as told:
            sink.write(build_parcel(tmp_path, 1, [{"id": 1}]))
        sink.close()
    assert "secret" not in str(told.value)
