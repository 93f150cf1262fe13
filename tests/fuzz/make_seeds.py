"""Make the seeds that the fuzzer starts from: small good inputs, all written by this project's own code.

`python -m tests.fuzz.make_seeds` writes them anew; the keys are fixed, serials and signatures are not, so the
files differ each time and are kept in the repository. A file is called `<kind>-<name>.bin`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image

from signing import cms, oids, pkcs8, sm3
from signing.content_digest import build_content_digest
from signing.http_messages import HttpRequest
from signing.http_signature_keys import Sm2HttpSigner
from signing.http_signatures import sign_message
from signing.merkle.checkpoint import Checkpoint, Sm2Cosigner, cosign_checkpoint, sign_checkpoint
from signing.merkle.hashing import HashSuite
from signing.merkle.notes import Sm2NoteSigner
from signing.merkle.receipts import BatchSigner
from signing.merkle.tiles import build_entry_bundle
from signing.merkle.tree import Frontier, MerkleTree
from signing.seals.model import CertListType, SealExtension, SealPicture, SealVersion
from signing.sm2 import der_to_raw
from signing.timestamp.request import MessageImprint, TimeStampRequest
from signing.x509.crl import RevocationReason, RevokedEntry
from signing.x509.names import Name
from signing.x509.ocsp import CertStatus, build_ocsp_request
from signing.x509.ocsp_responder import GOOD, StatusAnswer
from signing.x509.profiles import Profile
from signing.x509.request import build_request
from tests.unit.signing import hierarchy
from tests.unit.signing.seals import pki

FOLDER = Path(__file__).parent / "seeds"
ORIGIN = "log.shuzheng.example/tree"
HTTP_URI = "https://hub.shuzheng.example/v1/query?code=331000&page=2"
CREATED = hierarchy.NOW


def picture(kind: str, mode: str = "RGB", **options: object) -> bytes:
    """Draw a small picture with a little in it."""
    target = BytesIO()
    image = Image.new(mode, (16, 16), 0)
    image.paste(1, (4, 4, 12, 12))
    image.save(target, kind, **options)
    return target.getvalue()


def x509_seeds() -> Iterator[tuple[str, bytes]]:
    world = hierarchy.hierarchy()
    signer = world[Profile.SEAL_SIGNER].certificate
    yield "certificate-root", world.root.certificate.der
    yield "certificate-issuing", world.issuing.certificate.der
    yield "certificate-signer", signer.der
    yield "certificate-tsa", world[Profile.TSA].certificate.der
    yield "pem-chain", (signer.pem + world.issuing.certificate.pem).encode()
    yield "name-full", signer.subject.der
    yield "name-short", Name.build(common_name="n").der
    key = hierarchy.key(77)
    yield "csr-organisation", build_request(hierarchy.name("申请机构"), key).der
    entries = (
        RevokedEntry(serial=5, revoked_at=CREATED, reason=RevocationReason.KEY_COMPROMISE),
        RevokedEntry(serial=2**120 + 1, revoked_at=CREATED, invalid_since_at=CREATED - timedelta(days=2)),
        RevokedEntry(serial=signer.serial, revoked_at=CREATED),
    )
    yield "crl-issuing", world.crls(*entries)[1]
    yield "crl-root", world.crls()[0]
    asked = build_ocsp_request(signer.serial, 5, issuer=world.issuing.certificate, nonce=bytes(range(16)))
    yield "ocsp_request-nonce", asked
    yield "ocsp_request-sha1", build_ocsp_request(7, issuer=world.issuing.certificate, hash_oid=oids.SHA1)
    answer = partial(
        world.responder().respond, asked, produced_at=CREATED, next_update=CREATED + timedelta(days=1)
    )
    yield "ocsp_response-good", answer(lambda serial: GOOD)
    revoked = StatusAnswer(status=CertStatus.REVOKED, revoked_at=CREATED, reason=RevocationReason.SUPERSEDED)
    yield "ocsp_response-revoked", answer(lambda serial: revoked)
    digest = sm3.digest(b"stamped")
    request = TimeStampRequest(
        imprint=MessageImprint.of_sm3(digest), policy=hierarchy.POLICY, nonce=77, certificates_wanted=True
    )
    yield "ts_request-full", request.der
    yield "ts_response-granted", world.tsa().respond(request.der)
    yield "ts_response-rejected", world.tsa().respond(b"\x30\x00")
    yield "ts_token-own", world.tsa().stamp(digest)


def cms_seeds() -> Iterator[tuple[str, bytes]]:
    world = hierarchy.hierarchy()
    holder = world[Profile.ORGANISATION_SYSTEM]
    for name, options in {
        "attributes": {"signing_time": CREATED},
        "bare": {"with_attributes": False},
        "detached": {"detached": True, "chain": world.intermediates},
    }.items():
        made = cms.build_signed_data(b"content", signer=holder.key, certificate=holder.certificate, **options)
        yield f"cms-{name}", made


def seal_seeds() -> Iterator[tuple[str, bytes]]:
    small = SealPicture(type="PNG", data=picture("PNG", "P"), width_mm=40, height_mm=40)
    extension = SealExtension(oid="1.2.156.10260.4.1.4", critical=False, value=b"\x05\x00")
    for version in SealVersion:
        seal = pki.make_seal(version, picture=small, extensions=(extension,))
        yield f"seal-{version.name.lower()}", seal
        yield f"seal_signature-{version.name.lower()}", pki.sign(version, seal=seal)
    digests = pki.make_seal(picture=small, list_type=CertListType.DIGESTS)
    yield "seal-v4_digests", digests
    yield "seal_signature-v4_stamped", pki.sign(seal=digests, timestamp=pki.stamp)
    stamp = partial(pki.stamp, at=pki.order().created_at)
    yield "seal-v5_stamped", pki.make_seal(SealVersion.V5, picture=small, timestamp=stamp)


def key_seeds() -> Iterator[tuple[str, bytes]]:
    key = hierarchy.key(3)
    yield "pkcs8-plain", key.to_pkcs8()
    cheap = pkcs8.Protection(iterations=100)
    yield "pkcs8-encrypted", key.to_pkcs8(b"password", protection=cheap)
    other = pkcs8.Protection(iterations=100, prf=pkcs8.Prf.HMAC_SHA256)
    yield "pkcs8-encrypted_sha256", key.to_pkcs8(b"password", protection=other)
    yield "spki-plain", key.public_key.spki
    signature = key.sign(b"message")
    yield "sm2_signature-der", signature
    yield "sm2_signature-raw", der_to_raw(signature)
    yield "sm2_ciphertext-der", key.public_key.encrypt(b"a secret of this length")
    yield "master_key-hex", b"ab" * 32


def picture_seeds() -> Iterator[tuple[str, bytes]]:
    yield "picture-png", picture("PNG")
    yield "picture-png_palette", picture("PNG", "P")
    yield "picture-gif", picture("GIF", "P")
    yield "picture-bmp", picture("BMP")
    yield "picture-jpg", picture("JPEG")
    yield "picture-jpg_progressive", picture("JPEG", progressive=True)


def merkle_seeds() -> Iterator[tuple[str, bytes]]:
    key = hierarchy.key(4)
    tree = MerkleTree.of_entries([n.to_bytes(2, "big") for n in range(300)])
    checkpoint = Checkpoint(origin=ORIGIN, size=300, root=tree.root(), extensions=())
    signed = sign_checkpoint(checkpoint, [Sm2NoteSigner(name=ORIGIN, signer=key)])
    witness = Sm2Cosigner(name="witness.shuzheng.example", signer=hierarchy.key(5), clock=lambda: CREATED)
    yield "note-checkpoint", signed
    yield "note-cosigned", cosign_checkpoint(signed, [witness])
    yield "checkpoint-text", checkpoint.text.encode()
    yield "verifier_key-log", Sm2NoteSigner(name=ORIGIN, signer=key).verifier.verifier_key.encode()
    yield "verifier_key-witness", witness.witness.verifier_key.encode()
    head = (17).to_bytes(8, "big") + (300).to_bytes(8, "big") + tree.root()
    yield "proof-inclusion", head + b"".join(tree.inclusion_proof(17))
    yield "proof-consistency", head + b"".join(tree.consistency_proof(17))
    yield "tile-partial", b"".join(hashlib.sha256(bytes((n,))).digest() for n in range(5))
    yield "bundle-five", build_entry_bundle([bytes((n,)) * n for n in range(5)])
    frontier = Frontier(HashSuite.SM3)
    frontier.extend(HashSuite.SM3.leaf_hash(bytes((n,))) for n in range(13))
    yield "frontier-thirteen", frontier.to_bytes()
    yield "tile_path-full", b"tile/0/x001/x234/067"
    yield "tile_path-partial", b"tile/1/000.p/255"
    yield "tile_path-entries", b"tile/entries/x001/234.p/8"
    signer = pki.pki().signer
    batch = BatchSigner(
        signer=signer.key, issuer="数证", clock=lambda: CREATED, certificates=(signer.certificate.der,)
    ).sign_json([{"case": n, "matched": True} for n in range(5)])
    yield "receipt-plain", batch.receipt(2)


def text_seeds() -> Iterator[tuple[str, bytes]]:
    yield "json-object", '{"a":[1,-2,true,null,{"数":"证","\\u00e9":"\\n"}],"b":{}}'.encode()
    yield "structured-dictionary", b'a=1;x="y\\"z", b=(tok/en *t "s";p 2.5 ?1), c=:AAEC:, d;e=-7'
    yield "structured-list", b'"a", (1 2);q=0.5, tok:en;a=?0, :YQ==:, 12.125'
    yield "structured-item", b'"text";a=1;b=:YQ==:;c=token'
    body = b'{"subject":"1"}'
    unsigned = HttpRequest(
        method="POST",
        target_uri=HTTP_URI,
        fields=(("content-digest", build_content_digest(body)), ("content-type", "application/json")),
        body=body,
    )
    fields = sign_message(
        unsigned,
        key=Sm2HttpSigner(key_id="sys-1", signer=hierarchy.key(6)),
        components=("@method", "@target-uri", '"@query-param";name="code"', "content-digest"),
        created_at=CREATED,
        nonce="n-1",
        tag="shuzheng",
    )
    lines = (*(value for _, value in fields.fields), build_content_digest(body), "application/json")
    yield "http-signed", "\n".join(lines).encode()
    digests = (build_content_digest(b"{}"), build_content_digest(b"{}", algorithm="sha-256"))
    yield "content_digest-two", ", ".join(digests).encode()


def all_seeds() -> dict[str, bytes]:
    """Make every seed."""
    makers = (
        x509_seeds,
        cms_seeds,
        seal_seeds,
        key_seeds,
        picture_seeds,
        merkle_seeds,
        text_seeds,
    )
    return {name: value for maker in makers for name, value in maker()}


def main() -> None:
    """Write the seeds."""
    FOLDER.mkdir(exist_ok=True)
    for name, value in all_seeds().items():
        (FOLDER / f"{name}.bin").write_bytes(value)


if __name__ == "__main__":
    main()
