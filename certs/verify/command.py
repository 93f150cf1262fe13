"""What the command line needs: trust from a folder, the moment to judge at, one file to a report."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from certs.verify.document import assess_document
from certs.verify.model import DocumentReport
from core.errors import BadInput
from signing.errors import DecodeError
from signing.trust import NOTHING_TRUSTED, JudgeAt, RevocationRule, TrustPolicy
from signing.x509.certificate import Certificate
from signing.x509.crl import RevocationList

CERTIFICATE_SUFFIXES: Final = frozenset({".cer", ".crt", ".pem", ".der"})
LIST_SUFFIX: Final = ".crl"
MAX_TRUST_FILES: Final = 1000


def verify_file(
    path: Path,
    *,
    trust_folder: Path | None,
    at: str,
    strict: bool,
    now: datetime,
    max_bytes: int,
) -> DocumentReport:
    """Examine one file.

    `at` is `signing`, `now`, or a time in ISO 8601. Without a folder nothing is trusted, so the best verdict
    is UNKNOWN. Raises BadInput for a bad `at`, an over-long file or a trust file that cannot be read, and
    OSError where the file cannot be.
    """
    trust = NOTHING_TRUSTED if trust_folder is None else load_trust(trust_folder)
    policy = build_policy(trust, at=at, strict=strict)
    if path.stat().st_size > max_bytes:
        msg = f"a file to verify has at most {max_bytes} bytes"
        raise BadInput(msg)
    return assess_document(path.read_bytes(), trust=policy, at=now)


def build_policy(trust: TrustPolicy, *, at: str, strict: bool) -> TrustPolicy:
    """Add to `trust` the moment to judge at and, where asked, every strict switch. Raises BadInput."""
    if at in {JudgeAt.SIGNING, JudgeAt.NOW}:
        trust = replace(trust, judge_at=JudgeAt(at), judge_time=None)
    else:
        trust = replace(trust, judge_at=JudgeAt.TIME, judge_time=_parse_time(at))
    if not strict:
        return trust
    return replace(
        trust,
        revocation=RevocationRule.REFUSE,
        refuse_unknown_critical_extensions=True,
        refuse_encipherment_key_usage=True,
        refuse_raw_signatures=True,
        refuse_partial_coverage=True,
        refuse_property_info_mismatch_v1=True,
    )


def _parse_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = "the time to judge at is signing, now, or a time such as 2026-11-24T08:00:00+08:00"
        raise BadInput(msg) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def load_trust(folder: Path) -> TrustPolicy:
    """Load what a folder trusts: certificates (`.cer .crt .pem .der`) and revocation lists (`.crl`).

    Certificates that issued themselves are roots, the others help to build paths. Raises BadInput naming
    the file that cannot be read.
    """
    if not folder.is_dir():
        msg = "the folder of trusted certificates is not there"
        raise BadInput(msg)
    files = sorted(path for path in folder.iterdir() if path.is_file())
    if len(files) > MAX_TRUST_FILES:
        msg = f"the folder of trusted certificates has more than {MAX_TRUST_FILES} files"
        raise BadInput(msg)
    certificates, lists = [], []
    for path in files:
        try:
            if path.suffix.lower() in CERTIFICATE_SUFFIXES:
                certificates.append(Certificate.parse(path.read_bytes()))
            elif path.suffix.lower() == LIST_SUFFIX:
                lists.append(RevocationList.parse(path.read_bytes()))
        except DecodeError as error:
            msg = f"{path.name} cannot be read: {error.detail}"
            raise BadInput(msg) from error
    return TrustPolicy(
        roots=tuple(one for one in certificates if one.subject.der == one.issuer.der),
        intermediates=tuple(one for one in certificates if one.subject.der != one.issuer.der),
        crls=tuple(lists),
    )
