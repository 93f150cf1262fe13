"""What every object store must do; subclass it with a `store` fixture."""

from __future__ import annotations

import threading

import pytest

from core.errors import Conflict, NotFound
from core.objects import ObjectStore


class ObjectStoreBehaviour:
    """The behaviour suite of `core.objects.ObjectStore`."""

    def test_put_then_get_returns_the_bytes(self, store: ObjectStore) -> None:
        for data in (b"", b"\x00\xff" * 1000):
            store.put(f"a/{len(data)}", data)
            assert store.get(f"a/{len(data)}") == data

    def test_range_of_an_object_is_read_and_its_size_told(self, store: ObjectStore) -> None:
        store.put("ranged", bytes(range(100)))
        assert store.size("ranged") == 100
        assert store.get_range("ranged", 10, 5) == bytes(range(10, 15))
        assert store.get_range("ranged", 99, 1) == b"c"
        for read in (lambda: store.size("none"), lambda: store.get_range("none", 0, 1)):
            with pytest.raises(NotFound):
                read()

    def test_put_of_the_same_bytes_again_is_harmless(self, store: ObjectStore) -> None:
        store.put("same", b"x")
        store.put("same", b"x")
        assert store.get("same") == b"x"

    def test_put_of_other_bytes_under_a_used_key_is_refused(self, store: ObjectStore) -> None:
        store.put("used", b"x")
        with pytest.raises(Conflict):
            store.put("used", b"y")
        assert store.get("used") == b"x"

    def test_keys_are_listed_in_order_by_prefix(self, store: ObjectStore) -> None:
        for key in ("p/b", "p/a", "q/c", "p/a2/d"):
            store.put(key, b"")
        assert list(store.keys("p/")) == ["p/a", "p/a2/d", "p/b"]

    def test_delete_removes_and_forgives(self, store: ObjectStore) -> None:
        store.put("gone", b"x")
        store.delete("gone")
        store.delete("gone")
        assert not store.exists("gone")
        with pytest.raises(NotFound):
            store.get("gone")

    def test_of_several_writers_of_different_bytes_one_wins(self, store: ObjectStore) -> None:
        outcomes: list[str] = []

        def write(data: bytes) -> None:
            try:
                store.put("a/b", data)
                outcomes.append("written")
            except Conflict:
                outcomes.append("conflict")

        threads = [threading.Thread(target=write, args=(bytes([n]) * 100_000,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["conflict"] * 7 + ["written"]
        assert len(set(store.get("a/b"))) == 1
