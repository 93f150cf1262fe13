"""The command `reconcile`: does a file hold what the hub holds, and if not, which keys differ and why."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from connectors import HubClient, Purpose
from core.caller import OrganisationCode
from core.errors import BadInput
from exchange.accounting.copies import CopyDigest, digest_copy, read_buckets
from exchange.catalogue.model import CheckRule, Item, Resource, ShareType, Theme, UpdateCycle
from exchange.codes.model import SHIPPED, Code
from exchange.publish.compression import unpack
from exchange.publish.model import Upload
from hub.cli.log_offline import verify_receipt_file
from hub.cli.samples import open_client, read_kind
from signing.canonical_json import build_canonical_json
from subscriptions.delivery.compare import compare_copy
from subscriptions.delivery.countersign import verify_proof

ROWS_PER_CALL = 10_000


def add_commands(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(reconcile)


def reconcile(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help="your copy")] = None,
    resource: Annotated[str, typer.Option(help="code of the resource")] = "",
    hub: Annotated[str, typer.Option(help="address of the hub")] = "http://127.0.0.1:8000",
    limit: Annotated[int, typer.Option(min=1, help="how many differing keys to name")] = 100,
    service_item: Annotated[str | None, typer.Option(help="service item; subscribers say why")] = None,
    case_number: Annotated[str, typer.Option(help="case number")] = "reconcile",
    operator: Annotated[str, typer.Option(help="operator")] = "reconcile",
    receipt: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="receipt of a delivery: compare with it, offline"),
    ] = None,
    countersignature: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="the subscriber's countersignature of that delivery"),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", exists=True, dir_okay=False, help="the hub's root certificate")
    ] = None,
) -> None:
    """Compare a file (the owner's or a subscriber's copy) with the hub's current rows.

    Without a file: the hub's current rows with its accounting and its change log. Ends with code 1 where
    something differs. With `--receipt` and `--ca` a subscriber's copy of one delivery is compared with the
    hub's signed manifest, without a connection; with `--countersignature` also whether the subscriber signed
    for it. Credentials come from SHUZHENG_CLIENT_ID and
    SHUZHENG_CLIENT_SECRET.
    """
    if receipt is not None:
        raise typer.Exit(0 if compare_delivery(file, receipt, ca, countersignature) else 1)
    purpose = None
    if service_item is not None:
        purpose = Purpose(service_item=service_item, case_number=case_number, operator=operator)
    with open_client(hub) as client:
        if file is None:
            answer = client.post(f"/v1/resources/{resource}/reconciliations/stations")
            differences = answer.pop("differences")
            facts = answer
        else:
            facts, differences = compare_file(client, resource, file, purpose=purpose, limit=limit)
    console = Console(stderr=True)
    for name, value in facts.items():
        console.print(f"{name:>20}  {value}", markup=False, highlight=False)
    for difference in differences[:limit]:
        key = " ".join(difference["key"])
        typer.echo(f"{difference['verdict']}\t{key}\t{'; '.join(difference['why'])}")
    raise typer.Exit(0 if facts["equal"] else 1)


def compare_delivery(
    file: Path | None, receipt: Path, ca: Path | None, countersignature: Path | None = None
) -> bool:
    """Compare a copy of one delivery with its signed manifest; print what was found.

    Raises BadInput where the subscriber's countersignature does not hold over that manifest.
    """
    if file is None or ca is None:
        msg = "with --receipt name your copy, and the hub's root certificate with --ca"
        raise BadInput(msg)
    verified = verify_receipt_file(receipt, ca=ca, payload=None)
    manifest = json.loads(receipt.read_bytes())["payload"]
    signer = "not looked at"
    if countersignature is not None:
        key = verify_proof(countersignature.read_bytes(), manifest=build_canonical_json(manifest))
        signer = f"the key {key.point.hex()}"
    found = compare_copy(file.read_bytes(), manifest)
    console = Console(stderr=True)
    facts = {
        "delivery": manifest["delivery"],
        "signed by": f"{verified.issuer} at {verified.signed_at.isoformat()}",
        "countersigned by": signer,
        "rows delivered": found.rows_delivered,
        "rows found": found.rows_found,
        "same bytes": found.same_bytes,
        "same rows": "not proved by this manifest" if found.same_rows is None else found.same_rows,
    }
    for name, value in facts.items():
        console.print(f"{name:>20}  {value}", markup=False, highlight=False)
    return found.equal


def compare_file(
    client: HubClient, code: str, file: Path, *, purpose: Purpose | None, limit: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Compare a file with the hub's rows: (what was compared, the differing keys, `limit` or a few more)."""
    resource = _read_resource(client, client.get(f"/v1/resources/{code}"))
    media_type, coding = read_kind(file)
    with tempfile.TemporaryDirectory(prefix="shuzheng-") as folder:
        path = Path(folder) / "copy"
        path.symlink_to(file.resolve())
        size = file.stat().st_size
        if coding != "identity":
            path, size = unpack(path, size, coding=coding, media_type=media_type, max_bytes=1 << 40)
        upload = Upload(path=path, size_bytes=size, digest=b"", media_type=media_type, charset=None)
        copy = digest_copy(upload, resource)
        answer = client.post(
            f"/v1/resources/{code}/reconciliations/buckets",
            {"items": list(copy.items), "digests": [digest.digest.hex() for digest in copy.sums.digests]},
            purpose=purpose,
        )
        differing = answer.pop("differing_buckets")
        found = _name_keys(client, resource, upload, copy, answer["version"], differing, purpose, limit)
    for difference in found:
        refused = copy.refused_keys.get("\x1f".join(difference["key"]))
        if refused is not None:
            difference["why"].append(f"your row breaks the resource's rules: {', '.join(refused)}")
    total = copy.sums.total
    facts = {
        "version": answer["version"],
        "hub rows": answer["rows"],
        "hub digest": answer["digest"],
        "file rows": copy.received,
        "file rows refused": copy.refused,
        "file digest": total.digest.hex(),
        "differing buckets": f"{len(differing)} of {copy.sums.count}",
        "equal": answer["equal"] and not copy.refused,
    }
    return facts, found


def _name_keys(
    client: HubClient,
    resource: Resource,
    upload: Upload,
    copy: CopyDigest,
    version: int,
    differing: list[int],
    purpose: Purpose | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Ask for the differing keys, a few buckets at a time, until `limit` are named."""
    found: list[dict[str, Any]] = []
    rows_per_bucket = max(1, max(copy.received, 1) // copy.sums.count)
    step = max(1, ROWS_PER_CALL // rows_per_bucket)
    for start in range(0, len(differing), step):
        wanted = differing[start : start + step]
        mine = read_buckets(upload, resource, count=copy.sums.count, wanted=frozenset(wanted))
        answer = client.post(
            f"/v1/resources/{resource.code}/reconciliations/rows",
            {
                "items": list(copy.items),
                "version": version,
                "bucket_count": copy.sums.count,
                "buckets": wanted,
                "rows": {key: row.hex() for key, row in mine.hashes.items()},
            },
            purpose=purpose,
        )
        found += answer["differences"]
        found += [
            {"key": key.split("\x1f"), "verdict": "repeated", "why": ["the key is in your file twice"]}
            for key in sorted(mine.repeated)
        ]
        if len(found) >= limit:
            break
    return found


def _read_resource(client: HubClient, described: dict[str, Any]) -> Resource:
    """Build the resource that the hub describes, as far as reading rows needs it."""
    named = {item["code_list"] for item in described["items"] if item["code_list"] is not None}
    kept = {name: client.get(f"/v1/code-lists/{name}")["codes"] for name in named - SHIPPED.keys()}
    return Resource(
        code=described["code"],
        title=described["title"],
        summary="",
        theme=Theme(described["theme"]),
        provider_code=OrganisationCode(described["provider_code"]),
        update_cycle=UpdateCycle(described["update_cycle"]),
        items=tuple(
            Item(
                name=item["name"],
                title=item["title"],
                format=item["format"],
                is_key=item["is_key"],
                is_required=item["is_required"],
                share_type=ShareType(item["share_type"]),
                code_list=item["code_list"],
                check_rule=None if item["check_rule"] is None else CheckRule(item["check_rule"]),
                registered_codes=tuple(Code(**each) for each in kept.get(item["code_list"], ())),
            )
            for item in described["items"]
        ),
    )
