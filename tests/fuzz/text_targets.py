"""The parsers of text and of tree data: notes, proofs, tiles, receipts, JSON, HTTP fields."""

from __future__ import annotations

import contextlib
from functools import cache

from signing.canonical_json import parse_canonical_json, parse_json
from signing.content_digest import verify_content_digest
from signing.errors import ShuzhengError
from signing.http_messages import HttpRequest, parse_component
from signing.http_signature_keys import Sm2HttpVerifier
from signing.http_signatures import SignaturePolicy, verify_message
from signing.merkle.checkpoint import parse_checkpoint, parse_witness_key, verify_checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import parse_note, parse_verifier_key
from signing.merkle.proofs import verify_consistency, verify_inclusion
from signing.merkle.receipt_trust import TrustedPath
from signing.merkle.receipts import verify_receipt
from signing.merkle.tiles import parse_bundle_path, parse_entry_bundle, parse_tile, parse_tile_path
from signing.merkle.tree import Frontier
from signing.structured_fields import parse_dictionary, parse_item, parse_list
from signing.x509.extensions import SIGNING_USAGE
from signing.x509.path import PathPolicy, RevocationMode, verify_path
from tests.fuzz.make_seeds import FOLDER, HTTP_URI, ORIGIN
from tests.fuzz.target import each, target, words
from tests.unit.signing import hierarchy
from tests.unit.signing.seals import pki

# ----------------------------------------------------------------------------------------- Merkle


@target("note", text=True)
def fuzz_note(data: bytes) -> None:
    assert parse_note(data).to_bytes() == data


@target("note", "checkpoint", text=True)
def fuzz_checkpoint(data: bytes) -> None:
    key = parse_verifier_key(log_key())
    try:
        checkpoint = parse_checkpoint(words(data))
        assert checkpoint.text == words(data)
    except ShuzhengError:
        pass
    verify_checkpoint(data, origin=ORIGIN, log_keys=[key], witnesses=[parse_witness_key(witness_key())])


@cache
def log_key() -> str:
    return (FOLDER / "verifier_key-log.bin").read_text()


@cache
def witness_key() -> str:
    return (FOLDER / "verifier_key-witness.bin").read_text()


@target("verifier_key", text=True)
def fuzz_verifier_key(data: bytes) -> None:
    each(lambda: parse_verifier_key(words(data)), lambda: parse_witness_key(words(data)))


@target("proof")
def fuzz_proof(data: bytes) -> None:
    """Take an index, a size, a root and hashes out of the octets, whatever they are."""
    index, size = int.from_bytes(data[:8], "big"), int.from_bytes(data[8:16], "big", signed=True)
    root, proof = data[16:48], [data[at : at + 32] for at in range(48, len(data), 32)]
    leaf, suite = HashSuite.SM3.leaf_hash((17).to_bytes(2, "big")), HashSuite.SM3
    each(
        lambda: verify_inclusion(suite, leaf_hash=leaf, index=index, size=size, proof=proof, root=root),
        lambda: verify_consistency(
            suite, old_size=index, old_root=leaf, new_size=size, new_root=root, proof=proof
        ),
    )


@target("tile", "bundle")
def fuzz_tile(data: bytes) -> None:
    each(lambda: parse_tile(data, len(data) // 32), lambda: parse_entry_bundle(data, 5))


@target("tile_path", text=True)
def fuzz_tile_path(data: bytes) -> None:
    each(lambda: parse_tile_path(words(data)), lambda: parse_bundle_path(words(data)))


@target()
def fuzz_frontier(data: bytes) -> None:
    frontier = Frontier.parse(data)
    assert frontier.to_bytes() == data
    frontier.root()


@target("receipt", text=True)
def fuzz_receipt(data: bytes) -> None:
    ignoring = PathPolicy(key_usage=SIGNING_USAGE, revocation=RevocationMode.IGNORE)
    authority = pki.pki().authority.certificate
    trust = TrustedPath(
        verify_path=lambda certificate, others, at: verify_path(
            certificate,
            roots=(pki.pki().root.certificate,),
            intermediates=(authority, *others),
            at=at,
            policy=ignoring,
        ),
        may_sign=lambda certificate: True,
    )
    verify_receipt(data, trust=trust)


# ------------------------------------------------------------------------------------------- text


@target("json", "receipt", text=True)
def fuzz_canonical_json(data: bytes) -> None:
    each(lambda: parse_json(data), lambda: parse_canonical_json(data))


@target("structured", "content_digest", text=True)
def fuzz_structured_fields(data: bytes) -> None:
    text = words(data)
    for parse in (parse_item, parse_list, parse_dictionary):
        with contextlib.suppress(ShuzhengError):
            parse(text)


@target("content_digest", text=True)
def fuzz_content_digest(data: bytes) -> None:
    verify_content_digest(words(data), b"{}")


@target("http", text=True)
def fuzz_http_signature(data: bytes) -> None:
    """Verify a request whose fields are the lines of the input; the rest of the message is fixed."""
    lines = [*words(data).split("\n"), "", "", "", ""]
    message = HttpRequest(
        method="POST",
        target_uri=HTTP_URI,
        fields=tuple(
            zip(("signature-input", "signature", "content-digest", "content-type"), lines, strict=False)
        ),
        body=b'{"subject":"1"}',
    )
    verify_message(
        message,
        policy=SignaturePolicy(required=("@method", "@target-uri"), tag="shuzheng"),
        find_key=lambda key_id: Sm2HttpVerifier(public_key=hierarchy.key(6).public_key),
        now=hierarchy.NOW,
    )


@target("http", "structured", text=True)
def fuzz_http_component(data: bytes) -> None:
    parse_component(words(data))


@target("http", text=True)
def fuzz_http_uri(data: bytes) -> None:
    """Verify a request whose address and method come from the input."""
    uri, _, rest = words(data).partition(" ")
    message = HttpRequest(
        method=rest[:20],
        target_uri="https://hub.shuzheng.example/" + uri,
        fields=(("signature-input", _INPUT), ("signature", f"sig1=:{'A' * 84}AA==:")),
        body=b"",
    )
    verify_message(
        message,
        policy=SignaturePolicy(required=("@method",)),
        find_key=lambda key_id: Sm2HttpVerifier(public_key=hierarchy.key(6).public_key),
        now=hierarchy.NOW,
    )


_INPUT = (
    'sig1=("@method" "@target-uri" "@authority" "@scheme" "@request-target" "@path" "@query" '
    f'"@query-param";name="code");created={int(hierarchy.NOW.timestamp())};keyid="k"'
)
