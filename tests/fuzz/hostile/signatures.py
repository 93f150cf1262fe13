"""Signatures made to exhaust a verifier."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

from PIL import Image

from signing import der, oids, sm3
from signing.seals import encode
from signing.seals.model import SealPicture, SealVersion
from tests.fuzz.hostile.build import MIB, SIGNATURE, VALUE, deflated, noise, stored, with_entries
from tests.unit.certs.packages import LIST, NS, Files, describe, list_of, pack, plain_files, sealed, sign, xml
from tests.unit.signing.seals import pki


def hundred_signatures(seal: Callable[[int], bytes] | None = None) -> Files:
    """A hundred signatures, the greatest number allowed, over a hundred seals."""
    files = plain_files()
    for number in range(100):
        folder = f"Doc_0/Signs/Sign_{number}"
        made = pki.seal_of(SealVersion.V4) if seal is None else seal(number)
        files[f"{folder}/Seal.esl"] = made
        files[f"{folder}/Signature.xml"] = describe(files, number, leave_out=(LIST,))
        files[f"{folder}/SignedValue.dat"] = pki.sign(
            seal=made,
            data_hash=sm3.digest(files[f"{folder}/Signature.xml"]),
            property_info=f"/{folder}/Signature.xml",
        )
    listed = list_of(*(f"s{number:03d}" for number in range(1, 101)))
    return files | {LIST: listed}


def hundred_dear_pictures() -> bytes:
    """Each seal has a picture of the most pixels allowed, and no two are alike."""
    picture = _large_png(1499)

    def seal(number: int) -> bytes:
        return pki.make_seal(seal_id=f"33{number:012d}", picture=picture)

    return pack(hundred_signatures(seal))


def picture_of_a_billion_pixels() -> bytes:
    """A seal whose PNG claims 30,000 × 30,000 pixels."""
    small = bytearray(_large_png(8).data)
    small[16:24] = struct.pack(">2I", 30_000, 30_000)
    small[29:33] = struct.pack(">I", zlib.crc32(small[12:29]))
    seal, world = encode_seal_with(bytes(small)), pki.pki()
    files = sealed() | {"Doc_0/Signs/Sign_0/Seal.esl": seal}
    description = describe(files, 0, leave_out=(LIST, SIGNATURE, VALUE))
    tbs = encode.encode_tbs_v4(
        version=4,
        seal=seal,
        signed_at=pki.NOW,
        data_hash=sm3.digest(description),
        property_info=f"/{SIGNATURE}",
        extensions=(),
    )
    value = encode.encode_signature_v4(
        tbs, world.signer.certificate.der, oids.SM2_WITH_SM3, world.signer.key.sign(tbs), None
    )
    return pack(files | {SIGNATURE: description, VALUE: value})


def encode_seal_with(picture: bytes) -> bytes:
    """A seal by our maker whose picture the builder would refuse."""
    good = der.parse_der(pki.seal_of(SealVersion.V4))
    info, certificate, algorithm, _ = good.children()
    parts = [part.raw for part in info.children()]
    parts[3] = der.sequence(der.ia5("PNG"), der.octet_string(picture), der.integer(40), der.integer(40))
    signed = der.sequence(*parts)
    value = pki.pki().maker.key.sign(signed)
    return der.sequence(signed, certificate.raw, algorithm.raw, der.bit_string(value))


def _references(count: int) -> str:
    return "".join(
        f'<ofd:Reference FileRef="/a{n}"><ofd:CheckValue>AAAA</ofd:CheckValue></ofd:Reference>'
        for n in range(count)
    )


def references_without_end() -> bytes:
    """As many references in one description as are allowed."""
    return pack(sign(plain_files(), more=_references(19_900)))


def references_of_a_hundred() -> bytes:
    """A hundred descriptions that have more references together than are read."""
    files = sealed()
    description = describe(files, 0, leave_out=(LIST, SIGNATURE, VALUE), more=_references(5_000))
    more = {f"Doc_0/Signs/Sign_{n}/Signature.xml": description for n in range(100)}
    return pack(files | more | {LIST: list_of(*(f"x{n}" for n in range(100)))})


def one_description_of_a_hundred() -> bytes:
    """A hundred list entries over one description, as if a hundred had signed."""
    files = sign(plain_files(), more=_references(19_000))
    entries = "".join(f'<ofd:Signature ID="s{n}" Type="Seal" BaseLoc="/{SIGNATURE}"/>' for n in range(100))
    return pack(files | {LIST: xml(f"<ofd:Signatures {NS}>{entries}</ofd:Signatures>")})


def stamps_without_end() -> bytes:
    stamps = "".join(f'<ofd:StampAnnot ID="x{n}" PageRef="9" Boundary="a"/>' for n in range(1_990))
    files = sign(plain_files())
    changed = files[SIGNATURE].replace(b"</ofd:References>", f"</ofd:References>{stamps}".encode())
    return pack(files | {SIGNATURE: changed})


def value_of_40_mb() -> bytes:
    return with_entries(stored(VALUE, der.sequence(der.octet_string(noise(40 * MIB)))))


def value_nested_deeply() -> bytes:
    value = b""
    for _ in range(3000):
        value = der.sequence(value)
    return pack(sealed() | {VALUE: value})


def value_of_many_elements() -> bytes:
    return with_entries(deflated(VALUE, der.sequence(b"".join(map(der.integer, range(400_000)))), 6))


def check_value_of_10_mb() -> bytes:
    text = noise(5 * MIB).hex()
    more = f'<ofd:Reference FileRef="/a"><ofd:CheckValue>{text}</ofd:CheckValue></ofd:Reference>'
    return with_entries(deflated(SIGNATURE, describe(sealed(), 0, leave_out=(LIST, SIGNATURE), more=more), 6))


def _large_png(side: int) -> SealPicture:
    target = io.BytesIO()
    Image.linear_gradient("L").resize((side, side)).save(target, "PNG")
    return SealPicture(type="PNG", data=target.getvalue(), width_mm=40, height_mm=40)


def many_bodies() -> bytes:
    """Fifty document bodies over one list of signatures."""
    root = sealed()["OFD.xml"]
    start, end = root.index(b"<ofd:DocBody>"), root.index(b"</ofd:OFD>")
    return pack(hundred_signatures() | {"OFD.xml": root[:start] + root[start:end] * 50 + root[end:]})
