"""`shuzheng cert issue | batch | revoke | fetch | copy`, over HTTP, and `cert qr verify`, offline."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer
from rich.console import Console

from certs.face.payload import verify_face
from connectors import HubClient, Purpose
from core.errors import BadInput
from signing.x509.certificate import Certificate
from signing.x509.pem import CERTIFICATE, der_or_pem

NDJSON = "application/x-ndjson"
Hub = Annotated[str, typer.Option(help="address of the hub")]
ServiceItem = Annotated[str, typer.Option(help="service item of the case")]
CaseNumber = Annotated[str, typer.Option("--case", help="number of the case")]
Operator = Annotated[str, typer.Option(help="who asks")]
LOCAL_HUB = "http://127.0.0.1:8000"

qr = typer.Typer(help="QR codes on the faces of certificates.", no_args_is_help=True)


def add_commands(app: typer.Typer) -> None:
    """Add the commands to `shuzheng cert`."""
    for command in (issue, batch, revoke, fetch, copy):
        app.command()(command)
    qr.command("verify")(verify_qr)
    qr.callback()(_qr)
    app.add_typer(qr, name="qr")


def _qr() -> None:
    """Work with QR codes on the faces of certificates."""


def issue(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="an order, JSON")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and lay out, keep nothing")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency-Key; a new one without it")] = None,
    hub: Hub = LOCAL_HUB,
) -> None:
    """Issue one certificate. Credentials come from SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET."""
    try:
        order = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        msg = "an order is a JSON object; see POST /v1/certificates at /docs"
        raise BadInput(msg) from None
    with _connect(hub) as client:
        path = "/v1/certificates/preview" if dry_run else "/v1/certificates"
        _show(client.post(path, order, idempotency_key=None if dry_run else key or str(uuid4())))


def batch(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="orders, one JSON a line")],
    out: Annotated[Path, typer.Option(help="where the answers go, one JSON a line")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and lay out, keep nothing")] = False,
    key: Annotated[str | None, typer.Option(help="Idempotency-Key, to send the batch again under")] = None,
    hub: Hub = LOCAL_HUB,
) -> None:
    """Issue up to 10,000 certificates. Code 1 where one of them failed."""
    key = key or str(uuid4())
    console = Console(stderr=True)
    console.print(f"Idempotency-Key {key}", highlight=False)
    with _connect(hub) as client, file.open("rb") as orders:
        answer = client.send(
            "POST",
            "/v1/certificates/batch",
            params={"dry_run": str(dry_run).lower()},
            content=orders,
            headers={"Content-Type": NDJSON, "Idempotency-Key": key},
            timeout=None,
        )
    out.write_bytes(answer.content)
    sums = json.loads(answer.text.splitlines()[-1])
    console.print(", ".join(f"{name} {value}" for name, value in sums.items() if name != "done"))
    raise typer.Exit(1 if sums["failed"] else 0)


def revoke(
    identifier: Annotated[str, typer.Argument(help="the certificate")],
    reason: Annotated[str, typer.Option(help="why, for the record")],
    to: Annotated[str, typer.Option(help="revoked, cancelled, withdrawn, suspended or active")] = "revoked",
    hub: Hub = LOCAL_HUB,
) -> None:
    """Revoke a certificate, or set another status."""
    with _connect(hub) as client:
        _show(client.post(f"/v1/certificates/{identifier}/status", {"to": to, "reason": reason}))


def fetch(
    identifier: Annotated[str, typer.Argument(help="the certificate")],
    out: Annotated[Path, typer.Option(help="where the file goes")],
    service_item: ServiceItem,
    case: CaseNumber,
    operator: Operator,
    hub: Hub = LOCAL_HUB,
) -> None:
    """Fetch the sealed original for a case."""
    purpose = Purpose(service_item=service_item, case_number=case, operator=operator)
    with _connect(hub) as client:
        answer = client.send("GET", f"/v1/certificates/{identifier}/file", purpose=purpose)
    out.write_bytes(answer.content)
    Console(stderr=True).print(f"{out}  {answer.headers['Shuzheng-Digest']}", highlight=False)


def copy(
    identifier: Annotated[str, typer.Argument(help="the certificate")],
    out: Annotated[Path, typer.Option(help="where the file goes")],
    cause: Annotated[str, typer.Option(help="what the copy is for")],
    service_item: ServiceItem,
    case: CaseNumber,
    operator: Operator,
    hours: Annotated[int, typer.Option(min=1, help="how long it may be relied upon")] = 24,
    hub: Hub = LOCAL_HUB,
) -> None:
    """Make an annotated copy for a case, and fetch it."""
    purpose = Purpose(service_item=service_item, case_number=case, operator=operator)
    until = (datetime.now(UTC) + timedelta(hours=hours)).isoformat()
    with _connect(hub) as client:
        made = client.post(
            f"/v1/certificates/{identifier}/copies", {"cause": cause, "expires_at": until}, purpose=purpose
        )
        answer = client.send("GET", f"/v1/certificate-copies/{made['id']}/file")
    out.write_bytes(answer.content)
    _show(made)


def verify_qr(
    text: Annotated[str, typer.Argument(help="what the QR code says")],
    ca: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="the issuing authority, PEM or DER"),
    ],
    holder: Annotated[str | None, typer.Option(help="number of the holder, to compare")] = None,
) -> None:
    """Verify the QR code on a face without the hub; `/v1/trust/chain.pem` holds the authority."""
    authority = Certificate.parse(der_or_pem(ca.read_bytes(), CERTIFICATE))
    facts = verify_face(text, authority=authority)
    told: dict[str, Any] = {
        "identifier": facts.identifier,
        "type": facts.type_name,
        "holder": facts.holder_name,
        "issued_on": facts.issued_on.isoformat(),
        "valid_until": None if facts.valid_until is None else facts.valid_until.isoformat(),
    }
    if holder is not None:
        told["is_held_by"] = facts.is_held_by(holder)
    _show(told)
    if holder is not None and not told["is_held_by"]:
        raise typer.Exit(1)


def _connect(hub: str) -> HubClient:
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to the credentials of your system"
        raise BadInput(msg)
    return HubClient(hub, client_id=client_id, client_secret=client_secret)


def _show(told: Any) -> None:
    Console().print_json(json.dumps(told, ensure_ascii=False))
