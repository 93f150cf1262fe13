"""Reading many files out of one multipart body, without a database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.verify.language import Language, choose_language
from certs.verify.upload import MAX_FILES, UploadedFile, read_files
from core.errors import BadInput, TooLarge

TYPE = "multipart/form-data; boundary=b"


async def chunked(body: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def part(name: str, data: bytes) -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + data + b"\r\n"


async def test_thousand_and_first_file_ends_the_call_and_loses_none_before() -> None:
    body = b"".join(part(str(number), b"x") for number in range(MAX_FILES + 1)) + b"--b--\r\n"
    found: list[UploadedFile] = []

    async def collect() -> None:
        async for each in read_files(chunked(body, 1 << 20), content_type=TYPE, max_file_bytes=10):
            found.append(each)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(TooLarge, match="at most 1000 files"):
        await collect()
    assert [each.name for each in found] == [str(number) for number in range(MAX_FILES)]


@given(
    st.lists(st.binary(max_size=300).filter(lambda data: b"--b" not in data), min_size=1, max_size=5),
    st.integers(1, 400),
)
async def test_files_survive_any_cutting_into_chunks(contents: list[bytes], size: int) -> None:
    body = b"".join(part(str(n), data) for n, data in enumerate(contents)) + b"--b--\r\n"
    files = read_files(chunked(body, size), content_type=TYPE, max_file_bytes=300)
    assert [each.data async for each in files] == contents


@given(st.binary(max_size=500), st.integers(1, 50))
async def test_any_octets_give_files_or_our_own_error(body: bytes, size: int) -> None:
    try:
        async for each in read_files(chunked(body, size), content_type=TYPE, max_file_bytes=100):
            assert each.data is None or len(each.data) <= 100
    except BadInput:
        pass


async def test_name_with_control_characters_is_made_printable() -> None:
    body = part("a\x1b[31m", b"x") + b"--b--\r\n"
    [only] = [each async for each in read_files(chunked(body, 10), content_type=TYPE, max_file_bytes=10)]
    assert only.name.isprintable()


@pytest.mark.parametrize(
    ("accepted", "language"),
    [(None, "en"), ("", "en"), ("zh", "zh"), ("ZH-hans", "zh"), ("en;q=0, zh;q=0.2", "zh"), ("zh;q=x", "en")],
)
def test_language_follows_the_header(accepted: str | None, language: str) -> None:
    assert choose_language(accepted) is Language(language)
