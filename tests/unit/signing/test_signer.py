"""A device that holds the key: everything in `signing` that signs takes it in place of a key in memory.

The device is played by `gmssl`, which like PKCS#11 and SDF takes e and answers r ‖ s; it has nothing of ours
inside, and the key is reachable from nowhere else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count

import pytest
from gmssl.sm2 import CryptSM2

from signing import sm3
from signing.cms import build_signed_data, parse_signed_data, verify_signed_data
from signing.curve import N
from signing.digest_signer import DigestSigner, from_sdf
from signing.errors import DecodeError, KeyUnusable, SigningError
from signing.http_messages import HttpRequest
from signing.http_signature_keys import Sm2HttpSigner
from signing.http_signatures import sign_message
from signing.keystore import KeyStore
from signing.merkle.checkpoint import Checkpoint, sign_checkpoint, verify_checkpoint
from signing.merkle.notes import Sm2NoteSigner
from signing.merkle.receipts import BatchSigner, TrustedKeys, verify_receipt
from signing.seals.build import build_seal
from signing.seals.model import SealVersion
from signing.seals.parse import parse_seal
from signing.seals.sign import build_seal_signature
from signing.signer import Signer
from signing.sm2 import PrivateKey, PublicKey
from signing.x509.authority import Authority, create_root
from signing.x509.ocsp import OcspResponse, build_ocsp_request
from signing.x509.ocsp_responder import GOOD, Responder
from signing.x509.profiles import Profile
from signing.x509.request import build_request
from tests.unit.signing.hierarchy import END, NOW, START, hierarchy, name
from tests.unit.signing.seals import pki

WORLD = hierarchy()


class Device:
    """A card with keys by index: digests in, r ‖ s out, one call at a time."""

    def __init__(self) -> None:
        self._keys: dict[int, str] = {}
        self._arithmetic = CryptSM2(private_key="", public_key="")
        self._lock = threading.Lock()
        self._nonces = count(0x5EED)
        self.calls = 0

    def import_key(self, index: int, scalar: int) -> PublicKey:
        self._keys[index] = f"{scalar:064x}"
        return PrivateKey.from_scalar(scalar).public_key

    def sign(self, index: int, digest: bytes) -> bytes:
        assert len(digest) == 32
        with self._lock:
            self.calls += 1
            self._arithmetic.private_key = self._keys[index]
            nonce = int.from_bytes(sm3.digest(next(self._nonces).to_bytes(8, "big") + digest), "big") % N
            answer: str = self._arithmetic.sign(digest, f"{nonce:064x}")
            return bytes.fromhex(answer)


@pytest.fixture
def device() -> Device:
    return Device()


def signer_of(device: Device, scalar: int) -> DigestSigner:
    return DigestSigner(device.import_key(scalar, scalar), lambda digest: device.sign(scalar, digest))


def test_device_is_a_signer_whose_signatures_verify(device: Device) -> None:
    signer = signer_of(device, 301)
    assert isinstance(signer, Signer)
    for size in (0, 1, 1000):
        signer.public_key.verify(signer.sign(bytes(size)), bytes(size))
    assert "301" not in repr(signer)


def test_device_with_another_key_than_the_certificate_is_refused_at_once(device: Device) -> None:
    device.import_key(1, 302)
    other = device.import_key(2, 303)
    with pytest.raises(KeyUnusable, match="does not verify"):
        DigestSigner(other, lambda digest: device.sign(1, digest))


@pytest.mark.parametrize(
    "answer",
    [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64],
)
def test_device_that_answers_nonsense_is_refused(answer: bytes) -> None:
    with pytest.raises(KeyUnusable):
        DigestSigner(PrivateKey.from_scalar(5).public_key, lambda digest: answer)


def test_device_that_fails_passes_its_error_on(device: Device) -> None:
    signer = signer_of(device, 304)
    broken = False

    def fail(digest: bytes) -> bytes:
        if broken:
            message = "the card was taken out"
            raise SigningError(message)
        return device.sign(304, digest)

    watched = DigestSigner(signer.public_key, fail)
    broken = True
    with pytest.raises(SigningError, match="taken out"):
        create_root(name("根"), watched, not_before=START, not_after=END)


def test_device_serves_several_threads(device: Device) -> None:
    signer = signer_of(device, 305)
    messages = [str(number).encode() for number in range(40)]
    with ThreadPoolExecutor(4) as pool:
        signatures = list(pool.map(signer.sign, messages))
    signer.public_key.verify_many(zip(signatures, messages, strict=True))


@pytest.mark.parametrize("size", [32, 63, 65])
def test_sdf_number_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(DecodeError):
        from_sdf(bytes(size), bytes(64))


def test_sdf_signature_is_joined_and_numbers_that_do_not_fit_are_refused() -> None:
    r, s = bytes(32) + b"r" * 32, bytes(32) + b"s" * 32
    assert from_sdf(r, s) == b"r" * 32 + b"s" * 32
    with pytest.raises(DecodeError):
        from_sdf(b"\x01" + r[1:], s)


# ----------------------------------------------------------------- everything that signs takes it


def as_authority(device: Device) -> None:
    signer = signer_of(device, 310)
    root = create_root(name("卡中根"), signer, not_before=START, not_after=END)
    authority = Authority(root, signer)
    issued = authority.issue(
        profile=Profile.SEAL_SIGNER,
        subject=name("卡发"),
        public_key=signer.public_key,
        not_before=START,
        not_after=END,
    )
    issued.verify_issued_by(root)
    authority.issue_crl(entries=(), this_update=NOW, next_update=NOW + timedelta(days=1), number=1)
    build_request(name("卡中系统"), signer).verify()


def as_responder_and_time_stamper(device: Device) -> None:
    issuing = WORLD.issuing.certificate
    ocsp, tsa = (
        WORLD.issuing.issue(
            profile=profile,
            subject=name(profile.value),
            public_key=signer_of(device, scalar).public_key,
            not_before=START,
            not_after=NOW + timedelta(days=9),
        )
        for profile, scalar in ((Profile.OCSP_RESPONDER, 311), (Profile.TSA, 312))
    )
    responder = Responder(ocsp, signer_of(device, 311), issuer=issuing)
    answer = responder.respond(build_ocsp_request(5, issuer=issuing), lambda serial: GOOD, produced_at=NOW)
    OcspResponse.parse(answer).verify(issuer=issuing)
    WORLD.tsa(certificate=tsa, signer=signer_of(device, 312)).stamp(sm3.digest(b"x"))


def as_seal_maker_and_signer(device: Device) -> None:
    world = pki.pki()
    maker, signer = signer_of(device, 103), signer_of(device, 104)  # the keys of pki's maker and signer
    for version in SealVersion:
        seal = build_seal(
            pki.order(),
            maker=maker,
            maker_certificate=world.maker.certificate,
            trust=world.trust(),
            version=version,
        )
        build_seal_signature(
            seal=parse_seal(seal),
            signer=signer,
            signer_certificate=world.signer.certificate,
            data_hash=sm3.digest(pki.DATA),
            property_info=pki.PATH,
            signed_at=pki.NOW,
            trust=world.trust(),
        )


def as_signer_of_messages(device: Device) -> None:
    signer = signer_of(device, 104)
    certificate = pki.pki().signer.certificate
    for with_attributes in (True, False):
        made = build_signed_data(
            b"content", signer=signer, certificate=certificate, with_attributes=with_attributes
        )
        verify_signed_data(parse_signed_data(made))
    request = HttpRequest(method="GET", target_uri="https://hub.example/", fields=())
    sign_message(
        request,
        key=Sm2HttpSigner(key_id="card", signer=signer),
        components=["@method"],
        created_at=NOW,
    )


def as_signer_of_the_log(device: Device) -> None:
    signer = signer_of(device, 313)
    batch = BatchSigner(signer=signer, issuer="hub.example", clock=lambda: NOW).sign([b"1", b"2"])
    trusted = TrustedKeys((signer.public_key,))
    for payload, receipt in zip((b"1", b"2"), batch, strict=True):
        verify_receipt(receipt, trust=trusted, payload=payload)
    note = Sm2NoteSigner(name="hub.example/log", signer=signer)
    checkpoint = Checkpoint(origin="hub.example/log", size=1, root=bytes(32))
    signed = sign_checkpoint(checkpoint, [note])
    verify_checkpoint(signed, origin="hub.example/log", log_keys=[note.verifier])


@pytest.mark.parametrize(
    "role",
    [
        as_authority,
        as_responder_and_time_stamper,
        as_seal_maker_and_signer,
        as_signer_of_messages,
        as_signer_of_the_log,
    ],
)
def test_device_signs_in_every_role_that_signing_has(role: Callable[[Device], None], device: Device) -> None:
    role(device)
    assert device.calls > 0


def test_key_of_the_store_is_a_signer_too(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = KeyStore(tmp_path_factory.mktemp("keys") / "store", bytes(32))
    assert isinstance(store.create("hub"), Signer)
