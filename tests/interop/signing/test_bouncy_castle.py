"""Bouncy Castle judges what this project makes, and this project what Bouncy Castle makes.

The harness in tests/interop/java-bc verifies with Bouncy Castle's own path validation, CMS, OCSP and
time-stamp classes. Three limits of 1.84 show here. Its signed data knows SM2 with SM3 as
1.2.156.10197.1.501 alone and not as 301.1, which GB/T 35275 wants. Its PKCS#8 classes find no SM4-CBC by
identifier, so its PBKDF2 and its SM4 are put together in the harness. Of the identifiers of HMAC-SM3 its
PBKDF2 knows 1.2.156.10197.1.401.2 alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from signing import cms, oids, sm3, sm4
from signing.errors import DecryptionFailed, EvidenceRefused, ShuzhengError, SignatureInvalid
from signing.pkcs8 import Prf, Protection
from signing.sm2 import PrivateKey
from signing.timestamp.token import TimeStampToken, verify_time_stamp
from signing.x509.algorithms import AlgorithmIdentifier
from signing.x509.certificate import Certificate
from signing.x509.path import PathPolicy, RevocationMode
from signing.x509.profiles import Profile
from tests.interop.signing.bouncy_castle import CONTENT, PASSWORD, Castle, flips, flips_within, refused_here
from tests.unit.signing.hierarchy import NOW, POLICY, Hierarchy, hierarchy

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def world() -> Hierarchy:
    return hierarchy()


def signed_data(world: Hierarchy, mode: str) -> bytes:
    """Build signed data under the identifiers that Bouncy Castle knows."""
    signer = world[Profile.SEAL_SIGNER]
    attributes = cms.basic_attributes(oids.CMS_DATA, sm3.digest(CONTENT))
    return cms.build_message(
        type_oid=oids.CMS_SIGNED_DATA,
        version=1,
        content_type=oids.CMS_DATA,
        content=None if mode == "detached" else CONTENT,
        certificates=(signer.certificate, *world.intermediates),
        signature_algorithm=AlgorithmIdentifier(oids.SM2_WITH_SM3),
        attributes=None if mode == "bare" else attributes,
        signer=signer.key,
        message_bytes=CONTENT,
    )


@pytest.mark.parametrize("mode", ["attributes", "bare", "detached"])
def test_signed_data_of_ours_is_verified_by_bouncy_castle(
    castle: Castle, world: Hierarchy, mode: str
) -> None:
    octets = signed_data(world, mode)
    content = "content" if mode == "detached" else "-"
    answer = castle.accepts("cms", castle.write("message", octets), content)
    assert answer == {"signers": "1", "attributes": str(mode != "bare").lower()}
    changed = changed_signed_data(octets)
    castle.refuses_every(changed, "cms", "*", content)
    refused_here(changed, lambda variant: verify(variant, mode))


@pytest.mark.parametrize("mode", ["attributes", "bare", "detached"])
def test_signed_data_of_bouncy_castle_is_verified(
    castle: Castle, foreign: dict[str, Certificate], mode: str
) -> None:
    octets = castle.read(f"bc-cms-{mode}")
    verified = verify(octets, mode)
    assert verified.certificate == foreign["signer"]
    assert (verified.info.attributes is None) == (mode == "bare")
    content = "content" if mode == "detached" else "-"
    castle.accepts("cms", f"bc-cms-{mode}", content)
    changed = changed_signed_data(octets)
    refused_here(changed, lambda variant: verify(variant, mode))
    castle.refuses_every(changed, "cms", "*", content)


def verify(message: bytes, mode: str) -> cms.VerifiedSigner:
    content = CONTENT if mode == "detached" else None
    (verified,) = cms.verify_signed_data(cms.parse_signed_data(message), content=content)
    return verified


def changed_signed_data(message: bytes) -> list[bytes]:
    """Change what is signed and the signature: content, attributes, r and s, an octet at a time."""
    (info,) = cms.parse_signed_data(message).signers
    parts = [info.signature, *([CONTENT] if CONTENT in message else [])]
    if info.attributes is not None:
        parts += [value for attribute in info.attributes for value in attribute.values]
    return flips_within(message, *parts)


def test_signed_data_under_the_identifier_of_gbt_35275_is_unknown_to_bouncy_castle(
    castle: Castle, world: Hierarchy
) -> None:
    """Why the tests above write 501: the same message under 301.1 is refused for its identifier."""
    signer = world[Profile.SEAL_SIGNER]
    octets = cms.build_signed_data(CONTENT, signer=signer.key, certificate=signer.certificate)
    (answer,) = castle(("cms", castle.write("message", octets), "-"))
    assert oids.SM2_SIGNATURE in answer["refused"]


def test_time_stamp_query_of_bouncy_castle_is_stamped_and_accepted_by_it(
    castle: Castle, world: Hierarchy
) -> None:
    digest = sm3.digest(b"stamped")
    castle.accepts("make-query", digest.hex(), "12345678901234567890", "q")
    reply = world.tsa().respond(castle.read("q"))
    answer = castle.accepts("reply", "q", castle.write("reply", reply))
    assert answer["status"] == "0"
    assert answer["at"] == str(int(NOW.timestamp()))
    assert (answer["policy"], answer["imprint"]) == (POLICY, digest.hex())
    castle.refuses_every([reply], "reply", "query", "*")


def test_time_stamp_token_of_ours_with_an_octet_changed_is_refused_by_both(
    castle: Castle, world: Hierarchy
) -> None:
    digest = sm3.digest(CONTENT)
    token = world.tsa().stamp(digest)
    castle.accepts("token", castle.write("token", token))
    changed = changed_token(token)
    castle.refuses_every(changed, "token", "*")
    refused_here(changed, lambda variant: verify_stamp(variant, world.roots, world.intermediates))


def test_time_stamp_of_bouncy_castle_is_verified(castle: Castle, foreign: dict[str, Certificate]) -> None:
    castle.accepts("reply", "query", "bc-reply")
    reply = castle.read("bc-reply")
    crls = [castle.read("bc-root-crl"), castle.read("bc-crl")]
    verified = verify_time_stamp(
        reply,
        digest=sm3.digest(CONTENT),
        nonce=5,
        roots=[foreign["root"]],
        intermediates=[foreign["issuing"]],
        crls=crls,
        policies={"2.999.1.1"},
    )
    assert verified.info.generated_at == NOW
    assert verified.info.serial == 77
    assert verified.authority.subject.common_name == "外部时间戳"
    with pytest.raises(EvidenceRefused):
        verify_time_stamp(reply, digest=sm3.digest(b""), roots=[foreign["root"]])
    changed = changed_token(reply)
    refused_here(changed, lambda variant: verify_stamp(variant, [foreign["root"]], [foreign["issuing"]]))
    castle.refuses_every(changed, "reply", "query", "*")


def verify_stamp(
    data: bytes, roots: Sequence[Certificate], intermediates: Sequence[Certificate]
) -> Certificate:
    policy = PathPolicy(
        extended_key_usage=oids.EKU_TIME_STAMPING,
        revocation=RevocationMode.IGNORE,
        sole_critical_purpose=True,
    )
    return verify_time_stamp(
        data,
        digest=sm3.digest(CONTENT),
        roots=roots,
        intermediates=intermediates,
        path_policy=policy,
    ).authority


def changed_token(data: bytes) -> list[bytes]:
    """Change the imprint, the signed attributes and the signature of a token."""
    token = TimeStampToken.parse(data)
    (info,) = token.signed.signers
    assert info.attributes is not None
    parts = [token.info.imprint.digest, info.signature]
    parts += [value for attribute in info.attributes for value in attribute.values]
    return flips_within(data, *parts)


def test_signature_of_ours_is_verified_by_bouncy_castle(castle: Castle, world: Hierarchy) -> None:
    holder = world[Profile.SEAL_SIGNER]
    signatures = holder.key.sign_many([CONTENT] * 20)
    files = [castle.write(f"signature-{n}", signature) for n, signature in enumerate(signatures)]
    answers = castle(*(("verify", "seal_signer", "content", file) for file in files))
    assert answers == [{}] * 20
    castle.refuses_every(flips(signatures[0]), "verify", "seal_signer", "content", "*")
    castle.refuses_every(flips(CONTENT, step=90), "verify", "seal_signer", "*", files[0])
    castle.refuses_every([signatures[0]], "verify", "seal_maker", "content", "*")


def test_signature_of_bouncy_castle_is_verified(castle: Castle, foreign: dict[str, Certificate]) -> None:
    signature, public_key = castle.read("bc-signature"), foreign["signer"].public_key
    assert public_key is not None
    public_key.verify(signature, CONTENT)
    refused_here(flips(signature), lambda variant: public_key.verify(variant, CONTENT))
    with pytest.raises(SignatureInvalid):
        public_key.verify(signature, CONTENT[:-1])
    castle.refuses_every(flips(signature), "verify", "bc-signer", "content", "*")


def test_ciphertext_of_ours_is_opened_by_bouncy_castle(castle: Castle, world: Hierarchy) -> None:
    public_key = world[Profile.SEAL_SIGNER].key.public_key
    plain = [bytes(range(size)) for size in (1, 16, 32, 33, 200)]
    requests = [
        (
            "decrypt",
            "key",
            castle.write(f"sealed-{n}", public_key.encrypt(each)),
            castle.write(f"plain-{n}", each),
        )
        for n, each in enumerate(plain)
    ]
    assert castle(*requests) == [{}] * len(plain)
    changed = flips(castle.read("sealed-2"))
    castle.refuses_every(changed, "decrypt", "key", "*", "plain-2")
    refused_here(changed, world[Profile.SEAL_SIGNER].key.decrypt)


def test_ciphertext_of_bouncy_castle_is_opened(castle: Castle) -> None:
    private_key, ciphertext = PrivateKey.from_pkcs8(castle.read("bc-key")), castle.read("bc-ciphertext")
    assert private_key.decrypt(ciphertext) == CONTENT
    with pytest.raises(DecryptionFailed):
        private_key.decrypt(flips(ciphertext)[-1])
    castle.refuses_every(flips(ciphertext, step=40), "decrypt", "bc-key", "*", "content")


@pytest.mark.parametrize("prf", [Prf.HMAC_SM3_KEYED, Prf.HMAC_SHA256])
def test_encrypted_key_of_ours_is_opened_by_bouncy_castle(castle: Castle, world: Hierarchy, prf: Prf) -> None:
    locked = world[Profile.SEAL_SIGNER].key.to_pkcs8(PASSWORD.encode(), protection=Protection(prf=prf))
    castle.write("locked", locked)
    good, wrong = castle(
        ("key", "locked", PASSWORD, "seal_signer"), ("key", "locked", "wrong", "seal_signer")
    )
    assert good == {}
    assert "refused" in wrong


def test_encrypted_key_under_the_identifier_of_gmt_0091_is_unknown_to_bouncy_castle(
    castle: Castle, world: Hierarchy
) -> None:
    protection = Protection(prf=Prf.HMAC_SM3)
    castle.write("locked", world[Profile.SEAL_SIGNER].key.to_pkcs8(PASSWORD.encode(), protection=protection))
    (answer,) = castle(("key", "locked", PASSWORD, "seal_signer"))
    assert "1.2.156.10197.1.401.3.1" in answer["refused"]


@pytest.mark.parametrize("prf", [Prf.HMAC_SM3_KEYED, Prf.HMAC_SHA256])
def test_encrypted_key_of_bouncy_castle_is_opened(
    castle: Castle, foreign: dict[str, Certificate], prf: Prf
) -> None:
    locked = castle.read(f"bc-locked-{prf.name.lower()}")
    opened = PrivateKey.from_pkcs8(locked, PASSWORD.encode())
    assert opened.public_key == foreign["signer"].public_key
    with pytest.raises(ShuzhengError):
        PrivateKey.from_pkcs8(locked, b"wrong")


def test_sm3_and_sm4_agree_with_bouncy_castle(castle: Castle) -> None:
    secret, iv, nonce = bytes(range(16)), bytes(range(16, 32)), bytes(range(12))
    castle.write("secret", secret)
    castle.write("iv", iv)
    castle.write("nonce", nonce)
    for size in (0, 1, 55, 56, 63, 64, 65, 1000):
        data = bytes(n % 251 for n in range(size))
        castle.write("in", data)
        answers = castle(
            ("sm3", "in", "digest"),
            ("sm4-cbc", "secret", "iv", "in", "cbc"),
            ("sm4-gcm", "secret", "nonce", "in", "gcm"),
        )
        assert answers == [{}] * 3
        assert castle.read("digest") == sm3.digest(data)
        assert castle.read("cbc") == sm4.encrypt_cbc(secret, iv, data)
        assert castle.read("gcm") == sm4.encrypt_gcm(secret, nonce, data, associated_data=secret)
