"""What a holder of a file can check without the hub: proofs, exports, receipts."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from core.errors import BadInput, Unauthenticated, Unavailable
from core.log.anchor import Anchor
from core.log.archive import ArchiveReader, Manifest
from core.log.chain import name_mass_reading
from core.log.export_check import ExportCheck
from core.log.findings import CheckReport
from core.log.heads import HeadVerifier
from core.log.mirror import MirrorCheck
from core.log.restore import restore_log
from core.log.selfcheck import SelfCheck
from core.log.statement_check import verify_statement_in_export
from core.log.subject_proof import (
    PROOF_FORMAT,
    parse_subject_proof,
    read_statement,
    verify_subject_proof,
)
from core.log.trust import LogTrust
from core.settings import Settings
from evidence.proof.printed import read_printed
from signing.errors import DecodeError, ShuzhengError
from signing.merkle.hashing import HashSuite
from signing.merkle.proofs import verify_inclusion
from signing.merkle.receipts import VerifiedReceipt, verify_receipt
from signing.x509.certificate import Certificate
from signing.x509.pem import der_or_pem

TIMEOUT_S = 30.0
INCLUSION_FORMAT = "shuzheng-inclusion-proof/1"


def load_trust(ca: Path | None) -> LogTrust:
    """Read the hub's root certificate, DER or PEM. Raises BadInput where none is given."""
    if ca is None:
        msg = "name the hub's root certificate with --ca; the hub serves it at /v1/trust/root.cer"
        raise BadInput(msg)
    return LogTrust(roots=(Certificate.parse(der_or_pem(ca.read_bytes(), "CERTIFICATE")),))


def now() -> datetime:
    """Tell the time, aware and in UTC."""
    return datetime.now(UTC)


def verify_proof(path: Path, *, ca: Path | None, number: str | None) -> str:
    """Verify a proof that `log prove` or `log prove-subject` wrote; say what it proves, or raise."""
    document = _read_json(path)
    trust = load_trust(ca)
    try:
        heads = trust.build_verifier(
            origin=str(document["origin"]),
            suite=HashSuite(document["hash"]),
            certificates_pem=str(document["certificates"]).encode(),
        )
        if document["format"] == PROOF_FORMAT:
            return _verify_subject(document, heads, trust, number)
        return _verify_inclusion(document, heads)
    except (KeyError, TypeError, ValueError) as wrong:
        msg = "This file is no proof of a log."
        raise DecodeError(msg) from wrong


def verify_proof_in_export(proof: Path, export: Path, *, ca: Path | None) -> str:
    """Recount the hub's signed statement in a whole export; say what held, or raise."""
    report, manifest, _ = check_export(export, ca=ca)
    if not report.is_whole:
        msg = f"the export is not whole ({report.findings_count} findings); verify it alone to see them"
        raise BadInput(msg)
    parsed = parse_subject_proof(_read_json(proof))
    statement = read_statement(parsed.statement, trust=load_trust(ca).receipts())
    verify_statement_in_export(statement, export, manifest)
    return f"recounted: the export holds the {statement.leaves} leaves that the hub's statement counts"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as wrong:
        msg = "This file is not JSON."
        raise DecodeError(msg) from wrong
    if not isinstance(document, dict):
        msg = "This file is no proof of a log."
        raise DecodeError(msg)
    return document


def _verify_subject(
    document: dict[str, Any], heads: HeadVerifier, trust: LogTrust, number: str | None
) -> str:
    verified = verify_subject_proof(
        parse_subject_proof(document),
        heads=heads,
        suite=heads.suite,
        trust=trust.receipts(),
        number=number,
    )
    mass = "".join(
        f"\nread in mass: the resource {each.resource}, {each.leaves} times; prove-subject --number"
        f" {name_mass_reading(each.resource)} lists them"
        for each in verified.mass_readings
    )
    return (
        f"complete: {verified.leaves} leaves about this subject in the signed tree of {verified.tree_size}"
        f" ({verified.dropped} of them without payload), stated at {verified.stated_at.isoformat()}{mass}"
    )


def _verify_inclusion(document: dict[str, Any], heads: HeadVerifier) -> str:
    head = heads.read(document["checkpoint"])
    verify_inclusion(
        heads.suite,
        leaf_hash=heads.suite.leaf_hash(str(document["entry"]).encode()),
        index=int(document["index"]),
        size=head.size,
        proof=[base64.b64decode(node, validate=True) for node in document["proof"]],
        root=head.root,
    )
    signed_at = head.signed_at.isoformat()
    return f"included: leaf {document['index']} of the tree of {head.size}, signed at {signed_at}"


def check_export(path: Path, *, ca: Path | None) -> tuple[CheckReport, Manifest, HeadVerifier]:
    """Verify an export."""
    return ExportCheck(path, trust=load_trust(ca), now=now).run()


def restore_export(path: Path, *, ca: Path | None, settings: Settings) -> CheckReport:
    """Verify an export, restore it where it is whole, and check the restored rows."""
    report, manifest, heads = check_export(path, ca=ca)
    if not report.is_whole:
        return report
    from hub.serve import database_for  # noqa: PLC0415 - the server's parts load slowly

    with database_for(settings) as ready:
        return asyncio.run(_restore(path, manifest, heads, ready))


async def _restore(path: Path, manifest: Manifest, heads: HeadVerifier, settings: Settings) -> CheckReport:
    from core.log.model import Event  # noqa: PLC0415
    from hub.keys import open_master_key  # noqa: PLC0415 - the server's parts load slowly
    from hub.log import build_log_writer  # noqa: PLC0415
    from hub.log_alone import open_database  # noqa: PLC0415
    from signing import sm3  # noqa: PLC0415

    writer = build_log_writer(settings, open_master_key(settings), now)
    async with open_database(settings) as database:
        await restore_log(database, ArchiveReader(path), manifest, heads=heads)
        async with database.transaction() as connection:
            await writer.append(
                connection,
                event=Event.LOG_RESTORED,
                caller=None,
                details={
                    "tree_size": manifest.tree_size,
                    "manifest_sm3": sm3.digest(manifest.to_bytes()).hex(),
                },
            )
        check = SelfCheck(database=database, log=writer, heads=heads, anchor=Anchor(None), now=now)
        return await check.assess()


def read_receipt_file(path: Path) -> bytes:
    """Read a receipt: JSON as it was signed, or the OFD file that holds it. Raises where its pages differ."""
    data = path.read_bytes()
    return read_printed(data) if data.startswith(b"PK") else data


def verify_receipt_file(path: Path, *, ca: Path | None, payload: Path | None) -> VerifiedReceipt:
    """Verify a receipt with the CA certificate alone; raise where it does not hold."""
    trust = load_trust(ca)
    data = read_receipt_file(path)
    content = None if payload is None else payload.read_bytes()
    return verify_receipt(data, trust=trust.receipts(), payload=content)


def verify_hub(address: str, *, ca: Path | None) -> CheckReport:
    """Verify the log of a running hub over HTTP, with its leaves where an auditor's credentials are given."""
    with httpx.Client(base_url=address, timeout=TIMEOUT_S) as client:
        heads = load_log_keys(client, load_trust(ca))
        return MirrorCheck(client=client, heads=heads, token=_fetch_token(client), now=now).run()


def _fetch_token(client: httpx.Client) -> str | None:
    client_id, secret = os.environ.get("SHUZHENG_CLIENT_ID"), os.environ.get("SHUZHENG_CLIENT_SECRET")
    if not client_id or not secret:
        return None
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": secret}
    answer = client.post("/v1/oauth/token", data=form)
    if answer.is_error:
        msg = "the hub does not take SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET"
        raise Unauthenticated(msg)
    return str(answer.json()["access_token"])


def load_log_keys(client: httpx.Client, trust: LogTrust) -> HeadVerifier:
    """Fetch the log's keys and certificates, and trust those that lead to the root."""
    try:
        described = client.get("/v1/log/keys").raise_for_status().json()
        return trust.build_verifier(
            origin=str(described["origin"]),
            suite=HashSuite(described["hash"]),
            certificates_pem=str(described["certificates"]).encode(),
        )
    except ShuzhengError:
        raise
    except httpx.HTTPError as trouble:
        msg = f"the hub does not answer ({type(trouble).__name__})"
        raise Unavailable(msg) from trouble
    except (KeyError, ValueError) as wrong:
        msg = "that address does not describe a log; is it a hub?"
        raise BadInput(msg) from wrong
