"""The worked examples of the standard, and our edge sets, against both engines and the third opinion."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from signing import sm2
from signing.engine import load_engine
from signing.errors import DecodeError, DecryptionFailed, KeyUnusable, SignatureInvalid
from tests.vectors.sm2 import by_hand, generate

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "sm2"
ENGINES = ("libcrypto", "gmssl")

# GB/T 32918.5-2017 A.2 and A.3: the recommended curve, and the one key of both examples.
SCALAR = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT_X = 0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
POINT_Y = 0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13
NONCE = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA
C1_X = 0x04EBFC718E8D1798620432268E77FEB6415E2EDE0E073C0F4F640ECD2E149A73
C1_Y = 0xE858F9D81E5430A57B36DAAB8F950A3C64E6EE6A63094D99283AFF767E124DF0
C3 = "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766"
C2 = "21886ca989ca9c7d58087307ca93092d651efa"


def load_cases(name: str) -> list[Any]:
    content = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    cases = [(group, test) for group in content["testGroups"] for test in group["tests"]]
    assert len(cases) == content["numberOfTests"]
    return [pytest.param(group, test, id=f"{test['tcId']}-{test['comment']}") for group, test in cases]


def test_sm2_key_of_the_standard_gives_the_point_of_the_standard() -> None:
    point = by_hand.octets((POINT_X, POINT_Y))
    assert sm2.PrivateKey.from_scalar(SCALAR).public_key.point == point
    assert by_hand.public_point(SCALAR) == (POINT_X, POINT_Y)
    for name in ENGINES:
        assert load_engine(name).derive_point(SCALAR.to_bytes(32, "big")) == point


def test_sm2_signature_of_the_standard_is_reproduced_by_hand_and_verified_by_all() -> None:
    assert by_hand.sign(SCALAR, NONCE, b"message digest", sm2.DEFAULT_ID) == (R, S)
    signature = sm2.build_signature(R, S)
    sm2.PrivateKey.from_scalar(SCALAR).public_key.verify(signature, b"message digest")
    for name in ENGINES:
        handle = load_engine(name).load_public(by_hand.octets((POINT_X, POINT_Y)))
        assert handle.verify(signature, b"message digest", b"1234567812345678")


def test_sm2_ciphertext_of_the_standard_is_reproduced_by_hand_and_opened_by_all() -> None:
    text = b"encryption standard"
    c1, c3, c2 = by_hand.encrypt((POINT_X, POINT_Y), NONCE, text)
    assert (c1, c3.hex(), c2.hex()) == ((C1_X, C1_Y), C3, C2)
    assert by_hand.decrypt(SCALAR, c1, c3, c2) == text
    ciphertext = generate._cipher_der(c1, c3, c2)
    assert sm2.PrivateKey.from_scalar(SCALAR).decrypt(ciphertext) == text
    for name in ENGINES:
        scalar = SCALAR.to_bytes(32, "big")
        handle = load_engine(name).load_private(scalar, by_hand.octets((POINT_X, POINT_Y)))
        assert handle.decrypt(ciphertext) == text


@pytest.mark.parametrize(("group", "case"), load_cases("sm2_verify.json"))
def test_sm2_signature_of_the_edge_set_is_judged_alike_by_every_engine(group: Any, case: Any) -> None:
    key = sm2.PublicKey.from_spki(bytes.fromhex(group["publicKeyDer"]))
    identity, message, signature = (bytes.fromhex(text) for text in (group["id"], case["msg"], case["sig"]))
    expected = case["result"] == "valid"
    for name in ENGINES:
        assert load_engine(name).load_public(key.point).verify(signature, message, identity) is expected, name
    assert by_hand.verify((POINT_X, POINT_Y), signature, message, identity) is expected
    if expected:
        key.verify(signature, message, id=identity)
        assert sm2.raw_to_der(sm2.der_to_raw(signature)) == signature
    else:
        with pytest.raises(SignatureInvalid):
            key.verify(signature, message, id=identity)


@pytest.mark.parametrize(("group", "case"), load_cases("sm2_decrypt.json"))
def test_sm2_ciphertext_of_the_edge_set_is_judged_alike_by_every_engine(group: Any, case: Any) -> None:
    scalar, ciphertext = bytes.fromhex(group["privateKey"]), bytes.fromhex(case["ct"])
    point = bytes.fromhex(group["publicKey"]["uncompressed"])
    for name in ENGINES:
        handle = load_engine(name).load_private(scalar, point)
        if case["result"] == "valid":
            assert handle.decrypt(ciphertext).hex() == case["msg"], name
        else:
            with pytest.raises(DecryptionFailed) as refused:
                handle.decrypt(ciphertext)
            assert str(refused.value) == str(DecryptionFailed()), "the words must not tell the step"


@pytest.mark.parametrize(("group", "case"), load_cases("sm2_public_key.json"))
def test_sm2_public_key_of_the_edge_set_is_read_or_refused_as_noted(group: Any, case: Any) -> None:
    spki = bytes.fromhex(case["spki"])
    if case["result"] == "valid":
        key = sm2.PublicKey.from_spki(spki)
        assert len(key.point) == 65
        assert sm2.PublicKey.from_spki(key.spki) == key
        for name in ENGINES:
            load_engine(name).load_public(key.point)
    else:
        with pytest.raises((DecodeError, KeyUnusable)):
            sm2.PublicKey.from_spki(spki)


@pytest.mark.parametrize("name", ["sm2_verify.json", "sm2_decrypt.json", "sm2_public_key.json"])
def test_edge_set_file_is_what_the_generator_writes(name: str, built: dict[str, str]) -> None:
    assert built[name] == (VECTORS / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built() -> dict[str, str]:
    return generate.build_files()


def test_edge_set_inventory_states_the_number_of_cases() -> None:
    readme = (VECTORS / "README.md").read_text(encoding="utf-8")
    for path in sorted(VECTORS.glob("*.json")):
        count = json.loads(path.read_text(encoding="utf-8"))["numberOfTests"]
        assert f"| `{path.name}` | {count} |" in readme
