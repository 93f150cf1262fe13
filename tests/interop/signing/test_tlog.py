"""Go's transparency-log packages and Tessera's fsck judge SHA-256 trees, tiles and checkpoints of ours.

`golang.org/x/mod/sumdb/note` and `tlog` (harness in tests/interop/go-tlog) verify our Ed25519 checkpoint,
each proof, and every tile against the signed root, and sign a note for us to verify. Tessera's `fsck`,
unmodified and installed through the Go module proxy, rebuilds a whole log from its entry bundles.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signing.merkle.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import Ed25519NoteSigner, Sm2NoteSigner, parse_verifier_key
from signing.merkle.tiles import TileEdge, build_entry_bundle, list_new_bundles
from signing.merkle.tree import MerkleTree
from signing.sm2 import PrivateKey

pytestmark = pytest.mark.interop

FSCK = "github.com/transparency-dev/tessera/cmd/fsck@v1.0.4"
ORIGIN = "log.shuzheng.example/interop"
SUITE = HashSuite.SHA256
ED25519 = Ed25519NoteSigner(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
SM2 = Sm2NoteSigner(name=ORIGIN, signer=PrivateKey.from_scalar(0x1357))
HARNESS = Path(__file__).resolve().parents[1] / "go-tlog"


def run_go(directory: Path, *arguments: str, **environment: str) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed")
    run = subprocess.run(
        [go, *arguments],
        cwd=directory,
        env=os.environ | {"GOFLAGS": "-buildvcs=false"} | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    if run.returncode and ("dial tcp" in run.stderr or "lookup " in run.stderr):
        pytest.skip("the Go module proxy cannot be reached")
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def go_tlog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binary = tmp_path_factory.mktemp("go-tlog") / "go-tlog"
    run_go(HARNESS, "build", "-o", str(binary), ".")
    return binary


@pytest.fixture(scope="module")
def fsck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fsck")
    run_go(directory, "install", FSCK, GOBIN=str(directory))
    return directory / "fsck"


@dataclass(frozen=True)
class Log:
    """A whole log of ours: its entries, tree, files and checkpoint."""

    entries: list[bytes]
    tree: MerkleTree
    files: dict[str, bytes]
    checkpoint: bytes


def build_log(size: int, *, steps: int = 1) -> Log:
    """Grow a log in steps, as a log in service grows, and keep all that was written."""
    entries = [f"entry {n}".encode() * (n % 3) for n in range(size)]
    leaves = [SUITE.leaf_hash(entry) for entry in entries]
    edge, files = TileEdge(SUITE), {}
    for step in range(steps):
        old, new = edge.size, size * (step + 1) // steps
        files |= {tile.id.path: tile.data for tile in edge.extend(leaves[old:new])}
        for bundle in list_new_bundles(old, new):
            first = bundle.index * 256
            files[bundle.path] = build_entry_bundle(entries[first : first + bundle.width])
    checkpoint = sign_checkpoint(Checkpoint(origin=ORIGIN, size=size, root=edge.root()), [SM2, ED25519])
    return Log(entries, MerkleTree(leaves, suite=SUITE), files, checkpoint)


def b64(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list | tuple):
        return [b64(each) for each in value]
    if isinstance(value, dict):
        return {key: b64(each) for key, each in value.items()}
    return value


def ask(binary: Path, **request: Any) -> dict[str, Any]:
    run = subprocess.run(
        [str(binary)],
        input=json.dumps(b64(request)),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def ask_about(binary: Path, log: Log, **changes: Any) -> dict[str, Any]:
    request: dict[str, Any] = {
        "checkpoint": log.checkpoint,
        "verifier_keys": [ED25519.verifier.verifier_key],
        "files": log.files,
        "entries": log.entries,
    }
    return ask(binary, **(request | changes))


@pytest.mark.parametrize(("size", "steps"), [(1, 1), (255, 3), (256, 2), (257, 5), (1500, 7), (66_000, 3)])
def test_go_reads_checkpoint_proofs_and_tiles_of_our_log(go_tlog: Path, size: int, steps: int) -> None:
    log = build_log(size, steps=steps)
    sample = sorted({*range(min(size, 300)), size // 2, size - 1})
    answer = ask_about(
        go_tlog, log, entries=log.entries[: sample[-1] + 1] if size < 2000 else log.entries[:300]
    )
    assert answer["error"] == ""
    assert answer["signers"] == [ORIGIN]
    assert answer["unknown"] == 1
    assert set(answer["tiles"]) <= set(log.files)
    assert answer["tiles"]
    for index, proof in enumerate(answer["tile_proofs"][:300]):
        assert [base64.b64decode(each) for each in proof or []] == list(log.tree.inclusion_proof(index))


def test_go_refuses_an_altered_tile_entry_or_checkpoint(go_tlog: Path) -> None:
    log = build_log(700)
    path = "tile/0/001"
    tile = bytearray(log.files[path])
    tile[40] ^= 1
    assert ask_about(go_tlog, log, files=log.files | {path: bytes(tile)})["error"]
    assert ask_about(go_tlog, log, entries=[*log.entries[:9], b"altered"])["error"]
    assert ask_about(go_tlog, log, checkpoint=log.checkpoint.replace(b"\n700\n", b"\n701\n"))["error"]
    assert ask_about(go_tlog, log, verifier_keys=[])["error"]


def test_go_agrees_with_every_inclusion_proof_and_refuses_altered_ones(go_tlog: Path) -> None:
    tree = build_log(70).tree
    claims = [
        {
            "index": index,
            "size": size,
            "root": tree.root(size),
            "leaf": tree.levels[0][index],
            "proof": tree.inclusion_proof(index, size),
        }
        for size in range(1, 70, 3)
        for index in range(size)
    ]
    assert set(ask(go_tlog, inclusion=claims)["inclusion"]) == {""}
    forged = [claim | {"leaf": b"\x00" * 32} for claim in claims]
    assert "" not in ask(go_tlog, inclusion=forged)["inclusion"]


def test_go_agrees_with_every_consistency_proof_and_refuses_altered_ones(go_tlog: Path) -> None:
    tree = build_log(50).tree
    claims = [
        {
            "old_size": old,
            "old_root": tree.root(old),
            "new_size": new,
            "new_root": tree.root(new),
            "proof": tree.consistency_proof(old, new),
        }
        for new in range(1, 50)
        for old in range(1, new + 1)
    ]
    assert set(ask(go_tlog, consistency=claims)["consistency"]) == {""}
    forged = [claim | {"old_root": b"\x00" * 32} for claim in claims]
    assert "" not in ask(go_tlog, consistency=forged)["consistency"]


def test_note_signed_by_go_verifies_here(go_tlog: Path) -> None:
    answer = ask(go_tlog, seed="go.example/log")
    key = parse_verifier_key(answer["go_key"])
    verified = verify_checkpoint(answer["go_note"].encode(), origin="go.example/log", log_keys=[key])
    assert verified.checkpoint.size == 7
    assert verified.checkpoint.root == SUITE.leaf_hash(b"x")


def write_log(directory: Path, log: Log) -> None:
    for path, data in (log.files | {"checkpoint": log.checkpoint}).items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


def run_fsck(binary: Path, directory: Path) -> str:
    # With one worker (its default) fsck 1.0.4 waits for ever after a worker has found a difference.
    key = directory / "log.pub"
    key.write_text(ED25519.verifier.verifier_key)
    run = subprocess.run(
        [
            str(binary),
            "--storage_url",
            directory.as_uri() + "/",
            "--public_key",
            str(key),
            "--ui=false",
            "--N=64",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return run.stderr


@pytest.mark.parametrize(("size", "steps"), [(1, 1), (256, 1), (1000, 4), (70_000, 2)])
def test_tessera_fsck_accepts_our_log(fsck: Path, tmp_path: Path, size: int, steps: int) -> None:
    write_log(tmp_path, build_log(size, steps=steps))
    report = run_fsck(fsck, tmp_path)
    assert f"Successfully fsck'd log with size {size} " in report, report


@pytest.mark.parametrize(
    ("path", "at"),
    [
        ("tile/0/001", 4000),
        ("tile/entries/000", 100),
        ("tile/1/000.p/3", 40),
        ("checkpoint", len(ORIGIN) + 9),
    ],
)
def test_tessera_fsck_refuses_our_log_with_one_byte_altered(
    fsck: Path, tmp_path: Path, path: str, at: int
) -> None:
    write_log(tmp_path, build_log(1000))
    target = tmp_path / path
    data = bytearray(target.read_bytes())
    data[at] ^= 1
    target.write_bytes(bytes(data))
    report = run_fsck(fsck, tmp_path)
    assert "fsck failed" in report
    assert "Successfully" not in report
