"""The second half of the self-check: the queue, what lies outside the tree, and the tables beside it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from core.database import Connection
from core.log import store_check
from core.log.check_tree import check_leaf
from core.log.findings import Findings
from core.log.heads import HeadVerifier, verify_cosignature
from core.log.model import Event
from core.log.time_stamps import TimeStampTrust
from signing import sm3
from signing.errors import ShuzhengError

_RECORDED = (
    Event.WITNESS_REGISTERED,
    Event.WITNESS_RETIRED,
    Event.CHECKPOINT_COSIGNED,
    Event.CHECKPOINT_TIME_STAMPED,
    Event.PAYLOADS_DROPPED,
)


async def check_queue(connection: Connection, *, heads: HeadVerifier, findings: Findings) -> int:
    """Check leaves without a place, and the queue; return how many leaves wait."""
    unplaced = await store_check.load_unplaced(connection)
    for row in unplaced:
        check_leaf(row, suite=heads.suite, findings=findings)
        if row["queued"] is None:
            findings.add("log_leaf", f"id={row['id']}", "the leaf is neither in the tree nor in the queue")
        elif row["queued_at"] != row["recorded_at"]:
            findings.add("log_pending", f"leaf_id={row['id']}", "recorded_at is not that of the leaf")
    for row in await store_check.load_stray_pending(connection):
        problem = "its leaf is in the tree already" if row["is_there"] else "there is no such leaf"
        findings.add("log_pending", f"leaf_id={row['leaf_id']}", problem)
    return len(unplaced)


async def check_outside(connection: Connection, *, tree_size: int, findings: Findings) -> None:
    """Find rows of chains and drops that point at nothing."""
    for row in await store_check.load_stray_links(connection, tree_size=tree_size):
        where = f"subject_hmac={row['subject_hmac'].hex()} number={row['number']}"
        findings.add("log_chain", where, f"there is no leaf {row['leaf_index']} in the tree")
    for row in await store_check.load_stray_drops(connection, tree_size=tree_size):
        problem = "there is no such leaf" if row["still_there"] is None else "the leaf is still there"
        findings.add("log_drop", f"leaf_index={row['leaf_index']}", problem)


async def check_beside(
    connection: Connection, *, heads: HeadVerifier, trust: TimeStampTrust | None, findings: Findings
) -> None:
    """Compare witnesses, cosignatures, time stamps and drops with the leaves that record them."""
    recorded: dict[str, list[tuple[UUID, Mapping[str, Any]]]] = {str(event): [] for event in _RECORDED}
    for leaf_id, body in await store_check.load_bodies_of_events(connection, events=list(recorded)):
        members = _read(body)
        if members.get("event") in recorded:
            recorded[members["event"]].append((leaf_id, members.get("details", {})))
    witnesses = await store_check.load_rows(connection, table="log_witness")
    _check_witnesses(
        witnesses,
        registered=[details for _, details in recorded[Event.WITNESS_REGISTERED]],
        retired=[details for _, details in recorded[Event.WITNESS_RETIRED]],
        findings=findings,
    )
    notes = await _load_notes(connection)
    await _check_cosignatures(
        connection,
        heads=heads,
        notes=notes,
        keys={row["name"]: row["verifier_key"] for row in witnesses},
        recorded=[details for _, details in recorded[Event.CHECKPOINT_COSIGNED]],
        findings=findings,
    )
    await _check_time_stamps(
        connection,
        notes=notes,
        trust=trust,
        recorded=[details for _, details in recorded[Event.CHECKPOINT_TIME_STAMPED]],
        findings=findings,
    )
    await _check_drops(connection, acts=dict(recorded[Event.PAYLOADS_DROPPED]), findings=findings)


def _read(body: str) -> dict[str, Any]:
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


async def _load_notes(connection: Connection) -> dict[int, str]:
    rows = await store_check.load_vouched_checkpoints(connection)
    return {row.tree_size: row.note for row in rows}


def _check_witnesses(
    rows: Sequence[asyncpg.Record],
    *,
    registered: Iterable[Mapping[str, Any]],
    retired: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> None:
    keys = {each["witness"]: each["key"] for each in registered}
    gone = {each["witness"] for each in retired}
    for row in rows:
        where = f"name={row['name']}"
        if keys.pop(row["name"], None) != row["verifier_key"]:
            findings.add("log_witness", where, "no leaf records that name with that verifier_key")
        elif row["is_retired"] != (row["name"] in gone):
            findings.add("log_witness", where, "is_retired is not what the leaves record")
    for name in keys:
        findings.add("log_witness", f"name={name}", "the witness is missing")


async def _check_cosignatures(
    connection: Connection,
    *,
    heads: HeadVerifier,
    notes: Mapping[int, str],
    keys: Mapping[str, str],
    recorded: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> None:
    expected = {(each["tree_size"], each["witness"]): each["signature_sm3"] for each in recorded}
    for row in await store_check.load_rows(connection, table="log_cosignature"):
        size, witness = row["tree_size"], row["witness"]
        where = f"tree_size={size} witness={witness}"
        if expected.pop((size, witness), None) != sm3.digest(row["line"].encode()).hex():
            findings.add("log_cosignature", where, "no leaf records this line for this head and witness")
        elif size in notes and witness in keys:
            try:
                verify_cosignature(notes[size], row["line"], witness_key=keys[witness], heads=heads)
            except ShuzhengError as wrong:
                findings.add("log_cosignature", where, f"line: {wrong.detail}")
    for size, witness in expected:
        where = f"tree_size={size} witness={witness}"
        findings.add("log_cosignature", where, "the cosignature is missing")


async def _check_time_stamps(
    connection: Connection,
    *,
    notes: Mapping[int, str],
    trust: TimeStampTrust | None,
    recorded: Iterable[Mapping[str, Any]],
    findings: Findings,
) -> None:
    expected = {each["tree_size"]: each["token_sm3"] for each in recorded}
    for row in await store_check.load_rows(connection, table="log_time_stamp"):
        size = row["tree_size"]
        if expected.pop(size, None) != sm3.digest(row["token"]).hex():
            findings.add("log_time_stamp", f"tree_size={size}", "no leaf records this token for this head")
        elif size in notes and trust is not None:
            try:
                trust.verify(row["token"], note=notes[size])
            except ShuzhengError as wrong:
                findings.add("log_time_stamp", f"tree_size={size}", f"token: {wrong.detail}")
    for size in expected:
        findings.add("log_time_stamp", f"tree_size={size}", "the time stamp is missing")


async def _check_drops(
    connection: Connection, *, acts: Mapping[UUID, Mapping[str, Any]], findings: Findings
) -> None:
    for act in await store_check.load_drop_acts(connection):
        if act not in acts:
            findings.add("log_drop", f"dropped_with={act}", "no leaf records this retention act")
    for act, details in acts.items():
        rows = await store_check.load_dropped(connection, dropped_with=act)
        if build_drop_digest(rows) != details.get("sm3"):
            where = f"dropped_with={act}"
            findings.add("log_drop", where, "the dropped leaves or their chains are not those on record")


def build_drop_digest(rows: Iterable[asyncpg.Record]) -> str:
    """Digest what a retention act dropped: index, leaf id and place in a chain, a line each; SM3 in hex."""
    lines = (
        f"{row['leaf_index']} {row['leaf_id']} "
        + ("-" if row["subject_hmac"] is None else f"{row['subject_hmac'].hex()} {row['number']}")
        for row in rows
    )
    return sm3.digest("\n".join(lines).encode()).hex()
