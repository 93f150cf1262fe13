"""Checks of what a source is and yields, on whatever it reads: options, schema, batches, cursors."""

from __future__ import annotations

import io
import re
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from itertools import pairwise

import pyarrow as pa
from pydantic import SecretStr, ValidationError

from connectors.errors import TerminalError
from connectors.kit.model import Failed, Skipped
from connectors.kit.registry import source_check
from connectors.kit.trial import SourceTrial, count_rows, is_plain, require, through_json
from connectors.model import Operation, Reading
from connectors.runner.keys import write_keys

MAX_BATCH_ROWS = 1_000_000
MAX_BATCH_BYTES = 256 * 1024 * 1024
MAX_CURSOR_CHARACTERS = 64 * 1024
MAX_CURSORS_TRIED = 12
SECRET_NAMES = re.compile(r"password|passwd|secret|token|private_key|api_?key|dsn")


@source_check("options-strict", mend="derive options_model from connectors.options.Options")
def options_strict(trial: SourceTrial) -> None:
    """An option that does not exist is refused."""
    with trial.opened() as source:
        model = source.options_model
    try:
        model.model_validate({"no-such-option-at-all": 1})
    except ValidationError as refused:
        found = {str(error["loc"][0]) for error in refused.errors() if error["loc"]}
        require("no-such-option-at-all" in found, "an option that does not exist is taken in silence")
        return
    msg = "an option that does not exist is taken in silence"
    raise Failed(msg)


@source_check("options-secret", mend="give options that hold secrets the type pydantic.SecretStr")
def options_secret(trial: SourceTrial) -> None:
    """Options whose names speak of secrets are of the type that hides them."""
    with trial.opened() as source:
        fields = source.options_model.model_fields
    shown = [n for n, f in fields.items() if SECRET_NAMES.search(n) and "SecretStr" not in str(f.annotation)]
    require(not shown, f"{', '.join(shown)} would be shown in logs; {SecretStr.__name__} is not")


@source_check("capabilities-steady", mend="derive capabilities from the options alone")
def capabilities_steady(trial: SourceTrial) -> None:
    """Two sources of the same options say the same of themselves."""
    with trial.opened() as first, trial.opened() as second:
        require(first.capabilities == second.capabilities, "two instances differ in their capabilities")


@source_check("schema-columns", mend="let fetch_schema return at least one column, each name once")
def schema_columns(trial: SourceTrial) -> None:
    """The schema has columns with names of their own."""
    with trial.opened() as source:
        names = source.fetch_schema().names
    require(names, "there are no columns")
    twice = [name for name, count in Counter(names).items() if count > 1 or not name]
    require(not twice, f"columns without a name of their own: {twice}")


@source_check("schema-steady", mend="ask the system for its columns each time, and do not change them")
def schema_steady(trial: SourceTrial) -> None:
    """Asking twice, and two sources, give one schema."""
    with trial.opened() as first, trial.opened() as second:
        found = first.fetch_schema()
        require(found.equals(first.fetch_schema()), "asking twice gives two schemas")
        require(found.equals(second.fetch_schema()), "two instances give two schemas")


@source_check("schema-types", mend="yield numbers, text, bytes, booleans, date32, timestamps or decimals")
def schema_types(trial: SourceTrial) -> None:
    """Types are those that every sink takes."""
    with trial.opened() as source:
        odd = [f"{field.name} ({field.type})" for field in source.fetch_schema() if not is_plain(field.type)]
    require(not odd, f"no sink takes {', '.join(odd)}")


@source_check("schema-key", mend="name in capabilities.key only columns of fetch_schema")
def schema_key(trial: SourceTrial) -> None:
    """The key that the source names is among its columns."""
    with trial.opened() as source:
        missing = set(source.capabilities.key) - set(source.fetch_schema().names)
        require(not missing, f"the key names {missing}, which are no columns")
        require(
            source.capabilities.key or not source.capabilities.repeats, "a source that repeats needs a key"
        )


@source_check("batch-schema", mend="build every batch with the schema that fetch_schema returns")
def batch_schema(trial: SourceTrial) -> None:
    """Batches have the schema that was told; deletes may have fewer columns."""
    with trial.opened() as source:
        schema = source.fetch_schema()
    for batch in trial.sample():
        if batch.operation is Operation.DELETE:
            require(set(batch.rows.schema) <= set(schema), "a batch of deletes has columns of its own")
        else:
            require(batch.rows.schema.equals(schema), f"a batch has the schema {batch.rows.schema}")


@source_check("batch-valid", mend="build arrays with pyarrow, from values of the column's type")
def batch_valid(trial: SourceTrial) -> None:
    """Arrow finds the batches sound, text included."""
    for batch in trial.sample():
        try:
            batch.rows.validate(full=True)
        except ValueError as trouble:
            msg = f"Arrow says: {trouble}"
            raise Failed(msg) from None


@source_check("batch-size", mend="fetch some thousand rows at a time")
def batch_size(trial: SourceTrial) -> None:
    """No batch is so large that memory is not bounded."""
    for batch in trial.sample():
        require(batch.rows.num_rows <= MAX_BATCH_ROWS, f"a batch has {batch.rows.num_rows} rows")
        require(batch.rows.nbytes <= MAX_BATCH_BYTES, f"a batch has {batch.rows.nbytes} bytes")


@source_check("key-complete", mend="leave rows without a key out in a query, or choose another key")
def key_complete(trial: SourceTrial) -> None:
    """No row lacks a value of its key."""
    for key, batch in _keyed(trial):
        lacking = [name for name in key if batch.column(name).null_count]
        require(not lacking, f"{', '.join(lacking)} of the key are null in some rows")


@source_check("key-unique", mend="name all columns of the key, or set capabilities.repeats")
def key_unique(trial: SourceTrial) -> None:
    """One read yields a row once, unless the source says that it repeats."""
    with trial.opened() as source:
        if source.capabilities.repeats:
            msg = "the source repeats rows"
            raise Skipped(msg)
    seen: set[str] = set()
    for key, batch in _keyed(trial):
        if any(batch.column(name).null_count for name in key):
            continue
        keys = write_keys(batch, key)
        require(len(set(keys)) == len(keys) and seen.isdisjoint(keys), "one read yields a key twice")
        seen.update(keys)


def _keyed(trial: SourceTrial) -> list[tuple[tuple[str, ...], pa.RecordBatch]]:
    with trial.opened() as source:
        key = source.capabilities.key
    if not key:
        msg = "the source names no key"
        raise Skipped(msg)
    batches = [batch.rows for batch in trial.sample()]
    return [(key, rows) for rows in batches if set(key) <= set(rows.schema.names)]


@source_check(
    "cursor-json", mend="make cursors of text, numbers, lists and objects; connectors.cursors helps"
)
def cursor_json(trial: SourceTrial) -> None:
    """Cursors are what JSON holds, unchanged."""
    for batch in trial.sample():
        if batch.cursor is not None:
            require(through_json(batch.cursor) == batch.cursor, "a cursor comes back changed from JSON")


@source_check("cursor-small", mend="keep a place in the cursor, not what was read")
def cursor_small(trial: SourceTrial) -> None:
    """Cursors stay small."""
    longest = max(len(str(batch.cursor)) for batch in trial.sample())
    require(longest <= MAX_CURSOR_CHARACTERS, f"a cursor has {longest} characters")


@source_check("cursor-last", mend="give the last batch of each read a cursor")
def cursor_last(trial: SourceTrial) -> None:
    """An incremental read ends with a cursor."""
    trial.require_incremental()
    require(trial.sample()[-1].cursor is not None, "the last batch has no cursor; its rows would never leave")


@source_check("cursor-advances", mend="put into the cursor what tells its batch from the one before")
def cursor_advances(trial: SourceTrial) -> None:
    """Each cursor differs from the one before."""
    trial.require_incremental()
    cursors = [batch.cursor for batch in trial.sample() if batch.cursor is not None and batch.rows.num_rows]
    require(all(a != b for a, b in pairwise(cursors)), "two batches with rows have one cursor")


@source_check("cursor-restart", mend="order rows by what the cursor holds, and read strictly after it")
def cursor_restart(trial: SourceTrial) -> None:
    """Going on from any cursor yields exactly the rows behind it: none lost, none twice."""
    trial.require_incremental()
    batches = trial.sample()
    step = max(1, len(batches) // MAX_CURSORS_TRIED)
    for place in range(0, len(batches), step):
        cursor = batches[place].cursor
        if cursor is None:
            continue
        rest = count_rows(trial.read(through_json(cursor)))
        wanted = count_rows(batches[place + 1 :])
        lost, extra = sum((wanted - rest).values()), sum((rest - wanted).values())
        require(not lost, f"after the cursor of batch {place} {lost} rows are lost")
        require(not extra, f"after the cursor of batch {place} {extra} rows come twice")


@source_check("cursor-caught-up", mend="read strictly after the cursor")
def cursor_caught_up(trial: SourceTrial) -> None:
    """After the last cursor nothing comes."""
    trial.require_incremental()
    again = trial.read(trial.sample()[-1].cursor)
    rows = sum(batch.rows.num_rows for batch in again)
    require(not rows, f"{rows} rows come again each time, though nothing changed")


@source_check("cursor-foreign", mend="raise TerminalError for a cursor that this source did not make")
def cursor_foreign(trial: SourceTrial) -> None:
    """A cursor of something else is refused with a sentence."""
    trial.require_incremental()
    for foreign in ({}, {"of": "another"}, {"after": "x"}, {"after": [["integer", "x"]]}):
        try:
            trial.read(foreign)
        except TerminalError:
            continue
        except Exception as trouble:
            msg = f"the cursor {foreign} of another source raises {type(trouble).__name__}"
            raise Failed(msg) from trouble
        msg = f"the cursor {foreign} of another source is taken in silence"
        raise Failed(msg)


@source_check("cursor-untouched", mend="do not change the cursor that read is given")
def cursor_untouched(trial: SourceTrial) -> None:
    """The cursor that is handed in stays as it is."""
    cursors = [batch.cursor for batch in trial.sample() if batch.cursor is not None]
    if not cursors:
        msg = "there are no cursors"
        raise Skipped(msg)
    given = deepcopy(dict(cursors[0]))
    trial.read(given)
    require(given == cursors[0], "reading changed the cursor it was given")


@source_check("read-repeatable", mend="do not keep a place between reads, nor take rows away by reading")
def read_repeatable(trial: SourceTrial) -> None:
    """Two reads from the start yield the same rows, also of one instance."""
    first = count_rows(trial.sample())
    require(first == count_rows(trial.read()), "a second instance reads other rows")
    with trial.opened() as source:
        list(source.read(None))
        second = count_rows(list(source.read(None)))
    require(first == second, "a second read of one instance yields other rows")


@source_check("read-left-midway", mend="let go of what a read holds in finally, and begin each read anew")
def read_left_midway(trial: SourceTrial) -> None:
    """A read that is left midway harms no later one."""
    wanted = count_rows(trial.sample())
    with trial.opened() as source:
        begun = iter(source.read(None))
        next(begun, None)
        closing = getattr(begun, "close", None)
        if closing is not None:
            closing()
        require(
            count_rows(list(source.read(None))) == wanted,
            "after a read that was left midway rows are missing",
        )


@source_check("close-twice", mend="let close do nothing where nothing is open")
def close_twice(trial: SourceTrial) -> None:
    """A source may be closed twice, also one that never read."""
    for reads in (False, True):
        source = trial.make()
        if reads:
            next(iter(source.read(None)), None)
        source.close()
        source.close()


@source_check("acknowledge-harmless", mend="let acknowledge change nothing for what comes after the cursor")
def acknowledge_harmless(trial: SourceTrial) -> None:
    """Acknowledging twice raises nothing and loses nothing behind the cursor."""
    batches = trial.sample()
    with trial.opened() as source:
        if not source.capabilities.acknowledges:
            msg = "the source has nothing to acknowledge"
            raise Skipped(msg)
        cursor = next((batch.cursor for batch in batches if batch.cursor is not None), None)
        require(cursor is not None, "there is no cursor to acknowledge")
        place = next(n for n, batch in enumerate(batches) if batch.cursor is not None)
        for _ in range(2):
            source.acknowledge(cursor or {})
    rest = count_rows(trial.read(cursor))
    require(rest == count_rows(batches[place + 1 :]), "acknowledging changed what comes after the cursor")


@source_check("quiet", mend="print nothing; the runner tells what is going on")
def quiet(trial: SourceTrial) -> None:
    """Nothing is printed: rows and secrets would stand in the log of the service."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        trial.read()
    require(not said.getvalue(), f"reading printed {len(said.getvalue())} characters")


@source_check("reading-honest", mend="set capabilities.reading to what read does with a cursor")
def reading_honest(trial: SourceTrial) -> None:
    """A source that says it reads in full yields everything whatever the cursor."""
    batches = trial.sample()
    with trial.opened() as source:
        if source.capabilities.reading is not Reading.FULL:
            msg = "the source reads by cursor"
            raise Skipped(msg)
        again = count_rows(list(source.read(batches[0].cursor)))
    require(again == count_rows(batches), "with a cursor fewer rows come; that is INCREMENTAL")
