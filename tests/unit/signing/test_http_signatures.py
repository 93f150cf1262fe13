"""HTTP message signatures with SM2: what a policy accepts, and everything that it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from signing.content_digest import (
    ContentDigestRefused,
    build_content_digest,
)
from signing.errors import DecodeError, EncodeError, SigningError
from signing.http_messages import HttpComponentRefused, HttpRequest, HttpResponse
from signing.http_signature_keys import (
    Ed25519HttpSigner,
    HmacSha256HttpKey,
    HttpVerifier,
    Sm2HttpSigner,
    Sm2HttpVerifier,
)
from signing.http_signatures import (
    HttpSignatureRefused,
    SignaturePolicy,
    parse_signatures,
    sign_message,
    verify_message,
)
from signing.sm2 import PrivateKey

FUZZ_CASES = int(os.environ.get("SHUZHENG_FUZZ_CASES", "300"))
NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
KEY = PrivateKey.from_scalar(0x1357)
SIGNER = Sm2HttpSigner(key_id="org-1#2026", signer=KEY)
HMAC_KEY = HmacSha256HttpKey(key_id="shared", secret=b"k" * 32)
ED25519_KEY = Ed25519HttpSigner(key_id="ed", private_key=Ed25519PrivateKey.from_private_bytes(b"\x09" * 32))
COMPONENTS = ("@method", "@target-uri", "content-digest", "content-type")
POLICY = SignaturePolicy(required=("@method", "@target-uri", "content-type"))
BODY = '{"事项":"开办"}'.encode()
PLAIN = HttpRequest(
    method="POST",
    target_uri="https://hub.example/v1/batches?mode=upsert",
    fields=(("Content-Type", "application/json"), ("Content-Digest", build_content_digest(BODY))),
    body=BODY,
)


def find_key(key_id: str) -> HttpVerifier | None:
    keys: dict[str, HttpVerifier] = {
        "org-1#2026": Sm2HttpVerifier(public_key=KEY.public_key),
        "shared": HMAC_KEY,
    }
    return keys.get(key_id)


def signed(message: HttpRequest = PLAIN, **options: Any) -> HttpRequest:
    arguments: dict[str, Any] = {"key": SIGNER, "components": COMPONENTS, "created_at": NOW} | options
    made = sign_message(message, **arguments)
    others = tuple(each for each in message.fields if not each[0].startswith("Signature"))
    return replace(message, fields=(*others, *made.fields))


def change_field(message: HttpRequest, name: str, value: str) -> HttpRequest:
    return replace(message, fields=tuple((k, value if k == name else v) for k, v in message.fields))


def verify(message: HttpRequest, policy: SignaturePolicy = POLICY, **options: Any) -> Any:
    arguments: dict[str, Any] = {"policy": policy, "find_key": find_key, "now": NOW} | options
    return verify_message(message, **arguments)


def test_request_signed_with_sm2_verifies() -> None:
    verified = verify(signed(nonce="n1", tag="publish", expires_at=NOW + timedelta(seconds=60)))
    assert (verified.key_id, verified.algorithm, verified.label) == ("org-1#2026", "sm2-sm3", "sig1")
    assert [item.value for item in verified.components] == list(COMPONENTS)
    assert (verified.nonce, verified.tag) == ("n1", "publish")
    assert verified.created_at == NOW
    assert verified.expires_at == NOW + timedelta(seconds=60)
    assert verified.body_is_verified


def test_sm2_signature_is_sixty_four_bytes() -> None:
    (signature,) = parse_signatures(signed())
    assert len(signature.signature) == 64


def test_response_bound_to_its_request_verifies() -> None:
    body = b"{}"
    response = HttpResponse(
        status=201, fields=(("Content-Digest", build_content_digest(body)),), body=body, request=signed()
    )
    components = ("@status", "content-digest", '"@method";req', '"signature";req;key="sig1"')
    made = sign_message(response, key=SIGNER, components=components, created_at=NOW)
    policy = SignaturePolicy(required=("@status", '"@method";req'))
    answered = replace(response, fields=(*response.fields, *made.fields))
    verify_message(answered, policy=policy, find_key=find_key, now=NOW)
    elsewhere = replace(answered, request=signed(nonce="another"))
    with pytest.raises(HttpSignatureRefused):
        verify_message(elsewhere, policy=policy, find_key=find_key, now=NOW)


@pytest.mark.parametrize(
    "altered",
    [
        replace(signed(), method="PUT"),
        replace(signed(), target_uri="https://hub.example/v1/batches?mode=delete"),
        replace(signed(), target_uri="https://evil.example/v1/batches?mode=upsert"),
        change_field(signed(), "Content-Type", "text/csv"),
        change_field(signed(), "Content-Digest", build_content_digest(b"other")),
        change_field(signed(), "Signature-Input", signed(nonce="x").fields[-2][1]),
        change_field(signed(), "Signature", signed(created_at=NOW - timedelta(seconds=1)).fields[-1][1]),
    ],
)
def test_request_altered_in_a_signed_part_is_refused(altered: HttpRequest) -> None:
    with pytest.raises(HttpSignatureRefused):
        verify(altered)


def test_altered_body_is_refused() -> None:
    with pytest.raises(ContentDigestRefused):
        verify(replace(signed(), body=BODY + b" "))


@given(bit=st.integers(0, 511))
@settings(max_examples=60, deadline=None)
def test_signature_with_any_flipped_bit_is_refused(bit: int) -> None:
    (signature,) = parse_signatures(SIGNED)
    flipped = bytearray(signature.signature)
    flipped[bit // 8] ^= 1 << bit % 8
    from signing.structured_fields import Item, build_dictionary

    with pytest.raises(HttpSignatureRefused):
        verify(change_field(SIGNED, "Signature", build_dictionary({"sig1": Item(bytes(flipped))})))


SIGNED = signed(nonce="n1")


@pytest.mark.parametrize("missing", COMPONENTS)
def test_signature_that_leaves_out_a_required_component_is_refused(missing: str) -> None:
    message = signed(components=tuple(name for name in COMPONENTS if name != missing))
    with pytest.raises(HttpSignatureRefused, match=missing):
        verify(message)


def test_content_digest_is_demanded_where_there_is_a_body() -> None:
    components = ("@method", "@target-uri", "content-type")
    with pytest.raises(HttpSignatureRefused):
        verify(signed(components=components))
    with pytest.raises(HttpSignatureRefused):
        verify(signed(replace(PLAIN, body=None), components=components))
    assert not verify(signed(replace(PLAIN, body=b""), components=components)).body_is_verified
    lax = replace(POLICY, require_content_digest=False)
    assert not verify(signed(components=components), lax).body_is_verified


def test_streamed_body_is_left_to_its_digester() -> None:
    assert not verify(signed(replace(PLAIN, body=None))).body_is_verified


def test_component_with_other_parameters_does_not_count_as_the_required_one() -> None:
    message = signed(components=("@method", "@target-uri", '"content-type";bs', "content-digest"))
    with pytest.raises(HttpSignatureRefused):
        verify(message)


@pytest.mark.parametrize(
    ("created_s", "expires_s", "accepted"),
    [
        (0, None, True),
        (-300, None, True),
        (-301, None, False),
        (60, None, True),
        (61, None, False),
        (0, 1, True),
        (0, 0, False),
        (-10, -5, False),
    ],
)
def test_signature_is_accepted_within_its_time_only(
    created_s: int, expires_s: int | None, *, accepted: bool
) -> None:
    expires_at = None if expires_s is None else NOW + timedelta(seconds=expires_s)
    message = signed(created_at=NOW + timedelta(seconds=created_s), expires_at=expires_at)
    if accepted:
        verify(message)
    else:
        with pytest.raises(HttpSignatureRefused):
            verify(message)


def test_signature_without_created_or_demanded_expires_is_refused() -> None:
    message = signed()
    bare = change_field(
        message, "Signature-Input", message.fields[-2][1].replace(f";created={int(NOW.timestamp())}", "")
    )
    with pytest.raises(HttpSignatureRefused):
        verify(bare)
    with pytest.raises(HttpSignatureRefused):
        verify(message, replace(POLICY, require_expires=True))


def test_unknown_or_absent_key_is_refused() -> None:
    with pytest.raises(HttpSignatureRefused):
        verify(signed(key=Sm2HttpSigner(key_id="stranger", signer=KEY)))
    message = signed()
    with pytest.raises(HttpSignatureRefused):
        verify(
            change_field(message, "Signature-Input", message.fields[-2][1].replace(';keyid="org-1#2026"', ""))
        )


def test_signature_by_another_key_of_the_same_name_is_refused() -> None:
    with pytest.raises(HttpSignatureRefused):
        verify(signed(key=Sm2HttpSigner(key_id="org-1#2026", signer=PrivateKey.from_scalar(99))))


def test_algorithm_is_that_of_the_key_and_accepted_by_the_policy() -> None:
    verify(signed(state_algorithm=True))
    lying = signed(state_algorithm=True)
    lying = change_field(lying, "Signature-Input", lying.fields[-2][1].replace('"sm2-sm3"', '"hmac-sha256"'))
    both = replace(POLICY, algorithms=frozenset({"sm2-sm3", "hmac-sha256"}))
    with pytest.raises(HttpSignatureRefused):
        verify(lying, both)
    with pytest.raises(HttpSignatureRefused):
        verify(signed(key=HMAC_KEY))
    verify(signed(key=HMAC_KEY), both)


def test_nonce_is_asked_about_last_and_used_once() -> None:
    seen: set[tuple[str, str]] = set()

    def is_fresh(key_id: str, nonce: str) -> bool:
        fresh = (key_id, nonce) not in seen
        seen.add((key_id, nonce))
        return fresh

    strict = replace(POLICY, require_nonce=True)
    with pytest.raises(HttpSignatureRefused):
        verify(replace(SIGNED, method="PUT"), strict, nonce_is_fresh=is_fresh)
    assert not seen
    verify(SIGNED, strict, nonce_is_fresh=is_fresh)
    with pytest.raises(HttpSignatureRefused):
        verify(SIGNED, strict, nonce_is_fresh=is_fresh)
    with pytest.raises(HttpSignatureRefused):
        verify(signed(), strict, nonce_is_fresh=is_fresh)
    with pytest.raises(ValueError, match="nonce_is_fresh"):
        verify(SIGNED, strict)


def test_tag_and_label_choose_among_several_signatures() -> None:
    first = signed(label="a", tag="publish")
    both = signed(first, label="b", tag="audit", nonce="n2")
    assert {each.label for each in parse_signatures(both)} == {"a", "b"}
    assert verify(both, replace(POLICY, tag="publish")).label == "a"
    assert verify(both, label="b").label == "b"
    with pytest.raises(HttpSignatureRefused):
        verify(both)
    with pytest.raises(HttpSignatureRefused):
        verify(both, replace(POLICY, tag="other"))
    with pytest.raises(HttpSignatureRefused):
        verify(PLAIN)


def test_label_that_is_taken_cannot_be_used_again() -> None:
    with pytest.raises(EncodeError):
        sign_message(SIGNED, key=SIGNER, components=COMPONENTS, created_at=NOW)


@pytest.mark.parametrize("wrong", [{"label": "A"}, {"nonce": "caf\u00e9"}, {"components": ("@unknown",)}])
def test_message_with_parameters_that_cannot_be_written_is_not_signed(wrong: dict[str, Any]) -> None:
    with pytest.raises((EncodeError, HttpComponentRefused)):
        signed(**wrong)


def test_policy_that_protects_nothing_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="protects nothing"):
        SignaturePolicy(required=())
    with pytest.raises(ValueError, match="protects nothing"):
        SignaturePolicy(required=("@method",), algorithms=frozenset())


def test_component_named_twice_is_refused() -> None:
    with pytest.raises(HttpComponentRefused):
        signed(components=("@method", "@method"))
    with pytest.raises(HttpComponentRefused):
        signed(components=('"content-type";bs;req', '"content-type";req;bs'))


@pytest.mark.parametrize(
    ("signature_input", "signature"),
    [
        ("", "sig1=:AAAA:"),
        ('sig1=("@method")', ""),
        ('sig1=("@method")', "sig2=:AAAA:"),
        ('sig1="@method"', "sig1=:AAAA:"),
        ('sig1=("@method")', "sig1=AAAA"),
        ("sig1=(method)", "sig1=:AAAA:"),
        ('sig1=("@method");created="now"', "sig1=:AAAA:"),
        ('sig1=("@method");created=-1', "sig1=:AAAA:"),
        ('sig1=("@method");created=999999999999999', "sig1=:AAAA:"),
        ('sig1=("@method");created=1.5', "sig1=:AAAA:"),
        ('sig1=("@method");created=?1', "sig1=:AAAA:"),
        ('sig1=("@method");keyid=1', "sig1=:AAAA:"),
        ('sig1=("@method");nonce', "sig1=:AAAA:"),
        ('sig1=("@method"', "sig1=:AAAA:"),
        ("sig1=(" + " ".join(f'"x{n}"' for n in range(65)) + ")", "sig1=:AAAA:"),
        (", ".join(f's{n}=("@method")' for n in range(17)), ", ".join(f"s{n}=:AAAA:" for n in range(17))),
    ],
)
def test_signature_fields_of_another_shape_are_refused(signature_input: str, signature: str) -> None:
    message = replace(PLAIN, fields=(("Signature-Input", signature_input), ("Signature", signature)))
    with pytest.raises(DecodeError):
        parse_signatures(message)


@given(
    signature_input=st.text(alphabet='sig1=("@method" content-type);created=176,nonce:\\?\t', max_size=80)
    | st.builds(
        lambda at, new: SIGNED.fields[-2][1][:at] + new + SIGNED.fields[-2][1][at + 1 :],
        st.integers(0, 150),
        st.text(max_size=3),
    ),
    target=st.text(max_size=20) | st.just(PLAIN.target_uri),
)
@settings(max_examples=FUZZ_CASES, deadline=None)
def test_any_signature_input_raises_our_errors_or_means_the_same(signature_input: str, target: str) -> None:
    message = replace(change_field(SIGNED, "Signature-Input", signature_input), target_uri=target)
    try:
        verify(message)
    except SigningError:
        return
    assert parse_signatures(message) == parse_signatures(SIGNED)
    assert target == PLAIN.target_uri


def test_field_value_that_ends_in_a_line_break_is_refused() -> None:
    for ending in ("\r", "\n", "\r\n"):
        with pytest.raises(SigningError):
            verify(change_field(SIGNED, "Signature-Input", SIGNED.fields[-2][1] + ending))
        with pytest.raises(HttpComponentRefused):
            verify(change_field(SIGNED, "Content-Type", "application/json" + ending))


def test_secret_of_a_shared_key_is_not_shown() -> None:
    assert "kkk" not in repr(HMAC_KEY)


def test_ed25519_signature_of_ours_verifies_with_its_public_key() -> None:
    from signing.http_signature_keys import Ed25519HttpVerifier

    public = ED25519_KEY.private_key.public_key().public_bytes_raw()
    policy = replace(POLICY, algorithms=frozenset({"ed25519"}))
    message = signed(key=ED25519_KEY)
    verify(message, policy, find_key=lambda _: Ed25519HttpVerifier(public_key=public))
    with pytest.raises(HttpSignatureRefused):
        verify(message, policy, find_key=lambda _: Ed25519HttpVerifier(public_key=b"\x00" * 31))
