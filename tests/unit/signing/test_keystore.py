"""The key store: one master key, one winner, nothing lost, nothing shown."""

from __future__ import annotations

import base64
import multiprocessing
import os
import pickle
import stat
from pathlib import Path

import pytest

from signing.errors import KeyUnusable, SigningError
from signing.keystore import KeyStore, create_master_key, load_master_key
from signing.pkcs8 import Protection
from signing.signer import Signer
from signing.sm2 import PrivateKey

MASTER = bytes(range(32))


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys", MASTER)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_key_created_is_a_signer_and_is_loaded_again(store: KeyStore, tmp_path: Path) -> None:
    key = store.create("hub-signer")
    assert isinstance(key, Signer)
    key.public_key.verify(key.sign(b"message"), b"message")
    assert key.decrypt(key.public_key.encrypt(b"text")) == b"text"
    key.public_key.verify_many(zip(key.sign_many([b"a", b"b"]), [b"a", b"b"], strict=True))
    again = KeyStore(tmp_path / "keys", MASTER).load("hub-signer")
    assert (again.key_id, again.public_key) == ("hub-signer.1", key.public_key)


def test_key_created_twice_is_the_same_key(store: KeyStore) -> None:
    assert store.create("hub").public_key == store.create("hub").public_key


def test_files_and_directories_are_for_their_owner_alone(store: KeyStore, tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        store.create("hub")
        store.rotate("hub")
        KeyStore(tmp_path / "fresh", MASTER)
    finally:
        os.umask(old)
    entries = list((tmp_path / "keys").rglob("*"))
    assert {entry.name for entry in entries} == {".master", "hub", "1.p8", "2.p8", "current"}
    for entry in entries:
        assert mode(entry) == (0o700 if entry.is_dir() else 0o600)
    assert mode(tmp_path / "fresh") == 0o700


def test_rotation_keeps_old_versions_by_identifier_and_moves_the_name(store: KeyStore) -> None:
    first = store.create("hub")
    second = store.rotate("hub")
    assert second.public_key != first.public_key
    assert store.load("hub").key_id == store.current_id("hub") == "hub.2"
    assert store.load("hub.1").public_key == first.public_key
    assert store.key_ids("hub") == ("hub.1", "hub.2")
    assert store.create("hub").key_id == "hub.2"


def test_rotation_without_activation_waits_for_it(store: KeyStore) -> None:
    store.create("hub")
    prepared = store.rotate("hub", activate=False)
    assert store.load("hub").key_id == "hub.1"
    store.activate(prepared.key_id)
    assert store.load("hub").public_key == prepared.public_key
    store.activate("hub.1")
    assert store.current_id("hub") == "hub.1"


def test_names_lists_keys_only(store: KeyStore, tmp_path: Path) -> None:
    store.create("b")
    store.create("a")
    (tmp_path / "keys" / "empty").mkdir()
    (tmp_path / "keys" / "note.txt").touch()
    assert store.names() == ("a", "b")


def test_key_made_elsewhere_is_added_once(store: KeyStore) -> None:
    key = PrivateKey.generate()
    assert store.add("imported", key).public_key == key.public_key
    with pytest.raises(KeyUnusable, match="already has a key named imported"):
        store.add("imported", PrivateKey.generate())
    assert store.load("imported").public_key == key.public_key


def test_key_exported_opens_with_the_given_password(store: KeyStore) -> None:
    key = store.create("hub")
    octets = store.export("hub", b"backup", Protection(iterations=10))
    assert PrivateKey.from_pkcs8(octets, b"backup").public_key == key.public_key


def test_store_rewrapped_opens_under_the_new_master_key_only(store: KeyStore, tmp_path: Path) -> None:
    store.create("hub")
    store.rotate("hub")
    store.create("tsa")
    store.activate("hub.1")
    store.rewrap(tmp_path / "new", bytes(32))
    copy = KeyStore(tmp_path / "new", bytes(32))
    assert copy.names() == store.names()
    assert copy.current_id("hub") == "hub.1"
    for key_id in ("hub.1", "hub.2", "tsa.1"):
        assert copy.load(key_id).public_key == store.load(key_id).public_key
    with pytest.raises(KeyUnusable, match="empty key store only"):
        store.rewrap(tmp_path / "new", bytes(32))


def test_store_opened_with_another_master_key_is_refused_in_one_sentence(
    store: KeyStore, tmp_path: Path
) -> None:
    store.create("hub")
    with pytest.raises(KeyUnusable, match="belongs to another master key") as refused:
        KeyStore(tmp_path / "keys", bytes(32))
    assert str(tmp_path) not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "a.b", "-a", "a\n", "a" * 65, "签章", "hub.0", "hub.01"]
)
def test_key_name_that_could_leave_the_directory_is_refused(store: KeyStore, name: str) -> None:
    for use in (store.create, store.load, store.rotate, store.activate, store.key_ids):
        with pytest.raises(KeyUnusable):
            use(name)


@pytest.mark.parametrize("name", ["nobody", "nobody.1", "hub.2"])
def test_key_that_is_not_there_is_refused_by_name(store: KeyStore, name: str) -> None:
    store.create("hub")
    for use in (store.load, store.activate):
        with pytest.raises(KeyUnusable, match="has no key"):
            use(name)
    with pytest.raises(KeyUnusable, match="has no key"):
        store.rotate("nobody")


def test_key_file_moved_to_another_place_does_not_open(store: KeyStore, tmp_path: Path) -> None:
    store.create("hub")
    store.create("intruder")
    (tmp_path / "keys" / "intruder" / "1.p8").replace(tmp_path / "keys" / "hub" / "1.p8")
    with pytest.raises(KeyUnusable, match=r"hub\.1 was altered or belongs to another key"):
        store.load("hub")


def test_key_file_with_any_octet_altered_never_gives_another_key(store: KeyStore, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "hub" / "1.p8"
    public = store.create("hub").public_key
    octets = path.read_bytes()
    for position in range(0, len(octets), 5):
        altered = bytearray(octets)
        altered[position] ^= 0x55
        path.write_bytes(altered)
        try:
            assert store.load("hub").public_key == public
        except KeyUnusable as error:
            assert "was altered" in error.detail  # noqa: PT017 - a few octets of the file mean nothing


@pytest.mark.parametrize("content", [b"", b"two", b"7", b"-1"])
def test_pointer_that_points_nowhere_is_refused(store: KeyStore, tmp_path: Path, content: bytes) -> None:
    store.create("hub")
    (tmp_path / "keys" / "hub" / "current").write_bytes(content)
    with pytest.raises(KeyUnusable, match="which version of hub is in use"):
        store.load("hub")


def test_crash_between_key_and_pointer_leaves_the_key_usable(store: KeyStore, tmp_path: Path) -> None:
    key = store.create("hub")
    (tmp_path / "keys" / "hub" / "current").unlink()
    (tmp_path / "keys" / "hub" / ".2.p8.0123456789abcdef").write_bytes(b"half a key")
    assert store.load("hub").public_key == key.public_key
    assert store.rotate("hub").key_id == "hub.2"


@pytest.mark.parametrize("loose", [0o640, 0o604, 0o622])
def test_key_file_open_to_others_is_refused(store: KeyStore, tmp_path: Path, loose: int) -> None:
    store.create("hub")
    (tmp_path / "keys" / "hub" / "1.p8").chmod(loose)
    with pytest.raises(KeyUnusable, match="mode 0600"):
        store.load("hub")


def test_key_file_that_is_a_symbolic_link_is_refused(store: KeyStore, tmp_path: Path) -> None:
    store.create("hub")
    path = tmp_path / "keys" / "hub" / "1.p8"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SigningError, match="cannot be read or written") as refused:
        store.load("hub")
    assert str(tmp_path) not in str(refused.value)


def test_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o777)
    with pytest.raises(KeyUnusable, match="mode 0700"):
        KeyStore(tmp_path / "keys", MASTER)


def test_directory_that_is_a_file_is_refused_without_its_path(tmp_path: Path) -> None:
    (tmp_path / "keys").touch()
    with pytest.raises(SigningError, match="cannot be read or written") as refused:
        KeyStore(tmp_path / "keys", MASTER)
    assert str(tmp_path) not in str(refused.value)


def test_store_and_keys_show_nothing_and_are_not_pickled(store: KeyStore) -> None:
    key = store.create("hub")
    assert (repr(store), repr(key)) == ("<KeyStore>", "<StoredKey hub.1>")
    for value in (store, key):
        with pytest.raises(TypeError, match="pickled"):
            pickle.dumps(value)


def create_in_a_process(directory: Path, gate: object, answers: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    store = KeyStore(directory, MASTER)
    created = store.create("hub").public_key.point
    answers.put(created)  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_key_created_by_several_processes_at_once_is_one_key(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    gate, answers = context.Event(), context.Queue()
    workers = [
        context.Process(target=create_in_a_process, args=(tmp_path / "keys", gate, answers)) for _ in range(6)
    ]
    for worker in workers:
        worker.start()
    gate.set()
    points = {answers.get(timeout=30) for _ in workers}
    for worker in workers:
        worker.join()
    assert points == {KeyStore(tmp_path / "keys", MASTER).load("hub").public_key.point}
    assert {path.name for path in (tmp_path / "keys" / "hub").iterdir()} == {"1.p8", "current"}


# ------------------------------------------------------------------------------------ the master key


@pytest.mark.parametrize(
    "text",
    [MASTER.hex(), MASTER.hex().upper() + "\n", base64.b64encode(MASTER).decode(), f"  {MASTER.hex()} "],
)
def test_master_key_in_the_environment_is_read(text: str) -> None:
    assert load_master_key({"SHUZHENG_MASTER_KEY": text}) == MASTER


def test_master_key_in_url_safe_base64_is_read() -> None:
    key = b"\xfb\xff\xfe" * 10 + b"\xff\xff"
    assert load_master_key({"SHUZHENG_MASTER_KEY": base64.urlsafe_b64encode(key).decode()}) == key


@pytest.mark.parametrize(
    "text", ["secret", "0" * 63, "g" * 64, "0" * 66, base64.b64encode(bytes(31)).decode(), "é" * 44]
)
def test_master_key_of_another_shape_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyUnusable, match="64 hexadecimal digits or in base64") as refused:
        load_master_key({"SHUZHENG_MASTER_KEY": text})
    assert text not in str(refused.value)


def test_master_key_missing_everywhere_is_refused_with_what_to_set(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="set SHUZHENG_MASTER_KEY"):
        load_master_key({})
    with pytest.raises(KeyUnusable, match="cannot be read") as refused:
        load_master_key({}, tmp_path / "nothing")
    assert str(tmp_path) not in str(refused.value)


def test_master_key_file_is_made_once_with_mode_0600(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "master.key"
    key = create_master_key(path)
    assert create_master_key(path) == key == load_master_key({}, path)
    assert len(key) == 32
    assert mode(path) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["master.key"]


def test_master_key_in_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    create_master_key(tmp_path / "master.key")
    assert load_master_key({"SHUZHENG_MASTER_KEY": MASTER.hex()}, tmp_path / "master.key") == MASTER


@pytest.mark.parametrize("loose", [0o644, 0o640, 0o660, 0o601])
def test_master_key_file_open_to_others_is_refused_with_its_mode(tmp_path: Path, loose: int) -> None:
    path = tmp_path / "master.key"
    create_master_key(path)
    path.chmod(loose)
    with pytest.raises(KeyUnusable, match=f"mode {loose:04o}"):
        load_master_key({}, path)


def test_master_key_of_another_size_is_refused_by_the_store(tmp_path: Path) -> None:
    with pytest.raises(KeyUnusable, match="32 octets"):
        KeyStore(tmp_path / "keys", bytes(16))
