"""Checks of a sink: whole parcels, once each, with an answer for every row."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout
from datetime import date
from decimal import Decimal

import pyarrow as pa
from pydantic import ValidationError

from connectors.errors import ConnectorError
from connectors.kit.model import EXACT, HOSTILE, HUGE, Failed, Row
from connectors.kit.registry import sink_check
from connectors.kit.sink_trial import SCHEMA, SinkTrial
from connectors.kit.source_shape import SECRET_NAMES
from connectors.kit.trial import require
from connectors.model import Operation, Parcel


@sink_check(
    "sink-options", mend="derive options_model from connectors.options.Options; SecretStr for secrets"
)
def sink_options(trial: SinkTrial) -> None:
    """An option that does not exist is refused, and secrets are of the type that hides them."""
    with trial.opened() as sink:
        model = sink.options_model
    try:
        model.model_validate({"no-such-option-at-all": 1})
    except ValidationError as refused:
        found = {str(error["loc"][0]) for error in refused.errors() if error["loc"]}
        require("no-such-option-at-all" in found, "an option that does not exist is taken in silence")
    shown = [
        name
        for name, held in model.model_fields.items()
        if SECRET_NAMES.search(name) and "SecretStr" not in str(held.annotation)
    ]
    require(not shown, f"{', '.join(shown)} would be shown in logs")


@sink_check("sink-capabilities", mend="derive capabilities from the options; take UPSERT at least")
def sink_capabilities(trial: SinkTrial) -> None:
    """Two sinks of the same options say the same, and take something."""
    with trial.opened() as first, trial.opened() as second:
        require(first.capabilities == second.capabilities, "two instances differ in their capabilities")
        require(first.capabilities.operations, "the sink takes no operation")


@sink_check("sink-rows", mend="write every batch of the parcel")
def sink_rows(trial: SinkTrial) -> None:
    """Every row of a parcel of several batches arrives with its values."""
    trial.staged()
    rows = [
        Row(id=n, name=f"第{n}行", amount=Decimal(n), day=date(2026, 1, 1 + n % 28)) for n in range(1, 1801)
    ]
    trial.write(rows)
    require(trial.read() == rows, f"{len(trial.read())} rows arrived, or with other values, of {len(rows)}")


@sink_check("sink-receipt", mend="count every row of the parcel as accepted or rejected")
def sink_receipt(trial: SinkTrial) -> None:
    """The receipt accounts for every row."""
    trial.staged()
    receipt = trial.write([Row(id=n) for n in range(1, 8)])
    require(receipt.accepted + receipt.rejected == 7, f"{receipt.accepted} + {receipt.rejected} is not 7")
    require(not receipt.rejected, "sound rows are rejected")


@sink_check("sink-repeat", mend="keep the parcel's key with its effect in one transaction")
def sink_repeat(trial: SinkTrial) -> None:
    """The same parcel again, by another instance, gives the first answer and changes nothing."""
    trial.staged()
    first = trial.parcel([Row(id=1, name="一")])
    with trial.opened() as sink:
        answer = sink.write(first)
    trial.write([Row(id=1, name="二")])
    with trial.opened() as sink:
        again = sink.write(first)
    require(trial.read() == [Row(id=1, name="二")], "a parcel that comes again overwrites newer rows")
    require(again == answer, "a parcel that comes again gets another answer")


@sink_check("sink-change", mend="merge by key")
def sink_change(trial: SinkTrial) -> None:
    """A row of a known key replaces the old one, nulls included."""
    trial.staged()
    trial.write([Row(id=1), Row(id=2)])
    trial.write([Row(id=1, name=None, amount=None, day=None)])
    require(
        trial.read() == [Row(id=1, name=None, amount=None, day=None), Row(id=2)], "the row was not replaced"
    )


@sink_check("sink-delete", mend="delete by key; columns beyond the key may be missing")
def sink_delete(trial: SinkTrial) -> None:
    """Deletes take rows away by their key alone; one that is not there harms nothing."""
    trial.require_operation(Operation.DELETE)
    trial.staged()
    trial.write([Row(id=1), Row(id=2), Row(id=3)])
    keys = pa.schema([SCHEMA.field("id")])
    with trial.opened() as sink:
        receipt = sink.write(trial.parcel([Row(id=1), Row(id=3)], Operation.DELETE, schema=keys))
        require(receipt.accepted == 2, f"{receipt.accepted} of 2 deletes were accepted")
        sink.write(trial.parcel([Row(id=1)], Operation.DELETE, schema=keys))
    require(trial.read() == [Row(id=2)], "other rows are there than should be")


@sink_check("sink-back-again", mend="let a later parcel bring back what an earlier one deleted")
def sink_back_again(trial: SinkTrial) -> None:
    """A deleted row comes back by a later upsert."""
    trial.require_operation(Operation.DELETE)
    trial.staged()
    for operation in (Operation.UPSERT, Operation.DELETE, Operation.UPSERT):
        trial.write([Row(id=1)], operation)
    require(trial.read() == [Row(id=1)], "the row is not back")


@sink_check("sink-snapshot", mend="delete what a snapshot does not hold, in the same transaction")
def sink_snapshot(trial: SinkTrial) -> None:
    """After a snapshot exactly its rows are there."""
    trial.require_operation(Operation.SNAPSHOT)
    trial.staged()
    trial.write([Row(id=n) for n in range(1, 21)])
    trial.write([Row(id=n, name="新") for n in range(2, 22)], Operation.SNAPSHOT)
    require(trial.read() == [Row(id=n, name="新") for n in range(2, 22)], "a snapshot leaves other rows")


@sink_check("sink-hostile-text", mend="pass values as parameters or escape them; write UTF-8")
def sink_hostile_text(trial: SinkTrial) -> None:
    """Text arrives as it is, whatever it looks like."""
    trial.staged()
    rows = [Row(id=n, name=text) for n, text in enumerate(HOSTILE, start=1)]
    trial.write(rows)
    changed = [ascii(row.name) for row in rows if row not in trial.read()]
    require(not changed, f"text arrived changed: {', '.join(changed)}")


@sink_check("sink-huge-row", mend="set no limit on the length of a value")
def sink_huge_row(trial: SinkTrial) -> None:
    """A value of a mebibyte arrives whole, or is counted as rejected."""
    trial.staged()
    receipt = trial.write([Row(id=1, name=HUGE), Row(id=2)])
    whole = Row(id=1, name=HUGE) in trial.read()
    require(whole or receipt.rejected == 1, "a long value arrived cut, or not at all, and nobody says so")
    require(Row(id=2) in trial.read(), "the row after a long one is missing")


@sink_check("sink-numbers-exact", mend="write decimals as decimals, never as float")
def sink_numbers_exact(trial: SinkTrial) -> None:
    """Decimals keep every digit."""
    trial.staged()
    rows = [Row(id=n, amount=amount) for n, amount in enumerate(EXACT, start=1)]
    trial.write(rows)
    require(trial.read() == rows, "amounts arrived changed")


@sink_check("sink-empty", mend="answer a parcel without rows with 0 accepted")
def sink_empty(trial: SinkTrial) -> None:
    """A parcel without rows is answered and changes nothing."""
    trial.staged()
    trial.write([Row(id=1)])
    receipt = trial.write([])
    require(receipt.accepted == receipt.rejected == 0, "a parcel without rows has accepted or rejected ones")
    require(trial.read() == [Row(id=1)], "a parcel without rows changed something")


@sink_check("sink-whole-or-nothing", mend="write a parcel in one transaction, or beside and rename")
def sink_whole_or_nothing(trial: SinkTrial) -> None:
    """A parcel whose file ends too soon is not taken, and leaves nothing."""
    trial.staged()
    trial.write([Row(id=1)])
    whole = trial.parcel([Row(id=n) for n in range(2, 3000)])
    with whole.path.open("r+b") as opened:
        opened.truncate(whole.size_bytes // 2)
    try:
        with trial.opened() as sink:
            sink.write(whole)
    except Exception:
        require(trial.read() == [Row(id=1)], "half a parcel was left behind")
        return
    msg = "half a parcel is taken for a whole one"
    raise Failed(msg)


@sink_check("sink-connection-lost", mend="raise TransientError where the system cannot be reached")
def sink_connection_lost(trial: SinkTrial) -> None:
    """A system that is away makes the runner wait, and the same parcel is taken afterwards."""
    stage = trial.staged()
    parcel = trial.parcel([Row(id=1)])
    stage.cut()
    try:
        _require_transient(trial, parcel)
    finally:
        stage.restore()
    with trial.opened() as sink:
        sink.write(parcel)
    require(trial.read() == [Row(id=1)], "after the connection came back the parcel is not written")


def _require_transient(trial: SinkTrial, parcel: Parcel) -> None:
    try:
        with trial.opened() as sink:
            sink.write(parcel)
    except ConnectorError as trouble:
        require(trouble.is_transient, f"a lost connection raises {type(trouble).__name__}: {trouble}")
    except Exception as trouble:
        msg = f"a lost connection raises {type(trouble).__name__}, not TransientError"
        raise Failed(msg) from trouble
    else:
        msg = "a system that is away takes a parcel"
        raise Failed(msg)


@sink_check("sink-close-twice", mend="let close do nothing where nothing is open")
def sink_close_twice(trial: SinkTrial) -> None:
    """A sink may be closed twice, also one that never wrote."""
    sink = trial.make()
    sink.close()
    sink.close()


@sink_check("sink-quiet", mend="print nothing; the runner tells what is going on")
def sink_quiet(trial: SinkTrial) -> None:
    """Nothing is printed."""
    trial.staged()
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        trial.write([Row(id=1)])
    require(not said.getvalue(), f"writing printed {len(said.getvalue())} characters")
