"""Verifying files through the API: the shape of the answer, languages, and many files in one call."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.integration.certs.conftest import MAX_BYTES, World
from tests.unit.certs.packages import pack, plain_files, sealed

BOUNDARY = "frontier"
KEYS = {"status", "findings", "signatures", "register"}
SIGNATURE_KEYS = {
    "id",
    "status",
    "seal",
    "signer",
    "signed_at",
    "time_source",
    "coverage",
    "findings",
}


def part(name: str, data: bytes) -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


async def post(
    world: World, content: Any, *, query: str = "", media: str | None = None, **headers: str
) -> httpx.Response:
    media = media or f"multipart/form-data; boundary={BOUNDARY}"
    return await world.client.post(
        f"/v1/certificates/verify{query}",
        content=content,
        headers=world.hub.members["approval"].headers | {"Content-Type": media} | headers,
    )


def lines(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_answer_for_one_file_has_exactly_the_documented_shape(world: World) -> None:
    answer = await post(world, pack(sealed()), media="application/ofd")
    report = answer.json()
    assert set(report) == KEYS
    assert set(report["signatures"][0]) == SIGNATURE_KEYS
    for finding in [*report["findings"], *report["signatures"][0]["findings"]]:
        assert set(finding) == {"code", "severity", "subject", "message"}
    assert report["register"]["status"] == "unknown_here"


async def test_answer_in_full_has_the_checks_too(world: World) -> None:
    report = (await post(world, pack(sealed()), query="?full=true", media="application/ofd")).json()
    assert set(report) == KEYS | {"digest", "metadata"}
    assert len(report["signatures"][0]["checks"]) == 31


@pytest.mark.parametrize(
    ("accept", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB", "en"), ("fr, zh;q=0.1", "zh"), ("*", "en")],
)
async def test_messages_come_in_the_language_asked_for(world: World, accept: str, language: str) -> None:
    answer = await post(world, b"PK rubbish", media="application/ofd", **{"Accept-Language": accept})
    message = answer.json()["findings"][0]["message"]
    assert answer.headers["content-language"] == language
    assert ("文件不是" in message) == (language == "zh")


async def test_strict_refuses_what_only_warns_otherwise(world: World) -> None:
    more = pack(sealed() | {"Doc_0/Res/evil.exe": b"MZ"})
    lax = (await post(world, more, media="application/ofd")).json()
    strict = (await post(world, more, query="?strict=true", media="application/ofd")).json()
    assert "W126" in json.dumps(lax["signatures"])
    assert "E126" in json.dumps(strict["signatures"])


async def test_moment_that_is_none_is_refused_before_the_body_is_read(world: World) -> None:
    answer = await post(world, pack(sealed()), query="?at=yesterday", media="application/ofd")
    assert answer.status_code == 400
    many = await post(world, part("a", b"x") + END, query="?at=yesterday")
    assert many.status_code == 400


async def test_many_files_are_answered_one_line_each_in_their_order(world: World) -> None:
    body = [
        part("甲.ofd", pack(sealed())),
        part("plain.ofd", pack(plain_files(signed=False))),
        part("rubbish", b"rubbish"),
        part("empty", b""),
        END,
    ]
    found = lines(await post(world, b"".join(body)))
    assert [each["file"] for each in found] == ["甲.ofd", "plain.ofd", "rubbish", "empty"]
    assert [each["status"] for each in found] == ["UNKNOWN", "NOT_SIGNED", "INVALID", "INVALID"]
    assert all(set(each) == KEYS | {"file"} for each in found)
    alone = (await post(world, pack(sealed()), media="application/ofd")).json()
    assert {key: found[0][key] for key in KEYS} == alone


async def test_many_files_in_small_chunks_give_the_same_answer(world: World) -> None:
    body = part("a", pack(sealed())) + part("b", b"--frontie\r\n--") + END

    async def slowly() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 997):
            yield body[start : start + 997]

    assert lines(await post(world, slowly())) == lines(await post(world, body))


async def test_file_over_the_limit_is_reported_and_the_others_are_verified(world: World) -> None:
    body = part("large", b"x" * (MAX_BYTES + 1)) + part("good", pack(sealed())) + END
    large, good = lines(await post(world, body))
    assert large["findings"][0]["code"] == "E101"
    assert large["register"] is None
    assert good["status"] == "UNKNOWN"


@pytest.mark.parametrize("body", [b"", END, b"rubbish", part("a", b"x")[:30]])
async def test_body_without_a_whole_file_is_refused(world: World, body: bytes) -> None:
    answer = await post(world, body)
    assert answer.status_code == 400
    assert answer.json()["code"]


async def test_body_that_breaks_off_keeps_the_lines_of_what_was_whole(world: World) -> None:
    first, last = lines(await post(world, part("a", pack(sealed())) + part("b", b"x")[:-8]))
    assert first["file"] == "a"
    assert "breaks off" in last["error"]["detail"]


async def test_multipart_without_boundary_is_refused(world: World) -> None:
    assert (await post(world, b"x", media="multipart/form-data")).status_code == 400


async def test_each_file_of_a_call_writes_its_own_leaf(world: World) -> None:
    before = await _leaves(world)
    lines(await post(world, part("a", pack(sealed())) + part("b", b"x") + END))
    assert await _leaves(world) == before + 2


async def _leaves(world: World) -> int:
    async with world.hub.services.database.transaction() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM core.log_leaf") or 0)
