"""Load what a folder trusts: certificates, revocation lists and OCSP responses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from core.errors import BadInput
from signing.errors import DecodeError
from signing.trust import TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList
from signing.x509.ocsp import OcspResponse
from signing.x509.pem import parse_pem

CERTIFICATE_SUFFIXES: Final = frozenset({".cer", ".crt", ".pem", ".der"})
LIST_SUFFIX: Final = ".crl"
RESPONSE_SUFFIXES: Final = frozenset({".ors", ".ocsp"})
MAX_TRUST_FILES: Final = 1000
MAX_TRUST_FILE_BYTES: Final = 64 * 1024 * 1024

_Read = TypeVar("_Read")


def load_trust(folder: Path) -> TrustPolicy:
    """Load certificates (`.cer .crt .pem .der`; a PEM file may hold several), lists (`.crl`, DER or PEM)
    and OCSP responses (`.ors .ocsp`).

    Certificates that issued themselves are roots, the others help to build paths; other files are passed
    over. Raises BadInput naming the file that cannot be read.
    """
    if not folder.is_dir():
        msg = "the folder of trusted certificates is not there"
        raise BadInput(msg)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) > MAX_TRUST_FILES:
        msg = f"the folder of trusted certificates has more than {MAX_TRUST_FILES} files"
        raise BadInput(msg)
    certificates: list[Certificate] = []
    lists: list[RevocationList] = []
    responses: list[OcspResponse] = []
    for path in files:
        suffix = path.suffix.lower()
        if suffix in CERTIFICATE_SUFFIXES:
            certificates += _read(path, "CERTIFICATE", Certificate.parse)
        elif suffix == LIST_SUFFIX:
            lists += _read(path, "X509 CRL", RevocationList.parse)
        elif suffix in RESPONSE_SUFFIXES:
            responses += _read(path, "OCSP RESPONSE", OcspResponse.parse)
    return TrustPolicy(
        roots=tuple(one for one in certificates if one.subject.der == one.issuer.der),
        intermediates=tuple(one for one in certificates if one.subject.der != one.issuer.der),
        crls=tuple(lists),
        ocsp_responses=tuple(responses),
    )


def _read(path: Path, label: str, parse: Callable[[bytes], _Read]) -> list[_Read]:
    """Read one file: DER, or every PEM block with the label."""
    try:
        if path.stat().st_size > MAX_TRUST_FILE_BYTES:
            msg = f"{path.name} is over {MAX_TRUST_FILE_BYTES} bytes"
            raise BadInput(msg)
        data = path.read_bytes()
        blocks = parse_pem(data, label) if b"-----BEGIN " in data else (data,)
        return [parse(block) for block in blocks]
    except DecodeError as error:
        msg = f"{path.name} cannot be read: {error.detail}"
        raise BadInput(msg) from error
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror}"
        raise BadInput(msg) from error
