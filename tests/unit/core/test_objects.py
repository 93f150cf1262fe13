"""One behaviour suite over every object store; the S3 form runs it in the interop tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from core.errors import BadInput, Conflict, NotFound, Unavailable
from core.objects.store import DirectoryStore
from tests.object_store_behaviour import ObjectStoreBehaviour


class TestDirectoryStore(ObjectStoreBehaviour):
    @pytest.fixture
    def store(self, tmp_path: Path) -> DirectoryStore:
        return DirectoryStore(tmp_path / "objects")


def test_directory_that_refuses_writes_says_so(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    (tmp_path / "a").write_text("a file where a folder is needed")
    with pytest.raises(Unavailable, match="refuses to write"):
        store.put("a/b", b"x")


def test_objects_are_not_left_half_written(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    store.put("k", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


class TestDirectoryWithoutNamelessFiles(ObjectStoreBehaviour):
    """macOS, and file systems that know no O_TMPFILE: files have a temporary name first."""

    @pytest.fixture
    def store(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryStore:
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
        return DirectoryStore(tmp_path / "objects")

    def test_nothing_is_left_beside_an_object(self, store: DirectoryStore, tmp_path: Path) -> None:
        store.put("k", b"x")
        with pytest.raises(Conflict):
            store.put("k", b"y")
        assert [path.name for path in (tmp_path / "objects").iterdir()] == ["k"]


@pytest.mark.parametrize(
    "key", ["", "/a", "a//b", "../a", "a/../b", ".a", "a\x00", "a b", "é", "a/", "x" * 600]
)
def test_hostile_key_is_refused(tmp_path: Path, key: str) -> None:
    store = DirectoryStore(tmp_path)
    for act in (lambda: store.put(key, b""), lambda: store.get(key), lambda: store.delete(key)):
        with pytest.raises(BadInput):
            act()


def test_missing_object_raises_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        DirectoryStore(tmp_path).get("no/such")
