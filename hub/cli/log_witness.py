"""`shuzheng log witness`: cosign the heads of another party's log, keeping only the last one seen."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import httpx
import typer
from rich.console import Console

from core.errors import Unavailable
from core.log.witness_duty import WitnessDuty
from hub.cli.log_offline import load_log_keys, load_trust
from signing.keystore import KeyStore
from signing.master_key import create_master_key, load_master_key
from signing.merkle.checkpoint import Sm2Cosigner

KEY_NAME = "witness"
MASTER_KEY_FILE = "master.key"
TIMEOUT_S = 30.0


def add_commands(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(witness)
    app.command(name="witness-key")(witness_key)


def witness_key(
    name: Annotated[str, typer.Option(help="the witness's name, such as audit-office.example/witness")],
    state: Annotated[Path, typer.Option(help="folder of the witness's key and last head")],
) -> None:
    """Make the witness's key where there is none, and print its public half for the hub's administrator."""
    Console(highlight=False).print(
        open_cosigner(name, state).witness.verifier_key, markup=False, soft_wrap=True
    )


def witness(
    hub: Annotated[str, typer.Option(help="address of the hub")],
    name: Annotated[str, typer.Option(help="the witness's name")],
    state: Annotated[Path, typer.Option(help="folder of the witness's key and last head")],
    ca: Annotated[Path, typer.Option("--ca", exists=True, dir_okay=False, help="the hub's root certificate")],
    every: Annotated[float | None, typer.Option(min=1, help="go on, a round every so many seconds")] = None,
) -> None:
    """Cosign the hub's newest head if it continues the last one seen here.

    Code 1 where it does not: an alarm.
    """
    console = Console(highlight=False)
    with httpx.Client(base_url=hub, timeout=TIMEOUT_S) as client:
        duty = WitnessDuty(
            client=client,
            heads=load_log_keys(client, load_trust(ca)),
            cosigner=open_cosigner(name, state),
            state_dir=state,
        )
        while True:
            try:
                done = duty.run_once()
                console.print(f"cosigned {done.tree_size} leaves (before: {done.previous_size})")
            except Unavailable as trouble:
                if every is None:
                    raise
                console.print(trouble.detail, markup=False)
            if every is None:
                return
            time.sleep(every)


def open_cosigner(name: str, state: Path) -> Sm2Cosigner:
    """Load the witness's key, or make it; the folder's files are readable by their owner alone."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    master = state / MASTER_KEY_FILE
    key = load_master_key({}, master) if master.exists() else create_master_key(master)
    store = KeyStore(state / "keys", key)
    ids = store.key_ids(KEY_NAME)
    signer = store.load(ids[-1]) if ids else store.create(KEY_NAME)
    return Sm2Cosigner(name=name, signer=signer, clock=lambda: datetime.now(UTC))
