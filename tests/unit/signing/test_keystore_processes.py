"""One key store under several processes: rotated while others sign, killed in the middle of it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from signing import keystore
from signing.errors import ShuzhengError
from signing.keystore import KeyStore

MASTER = bytes(range(32))
ROTATIONS = 5
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def rotate(directory: Path, answers: Any) -> None:
    """Rotate several times; tell the identifiers made, in order."""
    store = KeyStore(directory, MASTER)
    answers.put([store.rotate("hub").key_id for _ in range(ROTATIONS)])


def sign(directory: Path, stop: Any, answers: Any) -> None:
    """Sign with whatever key is in use until told to stop; tell how often, or what went wrong."""
    store, signed, newest = KeyStore(directory, MASTER), 0, 0
    try:
        while not stop.is_set():
            key = store.load("hub")
            key.public_key.verify(key.sign(b"message"), b"message")
            number = int(key.key_id.rpartition(".")[2])
            assert number >= newest, "an older key came back into use"
            newest, signed = number, signed + 1
    except (ShuzhengError, AssertionError) as error:
        answers.put(repr(error))
    answers.put(signed)


def test_key_rotated_by_several_processes_while_others_sign_is_never_missing_or_older(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("fork")
    store = KeyStore(tmp_path / "keys", MASTER)
    store.create("hub")
    stop, rotated, signed = context.Event(), context.Queue(), context.Queue()
    signers = [context.Process(target=sign, args=(tmp_path / "keys", stop, signed)) for _ in range(2)]
    rotators = [context.Process(target=rotate, args=(tmp_path / "keys", rotated)) for _ in range(3)]
    for process in (*signers, *rotators):
        process.start()
    made = [rotated.get(timeout=60) for _ in rotators]
    stop.set()
    counts = [signed.get(timeout=60) for _ in signers]
    for process in (*signers, *rotators):
        process.join()
    assert all(isinstance(count, int) and count > 0 for count in counts), counts
    identifiers = sorted(each for several in made for each in several)
    assert len(set(identifiers)) == len(identifiers) == 3 * ROTATIONS, "two rotations made one key"
    assert all(several == sorted(several, key=lambda each: int(each[4:])) for several in made)
    assert store.key_ids("hub") == tuple(f"hub.{number}" for number in range(1, 3 * ROTATIONS + 2))
    assert store.current_id("hub") == f"hub.{3 * ROTATIONS + 1}"
    assert len({store.load(each).public_key.point for each in store.key_ids("hub")}) == 3 * ROTATIONS + 1
    assert not [path for path in (tmp_path / "keys").rglob(".*") if path.name != ".master"]


def rotate_for_ever(directory: Path) -> None:
    store = KeyStore(directory, MASTER)
    while True:
        store.rotate("hub")


@pytest.mark.parametrize("delay_s", [0.02, 0.05, 0.09])
def test_process_killed_while_it_rotates_leaves_a_store_that_works(tmp_path: Path, delay_s: float) -> None:
    context = multiprocessing.get_context("fork")
    store = KeyStore(tmp_path / "keys", MASTER)
    first = store.create("hub")
    process = context.Process(target=rotate_for_ever, args=(tmp_path / "keys",))
    process.start()
    time.sleep(delay_s)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    reopened = KeyStore(tmp_path / "keys", MASTER)
    for key_id in reopened.key_ids("hub"):
        key = reopened.load(key_id)
        key.public_key.verify(key.sign(b"message"), b"message")
    assert reopened.load("hub").sign(b"message")
    assert reopened.load("hub.1").public_key == first.public_key
    assert reopened.rotate("hub").key_id == reopened.current_id("hub")


@pytest.mark.parametrize("step", ["_versions", "_read"])
def test_key_is_found_though_it_is_rotated_between_the_steps_of_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    store, other = (KeyStore(tmp_path / "keys", MASTER) for _ in range(2))
    store.create("hub")
    original = getattr(keystore, step)
    rotates = [True]

    def interrupted(path: Path) -> object:
        found = original(path)
        if rotates:
            rotates.clear()
            other.rotate("hub")
        return found

    monkeypatch.setattr(keystore, step, interrupted)
    assert store.current_id("hub") in {"hub.1", "hub.2"}
    assert store.current_id("hub") == "hub.2"
