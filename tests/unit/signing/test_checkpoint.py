"""Signed notes, checkpoints and cosignatures: the published examples, round trips, and every refusal."""

from __future__ import annotations

import base64
import os
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.errors import DecodeError, KeyUnusable, SignatureInvalid
from signing.merkle.checkpoint import (
    Checkpoint,
    Ed25519Cosigner,
    Ed25519Witness,
    Sm2Cosigner,
    cosign_checkpoint,
    parse_checkpoint,
    parse_witness_key,
    sign_checkpoint,
    verify_checkpoint,
)
from signing.merkle.errors import CheckpointRefused
from signing.merkle.notes import (
    MAX_NOTE_BYTES,
    Ed25519NoteSigner,
    Sm2NoteSigner,
    add_signatures,
    parse_note,
    parse_verifier_key,
    sign_note,
    verify_note,
)
from signing.sm2 import PrivateKey

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
ORIGIN = "log.shuzheng.example/audit"
AT = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
CHECKPOINT = Checkpoint(origin=ORIGIN, size=1234, root=bytes(range(32)))
SM2_LOG = Sm2NoteSigner(name=ORIGIN, signer=PrivateKey.from_scalar(0x1234567))
ED25519_LOG = Ed25519NoteSigner(name=ORIGIN, private_key=Ed25519PrivateKey.from_private_bytes(b"\x07" * 32))
SM2_WITNESS = Sm2Cosigner(
    name="witness.example/sm2", signer=PrivateKey.from_scalar(0x7654321), clock=lambda: AT
)
ED25519_WITNESS = Ed25519Cosigner(
    name="witness.example/ed",
    private_key=Ed25519PrivateKey.from_private_bytes(b"\x08" * 32),
    clock=lambda: AT,
)
SIGNED = sign_checkpoint(CHECKPOINT, [SM2_LOG, ED25519_LOG])
COSIGNED = cosign_checkpoint(SIGNED, [SM2_WITNESS, ED25519_WITNESS])

GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZIn"
    "NIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_note_published_with_go_verifies_with_its_published_key() -> None:
    key = parse_verifier_key(GO_KEY)
    note = parse_note(GO_NOTE.encode())
    assert note.to_bytes() == GO_NOTE.encode()
    assert [each.name for each in verify_note(note, [key])] == ["PeterNeumann"]
    assert key.verifier_key == GO_KEY


def test_checkpoint_text_of_the_specification_parses() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = parse_checkpoint(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.text == text


@pytest.mark.parametrize("signer", [SM2_LOG, ED25519_LOG], ids=["sm2", "ed25519"])
def test_checkpoint_signed_by_either_key_alone_verifies(signer: Sm2NoteSigner | Ed25519NoteSigner) -> None:
    data = sign_checkpoint(CHECKPOINT, [signer])
    verified = verify_checkpoint(data, origin=ORIGIN, log_keys=[signer.verifier])
    assert verified.checkpoint == CHECKPOINT
    assert verified.log_key == ORIGIN
    assert verified.cosignatures == ()


def test_checkpoint_with_cosignatures_names_witnesses_and_their_times() -> None:
    verified = verify_checkpoint(
        COSIGNED,
        origin=ORIGIN,
        log_keys=[SM2_LOG.verifier, ED25519_LOG.verifier],
        witnesses=[SM2_WITNESS.witness, ED25519_WITNESS.witness],
        witnesses_needed=2,
    )
    assert {(each.witness, each.signed_at) for each in verified.cosignatures} == {
        ("witness.example/sm2", AT),
        ("witness.example/ed", AT),
    }


def test_cosignature_signs_the_message_of_the_specification() -> None:
    note = parse_note(COSIGNED)
    line = next(each for each in note.signatures if each.name == "witness.example/ed")
    message = b"cosignature/v1\ntime %d\n" % int(AT.timestamp()) + CHECKPOINT.text.encode()
    assert int.from_bytes(line.signature[:8], "big") == int(AT.timestamp())
    ED25519_WITNESS.private_key.public_key().verify(line.signature[8:], message)


def test_checkpoint_with_too_few_witnesses_is_refused() -> None:
    for data, witnesses in ((SIGNED, [SM2_WITNESS.witness]), (COSIGNED, [SM2_WITNESS.witness])):
        with pytest.raises(CheckpointRefused):
            verify_checkpoint(
                data,
                origin=ORIGIN,
                log_keys=[SM2_LOG.verifier],
                witnesses=witnesses,
                witnesses_needed=2,
            )


def test_one_witness_listed_twice_counts_once() -> None:
    twice = cosign_checkpoint(COSIGNED, [SM2_WITNESS])
    with pytest.raises(CheckpointRefused):
        verify_checkpoint(
            twice,
            origin=ORIGIN,
            log_keys=[SM2_LOG.verifier],
            witnesses=[SM2_WITNESS.witness, SM2_WITNESS.witness],
            witnesses_needed=2,
        )


def test_checkpoint_of_another_log_is_refused() -> None:
    with pytest.raises(CheckpointRefused):
        verify_checkpoint(SIGNED, origin="other.example", log_keys=[SM2_LOG.verifier])


def test_checkpoint_signed_by_strangers_only_is_refused() -> None:
    stranger = Sm2NoteSigner(name=ORIGIN, signer=PrivateKey.from_scalar(99))
    with pytest.raises(CheckpointRefused):
        verify_checkpoint(sign_checkpoint(CHECKPOINT, [stranger]), origin=ORIGIN, log_keys=[SM2_LOG.verifier])
    with pytest.raises(CheckpointRefused):
        verify_checkpoint(SIGNED, origin=ORIGIN, log_keys=[])


def test_signatures_of_unknown_keys_are_passed_over() -> None:
    stranger = Sm2NoteSigner(name="stranger.example", signer=PrivateKey.from_scalar(99))
    data = add_signatures(parse_note(SIGNED), [stranger]).to_bytes()
    verify_checkpoint(data, origin=ORIGIN, log_keys=[SM2_LOG.verifier])


def test_one_wrong_signature_of_a_known_key_refuses_the_whole_note() -> None:
    note = parse_note(SIGNED)
    ed25519 = note.signatures[1]
    wrong = ed25519.signature[:-1] + bytes([ed25519.signature[-1] ^ 1])
    data = SIGNED.replace(
        base64.b64encode(ed25519.key_id + ed25519.signature), base64.b64encode(ed25519.key_id + wrong)
    )
    assert data != SIGNED
    verify_checkpoint(data, origin=ORIGIN, log_keys=[SM2_LOG.verifier])
    with pytest.raises(CheckpointRefused):
        verify_checkpoint(data, origin=ORIGIN, log_keys=[SM2_LOG.verifier, ED25519_LOG.verifier])


def test_cosignature_is_no_checkpoint_signature_of_the_same_key() -> None:
    signer = PrivateKey.from_scalar(5)
    witness = Sm2Cosigner(name=ORIGIN, signer=signer, clock=lambda: AT)
    assert witness.key_id != Sm2NoteSigner(name=ORIGIN, signer=signer).key_id
    with pytest.raises(SignatureInvalid):
        Sm2NoteSigner(name=ORIGIN, signer=signer).verifier.verify(
            CHECKPOINT.text.encode(), witness.sign(CHECKPOINT.text.encode())
        )


@given(position=st.integers(0, len(COSIGNED) * 8 - 1))
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_checkpoint_with_any_flipped_bit_is_refused_or_loses_no_trust(position: int) -> None:
    data = bytearray(COSIGNED)
    data[position // 8] ^= 1 << position % 8
    try:
        verified = verify_checkpoint(
            bytes(data),
            origin=ORIGIN,
            log_keys=[SM2_LOG.verifier],
            witnesses=[SM2_WITNESS.witness],
            witnesses_needed=1,
        )
    except (DecodeError, CheckpointRefused):
        return
    # Only the two Ed25519 lines, which nobody asked about, may have been altered.
    assert verified.checkpoint == CHECKPOINT
    altered = bytes(data).split(b"\n")[4:]
    original = COSIGNED.split(b"\n")[4:]
    assert altered[0] == original[0]
    assert altered[2] == original[2]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "a\n1\n",
        "a\n1\n\n",
        "\n1\nAAAA\n",
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n+1\n" + "A" * 43 + "=\n",
        "a\n1 \n" + "A" * 43 + "=\n",
        "a\n١\n" + "A" * 43 + "=\n",
        "a\n1\n" + "A" * 43 + "\n",
        "a\n1\n" + "A" * 42 + "B=\n",
        "a\n1\n" + "A" * 44 + "\n",
        "a\n9223372036854775808\n" + "A" * 43 + "=\n",
        "a\n" + "9" * 5000 + "\n" + "A" * 43 + "=\n",
        "a\n1\n" + "A" * 43 + "=\n\nx\n",
        "a\n1\n" + "A" * 43 + "=",
        "a\n1\n" + "_" * 43 + "=\n",
        "a\n1\n\x80\n",
    ],
)
def test_checkpoint_text_that_deviates_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"text\n",
        b"text\n\n",
        b"text\n\nno signature\n",
        GO_NOTE.encode()[:-1],
        GO_NOTE.encode() + b"\n",
        GO_NOTE.replace("— ", "- ").encode(),
        GO_NOTE.replace("— P", "—  P").encode(),
        GO_NOTE.replace(" x08", " x08 ").encode(),
        GO_NOTE.replace("PeterNeumann", "Peter+Neumann").encode(),
        GO_NOTE.replace("PeterNeumann", "Peter\u00a0Neumann").encode(),
        GO_NOTE.replace("you", "yo\tu").encode(),
        GO_NOTE.replace("AM=", "AN=").encode(),
        GO_NOTE.replace("PeterNeumann", "Peter\x00Neumann").encode(),
        GO_NOTE.replace("AM=", "AM").encode(),
        GO_NOTE.replace("\n", "\r\n").encode(),
        GO_NOTE.encode().replace(b"you", b"\xff"),
        b"text\n\n" + "— name AAAAAA==\n".encode(),
        b"text\n\n" + "— name AAAAAAA=\n".encode() * 101,
        b"x" * MAX_NOTE_BYTES + GO_NOTE.encode(),
    ],
)
def test_note_that_deviates_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        parse_note(data)


@given(
    data=st.binary(max_size=400)
    | st.text(alphabet="ab \n—+=A1/\u00a0\t", max_size=120).map(str.encode)
    | st.builds(
        lambda at, new: SIGNED[:at] + new + SIGNED[at + 1 :], st.integers(0, len(SIGNED)), st.binary()
    )
)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_bytes_parse_as_note_and_write_back_alike_or_are_refused(data: bytes) -> None:
    try:
        note = parse_note(data)
    except DecodeError:
        return
    assert note.to_bytes() == data
    try:
        checkpoint = parse_checkpoint(note.text)
    except DecodeError:
        return
    assert checkpoint.text == note.text


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u3000b", "a\x00b"])
def test_key_name_that_a_line_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(DecodeError):
        Sm2NoteSigner(name=name, signer=PrivateKey.from_scalar(5))
    with pytest.raises(DecodeError):
        Ed25519Witness(name=name, public_key=b"\x00" * 32)


def test_checkpoint_without_signers_or_with_line_breaks_cannot_be_signed() -> None:
    with pytest.raises(DecodeError):
        sign_checkpoint(CHECKPOINT, [])
    for broken in (
        Checkpoint(origin="a\n5", size=1, root=b"\x00" * 32),
        Checkpoint(origin="a", size=1, root=b"\x00" * 32, extensions=("x\ny",)),
        Checkpoint(origin="a", size=1, root=b"\x00" * 31),
        Checkpoint(origin="", size=1, root=b"\x00" * 32),
    ):
        with pytest.raises(DecodeError):
            sign_checkpoint(broken, [SM2_LOG])


def test_note_with_control_characters_cannot_be_signed() -> None:
    for text in ("a\x00\n", "no newline", "\n", ""):
        with pytest.raises(DecodeError):
            sign_note(text, [SM2_LOG])


def test_verifier_keys_round_trip() -> None:
    for key in (SM2_LOG.verifier, ED25519_LOG.verifier):
        assert parse_verifier_key(key.verifier_key) == key
    for witness in (SM2_WITNESS.witness, ED25519_WITNESS.witness):
        assert parse_witness_key(witness.verifier_key) == witness
        with pytest.raises(DecodeError):
            parse_verifier_key(witness.verifier_key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        GO_KEY[:-1],
        GO_KEY.replace("c74f20a3", "c74f20a4"),
        GO_KEY.replace("c74f20a3", "C74F20A3"),
        GO_KEY.replace("+ARpc", "+Axpc"),
        GO_KEY + "AAAA",
        "a+00000000+AQ==",
    ],
)
def test_verifier_key_that_deviates_is_refused(text: str) -> None:
    with pytest.raises(DecodeError):
        parse_verifier_key(text)


def test_verifier_key_with_a_point_off_the_curve_is_refused() -> None:
    from signing.merkle.notes import SM2_TYPE, build_verifier_key

    with pytest.raises((DecodeError, KeyUnusable)):
        parse_verifier_key(build_verifier_key("a", SM2_TYPE, b"\x04" + b"\x01" * 64))


@pytest.mark.parametrize("signature", [b"", b"\x00" * 7, b"\x00" * 8, b"\xff" * 72, b"\x00" * 72])
def test_cosignature_of_impossible_shape_is_invalid(signature: bytes) -> None:
    for witness in (SM2_WITNESS.witness, ED25519_WITNESS.witness):
        with pytest.raises(SignatureInvalid):
            witness.verify(CHECKPOINT.text.encode(), signature)
