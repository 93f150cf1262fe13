"""SM2 signatures, keys and ciphertexts between us and the `openssl` command, both ways.

Each test runs twice: over the libcrypto that the machine has, and over a newer one. OpenSSL reads PBES2
with HMAC-SM3 from 3.2 on, which the machine's need not be.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from signing import sm3, sm4
from signing.engines.libcrypto import LibcryptoEngine
from signing.engines.libcrypto_api import Libcrypto
from signing.errors import DecryptionFailed, KeyUnusable, SignatureInvalid
from signing.pkcs8 import Prf, Protection
from signing.sm2 import DEFAULT_ID, PrivateKey, PublicKey
from tests.interop import harness

OPENSSL = shutil.which("openssl")
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed"),
]

Openssl = Callable[..., bytes]
PASSWORD = "口令 with blanks"


@pytest.fixture(params=["installed", "newer"])
def openssl(tmp_path: Path, request: pytest.FixtureRequest) -> Openssl:
    """Run `openssl` in an empty directory; raise CalledProcessError when it refuses."""
    environment = {"PASSWORD": PASSWORD, "PATH": "", "OPENSSL_CONF": "/dev/null"}
    if request.param == "newer":
        environment["LD_LIBRARY_PATH"] = str(harness.newer_libcrypto())

    def run(*arguments: str, data: bytes = b"") -> bytes:
        assert OPENSSL is not None
        done = subprocess.run(
            [OPENSSL, *arguments], input=data, capture_output=True, cwd=tmp_path, check=True, env=environment
        )
        return done.stdout

    return run


def refuses(openssl: Openssl, *arguments: str, data: bytes = b"") -> bool:
    try:
        openssl(*arguments, data=data)
    except subprocess.CalledProcessError:
        return True
    return False


def knows_hmac_sm3(openssl: Openssl) -> bool:
    """Tell whether this openssl is of version 3.2 or later, which the newer one always is."""
    printed = openssl("version").decode()
    version = re.findall(r"OpenSSL (\d+)\.(\d+)", printed)[-1]
    return (int(version[0]), int(version[1])) >= (3, 2)


def test_newer_openssl_is_one_that_knows_hmac_sm3() -> None:
    """What the tests below leave out on an older openssl must not be left out everywhere."""
    library = harness.newer_libcrypto() / "libcrypto.so.3"
    engine = LibcryptoEngine(Libcrypto(str(library)))
    assert re.match(r"OpenSSL (3\.([5-9]|\d\d)|[4-9])", engine.version)
    scalar = (7).to_bytes(32, "big")
    point = engine.derive_point(scalar)
    signature = engine.load_private(scalar, point).sign(b"message", DEFAULT_ID)
    PublicKey(point).verify(signature, b"message")


@pytest.mark.parametrize("identity", [DEFAULT_ID, b"ALICE123@YAHOO.COM"], ids=["default", "other"])
def test_signature_of_ours_is_verified_by_openssl(openssl: Openssl, tmp_path: Path, identity: bytes) -> None:
    key = PrivateKey.generate()
    (tmp_path / "public.der").write_bytes(key.public_key.spki)
    for number in range(20):
        message = bytes(number)
        (tmp_path / "signature").write_bytes(key.sign(message, id=identity))
        (tmp_path / "message").write_bytes(message)
        check = ["dgst", "-sm3", "-keyform", "DER", "-verify", "public.der", "-signature", "signature"]
        distid = ["-sigopt", f"distid:{identity.decode()}"]
        assert openssl(*check, *distid, "message") == b"Verified OK\n"
        assert refuses(openssl, *check, "-sigopt", "distid:nobody", "message")
        (tmp_path / "message").write_bytes(message + b".")
        assert refuses(openssl, *check, *distid, "message")


@pytest.mark.parametrize("identity", [DEFAULT_ID, b"ALICE123@YAHOO.COM"], ids=["default", "other"])
def test_signature_of_openssl_is_verified_by_us(openssl: Openssl, tmp_path: Path, identity: bytes) -> None:
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    key = PublicKey.from_spki(openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER"))
    for number in range(20):
        message = bytes(number)
        (tmp_path / "message").write_bytes(message)
        distid = f"distid:{identity.decode()}"
        signature = openssl("dgst", "-sm3", "-sign", "key.pem", "-sigopt", distid, "message")
        key.verify(signature, message, id=identity)
        with pytest.raises(SignatureInvalid):
            key.verify(signature, message, id=b"nobody")


def test_signature_of_openssl_without_identifier_is_under_its_own_default(
    openssl: Openssl, tmp_path: Path
) -> None:
    # OpenSSL 3 takes the empty identifier when none is given; later ones may take the standard's.
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    key = PublicKey.from_spki(openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER"))
    (tmp_path / "message").write_bytes(b"message")
    signature = openssl("dgst", "-sm3", "-sign", "key.pem", "message")
    verdicts = [key.assess_many([(signature, b"message")], id=identity)[0] for identity in (b"", DEFAULT_ID)]
    assert sorted(verdicts) == [False, True]


def test_plain_key_of_ours_is_read_by_openssl(openssl: Openssl, tmp_path: Path) -> None:
    key = PrivateKey.generate()
    (tmp_path / "key.der").write_bytes(key.to_pkcs8())
    assert b"Key is valid" in openssl("pkey", "-in", "key.der", "-inform", "DER", "-noout", "-check")
    public = openssl("pkey", "-in", "key.der", "-inform", "DER", "-pubout", "-outform", "DER")
    assert public == key.public_key.spki


def test_plain_key_of_openssl_is_read_by_us(openssl: Openssl) -> None:
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    pkcs8 = openssl("pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER")
    key = PrivateKey.from_pkcs8(pkcs8)
    assert key.public_key.spki == openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER")
    # Both leave the curve out of the inner ECPrivateKey, so even the octets agree.
    assert key.to_pkcs8() == pkcs8


@pytest.mark.parametrize("prf", [Prf.HMAC_SHA256, Prf.HMAC_SM3])
def test_encrypted_key_of_ours_is_read_by_openssl(openssl: Openssl, tmp_path: Path, prf: Prf) -> None:
    key = PrivateKey.generate()
    (tmp_path / "key.der").write_bytes(key.to_pkcs8(PASSWORD.encode(), protection=Protection(prf=prf)))
    read = ("pkey", "-in", "key.der", "-inform", "DER", "-pubout", "-outform", "DER")
    if prf is Prf.HMAC_SM3 and not knows_hmac_sm3(openssl):
        assert refuses(openssl, *read, "-passin", "env:PASSWORD")  # so that nobody thinks it was read
        return
    assert openssl(*read, "-passin", "env:PASSWORD") == key.public_key.spki
    assert refuses(openssl, *read, "-passin", "pass:wrong")


@pytest.mark.parametrize("prf", ["hmacWithSHA1", "hmacWithSHA256", "hmacWithSHA512", "hmacWithSM3"])
def test_encrypted_key_of_openssl_is_read_by_us(openssl: Openssl, prf: str) -> None:
    openssl("genpkey", "-algorithm", "SM2", "-out", "key.pem")
    protection = ("-v2", "sm4-cbc", "-v2prf", prf, "-passout", "env:PASSWORD")
    write = ("pkcs8", "-topk8", "-in", "key.pem", "-outform", "DER", *protection)
    if prf == "hmacWithSM3" and not knows_hmac_sm3(openssl):
        assert refuses(openssl, *write)
        return
    encrypted = openssl(*write)
    key = PrivateKey.from_pkcs8(encrypted, PASSWORD.encode())
    assert key.public_key.spki == openssl("pkey", "-in", "key.pem", "-pubout", "-outform", "DER")
    with pytest.raises(KeyUnusable, match="does not open with this password"):
        PrivateKey.from_pkcs8(encrypted, b"wrong")


def test_ciphertext_of_ours_is_opened_by_openssl(openssl: Openssl, tmp_path: Path) -> None:
    key = PrivateKey.generate()
    (tmp_path / "key.der").write_bytes(key.to_pkcs8())
    openssl("pkey", "-in", "key.der", "-inform", "DER", "-out", "key.pem")
    for size in (1, 16, 32, 33, 200):
        plaintext = bytes(range(size))
        (tmp_path / "ciphertext").write_bytes(key.public_key.encrypt(plaintext))
        assert openssl("pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "ciphertext") == plaintext


def test_ciphertext_of_openssl_is_opened_by_us(openssl: Openssl, tmp_path: Path) -> None:
    key = PrivateKey.generate()
    (tmp_path / "public.der").write_bytes(key.public_key.spki)
    openssl("pkey", "-pubin", "-in", "public.der", "-inform", "DER", "-out", "public.pem")
    for size in (2, 16, 32, 33, 200):
        plaintext = bytes(range(size))
        (tmp_path / "plaintext").write_bytes(plaintext)
        ciphertext = openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "plaintext")
        assert key.decrypt(ciphertext) == plaintext
        with pytest.raises(DecryptionFailed):
            key.decrypt(ciphertext[:-1] + bytes((ciphertext[-1] ^ 1,)))


def test_sm3_hmac_and_sm4_agree_with_openssl(openssl: Openssl) -> None:
    data, key, iv = bytes(range(256)) * 3, bytes(range(16)), bytes(range(16, 32))
    assert openssl("dgst", "-sm3", "-binary", data=data) == sm3.digest(data)
    mac = openssl("dgst", "-sm3", "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", data=data)
    assert mac == sm3.hmac(key, data)
    encrypted = openssl("enc", "-sm4-cbc", "-K", key.hex(), "-iv", iv.hex(), data=data)
    assert encrypted == sm4.encrypt_cbc(key, iv, data)
