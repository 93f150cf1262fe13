"""`shuzheng receipt verify`: check a signed receipt offline, with the CA certificate alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from hub.cli.log_offline import read_receipt_file, verify_receipt_file
from signing.merkle.receipt_format import parse_receipt

app = typer.Typer(help="Signed receipts (回执).", no_args_is_help=True)


@app.callback()
def receipts() -> None:
    """Work with receipts."""


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="a receipt (JSON, OFD)")],
    ca: Annotated[Path, typer.Option("--ca", exists=True, dir_okay=False, help="the hub's root certificate")],
    payload: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="the payload, where it is not embedded")
    ] = None,
) -> None:
    """Verify a receipt: whose word it is, from when, and on what. Code 1 where it does not hold."""
    verified = verify_receipt_file(file, ca=ca, payload=payload)
    console = Console(highlight=False)
    console.print(
        f"valid: {verified.issuer} vouched for it at {verified.signed_at.isoformat()}", markup=False
    )
    embedded = parse_receipt(read_receipt_file(file)).payload
    if embedded is not None:
        console.print(embedded.decode(), markup=False, soft_wrap=True)
    elif payload is None:
        console.print(f"the payload has the SM3 {verified.payload_digest.hex()}; compare it", markup=False)
