"""Checks of how a source follows its system: new, changed and deleted rows, odd values, lost connections."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from decimal import Decimal
from unittest import mock

from connectors.errors import ConnectorError
from connectors.kit.model import EXACT, FAR_DAYS, HOSTILE, HUGE, Failed, Row, Skipped
from connectors.kit.registry import source_check
from connectors.kit.trial import SourceTrial, play, require
from connectors.model import Operation, Reading

SAMPLE = tuple(Row(id=n, name=f"第{n}行", amount=Decimal(n)) for n in range(1, 1201))
MARK = "一个不该出现在日志里的值"


@source_check("empty", mend="yield nothing where there is nothing, and raise nothing")
def empty(trial: SourceTrial) -> None:
    """A source without rows yields none, and its schema can be asked for."""
    trial.staged()
    require(not trial.rows_after(), "an empty system yields rows")
    with trial.opened() as source:
        require(source.fetch_schema().names, "an empty system has no schema")


@source_check("rows-all", mend="read until the system has no more")
def rows_all(trial: SourceTrial) -> None:
    """Every row comes, with its values."""
    wanted = [
        Row(id=n, name=f"第{n}行", amount=Decimal(n), day=date(2026, 1, 1 + n % 28)) for n in range(500)
    ]
    trial.staged(*wanted)
    found = trial.rows_after()
    require(len(found) == len(wanted), f"{len(found)} of {len(wanted)} rows came")
    require(sorted(found, key=lambda row: row.id) == wanted, "rows came with other values")


@source_check("new-row", mend="let the cursor stand before whatever may still come")
def new_row(trial: SourceTrial) -> None:
    """A row that is added later comes with the next read."""
    stage = trial.staged(Row(id=5), Row(id=7))
    cursor = trial.last_cursor()
    stage.put([Row(id=6, name="新")])
    require(Row(id=6, name="新") in trial.rows_after(cursor), "a row that was added later never comes")


@source_check("changed-row", mend="choose a watermark that every change raises, or compare in full (diff)")
def changed_row(trial: SourceTrial) -> None:
    """A changed row comes again, as it is now."""
    stage = trial.staged(Row(id=5), Row(id=7))
    cursor = trial.last_cursor()
    stage.put([Row(id=5, name="改")])
    found = play(trial.read(cursor))
    require(5 in found, "a changed row never comes")
    require(found[5].name == "改", "a changed row comes as it was before")


@source_check("changed-alone", mend="read only what changed after the cursor")
def changed_alone(trial: SourceTrial) -> None:
    """Rows that did not change do not come again."""
    trial.require_incremental()
    stage = trial.staged(Row(id=5), Row(id=7))
    cursor = trial.last_cursor()
    stage.put([Row(id=5, name="改")])
    require(7 not in play(trial.read(cursor)), "rows come again that did not change")


@source_check("changed-twice", mend="yield the newest state of a row last")
def changed_twice(trial: SourceTrial) -> None:
    """Of a row that changed twice the last state wins."""
    stage = trial.staged(Row(id=5))
    cursor = trial.last_cursor()
    stage.put([Row(id=5, name="一")])
    stage.put([Row(id=5, name="二")])
    require(play(trial.read(cursor)).get(5) == Row(id=5, name="二"), "an older state of a row comes last")


@source_check("deleted-row", mend="yield DELETE for rows that are gone, or set capabilities.deletes to False")
def deleted_row(trial: SourceTrial) -> None:
    """A source that tells deletes tells them; one that reads in full leaves the row out."""
    stage = trial.staged(Row(id=5), Row(id=7))
    with trial.opened() as source:
        capabilities = source.capabilities
    cursor = trial.last_cursor()
    stage.remove([5])
    batches = trial.read(cursor)
    if capabilities.deletes:
        gone = [
            b for b in batches if b.operation is Operation.DELETE and 5 in map(int, b.rows["id"].to_pylist())
        ]
        require(gone, "a deleted row is not told, though capabilities.deletes says so")
    elif capabilities.reading is Reading.FULL:
        require(5 not in play(batches), "a deleted row still comes")
    else:
        msg = "the source tells no deletes; capabilities say so"
        raise Skipped(msg)


@source_check("null", mend="keep null apart from empty text and from zero")
def null(trial: SourceTrial) -> None:
    """Nulls stay nulls, and empty is not null."""
    wanted = [Row(id=1, name=None, amount=None, day=None), Row(id=2, amount=Decimal(0))]
    trial.staged(*wanted)
    require(sorted(trial.rows_after(), key=lambda row: row.id) == wanted, "nulls come as something else")


@source_check("hostile-text", mend="pass values as parameters or escape them; decode as UTF-8")
def hostile_text(trial: SourceTrial) -> None:
    """Text comes as it is, whatever it looks like."""
    trial.staged(*(Row(id=n, name=text) for n, text in enumerate(HOSTILE)))
    found = {row.id: row.name for row in trial.rows_after()}
    changed = [text for n, text in enumerate(HOSTILE) if found.get(n) != text]
    require(not changed, f"text came changed: {', '.join(map(ascii, changed))}")


@source_check("huge-row", mend="set no limit on the length of a value, or raise one that is there")
def huge_row(trial: SourceTrial) -> None:
    """A value of a mebibyte comes whole."""
    trial.staged(Row(id=1, name=HUGE), Row(id=2))
    found = {row.id: row.name for row in trial.rows_after()}
    require(
        found.get(1) == HUGE, f"a long value came with {len(found.get(1) or '')} of {len(HUGE)} characters"
    )
    require(2 in found, "the row after a long one is missing")


@source_check("numbers-exact", mend="read decimals as decimal or text, never as float")
def numbers_exact(trial: SourceTrial) -> None:
    """Decimals keep every digit."""
    trial.staged(*(Row(id=n, amount=amount) for n, amount in enumerate(EXACT)))
    found = {row.id: row.amount for row in trial.rows_after()}
    changed = [str(amount) for n, amount in enumerate(EXACT) if found.get(n) != amount]
    require(not changed, f"amounts came changed: {', '.join(changed)}")


@source_check("days-far", mend="read days as date32 or text, not as nanoseconds since 1970")
def days_far(trial: SourceTrial) -> None:
    """Days from the year 1 to 9999 come as they are."""
    trial.staged(*(Row(id=n, day=day) for n, day in enumerate(FAR_DAYS)))
    found = {row.id: row.day for row in trial.rows_after()}
    changed = [str(day) for n, day in enumerate(FAR_DAYS) if found.get(n) != day]
    require(not changed, f"days came changed: {', '.join(changed)}")


@source_check("many-in-one-tick", mend="tell rows of one watermark apart by their key, in order and cursor")
def many_in_one_tick(trial: SourceTrial) -> None:
    """Rows that were put at once all come, over every boundary of batches."""
    trial.staged(*(Row(id=n) for n in range(1000)))
    batches = trial.read()
    for batch in batches[:5]:
        behind = batches[batches.index(batch) + 1 :]
        if batch.cursor is not None:
            with trial.opened() as source:
                if source.capabilities.reading is Reading.FULL:
                    break
            require(
                play(trial.read(batch.cursor)) == play(behind), "rows of one moment are lost or come twice"
            )
    require(len(play(batches)) == 1000, f"{len(play(batches))} of 1000 rows came")


@source_check("connection-lost", mend="raise TransientError where the system cannot be reached")
def connection_lost(trial: SourceTrial) -> None:
    """A system that is away raises what makes the runner wait; afterwards reading goes on."""
    with _cut(trial):
        try:
            trial.read()
        except ConnectorError as trouble:
            require(trouble.is_transient, f"a lost connection raises {type(trouble).__name__}: {trouble}")
        except Exception as trouble:
            msg = f"a lost connection raises {type(trouble).__name__}, not TransientError"
            raise Failed(msg) from trouble
        else:
            msg = "a system that is away yields an empty read: its rows would count as deleted"
            raise Failed(msg)
    require(trial.rows_after(), "after the connection came back nothing is read")


@source_check("secrets-kept", mend="do not put the options or the system's words into errors")
def secrets_kept(trial: SourceTrial) -> None:
    """Errors hold neither secrets nor values of rows."""
    with trial.opened() as source:
        options = getattr(source, "_options", None)
    secrets = (
        [v.get_secret_value() for v in vars(options).values() if hasattr(v, "get_secret_value")]
        if options
        else []
    )
    said = []
    with _cut(trial):
        try:
            trial.read()
        except Exception as trouble:
            said.append(f"{trouble} {trouble!r} {trouble.__cause__ if trouble.__suppress_context__ else ''}")
    told = [secret for secret in [*secrets, MARK] if secret and any(secret in words for words in said)]
    require(not told, "an error tells a secret or a value")


@contextmanager
def _cut(trial: SourceTrial) -> Iterator[None]:
    stage = trial.staged(Row(id=1, name=MARK))
    trial.rows_after()
    stage.cut()
    try:
        yield
    finally:
        stage.restore()


@source_check(
    "clock-change", mend="take times from the system that is read, not from the clock of this machine"
)
def clock_change(trial: SourceTrial) -> None:
    """With the clock of this machine a year ahead or behind the same rows come."""
    stage = trial.staged(Row(id=1))
    cursor = trial.last_cursor()
    stage.put([Row(id=2), Row(id=3)])
    wanted = play(trial.read(cursor))
    for shift_s in (-365 * 86_400, 365 * 86_400):
        real = time.time
        with mock.patch("time.time", lambda shift=shift_s, real=real: real() + shift):
            require(play(trial.read(cursor)) == wanted, "the clock of this machine decides which rows come")


@source_check("log-clean", mend="log names and counts, never rows")
def log_clean(trial: SourceTrial) -> None:
    """No value of a row reaches the log, at whatever level."""
    trial.staged(Row(id=1, name=MARK))
    heard: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(record.getMessage())

    root, listener = logging.getLogger(), Listener(level=0)
    level = root.level
    root.addHandler(listener)
    root.setLevel(1)
    try:
        trial.read()
    finally:
        root.removeHandler(listener)
        root.setLevel(level)
    require(not any(MARK in line for line in heard), "the value of a row stands in the log")
