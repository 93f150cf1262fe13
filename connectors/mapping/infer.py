"""Proposes a mapping from a sample of rows, and says how sure it is of each column."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from connectors.errors import ConfigurationError
from connectors.mapping.code_lists import Translation, match_codes
from connectors.mapping.convert import convert, to_text
from connectors.mapping.formats import Format, Kind, fits, parse_format

Z: Final = 1.96  # of a confidence of 95 %
LIKELY: Final = 0.6
MAX_CODES: Final = 20
MAX_TRANSLATED: Final = 500
_TIMES: Final = ("YYYYMMDD", "YYYYMMDDhhmmss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An item of the resource that rows are for. `codes` is its code list: code → title."""

    name: str
    title: str = ""
    format: str = ""
    is_key: bool = False
    codes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What is proposed for a column. `sure` lies between 0 and 1, `why` says what it stands on.

    `translations` are those of the codes that were seen; none where every one is a code of the item as it is.
    """

    column: str
    to: str | None
    format: str
    sure: float
    why: str
    values: int
    distinct: int
    codes: tuple[str, ...] = ()
    translations: tuple[Translation, ...] = ()


def infer_mapping(rows: pa.Table, targets: Sequence[Target] = ()) -> list[Guess]:
    """Propose a format for each column, and an item where targets are given; each item at most once."""
    formats = {name: _infer_format(rows.column(name).combine_chunks(), name) for name in rows.column_names}
    if not targets:
        return [
            _guess(rows, name, name, form, sure=sure, why="its values")
            for name, (form, sure) in formats.items()
        ]
    scored = sorted(
        (
            (
                _likeness(name, target),
                _fitting(rows.column(name).combine_chunks(), target, name),
                name,
                target,
            )
            for name in rows.column_names
            for target in targets
        ),
        key=lambda entry: (entry[0] * (0.5 + entry[1] / 2), entry[1]),
        reverse=True,
    )
    taken: dict[str, Guess] = {}
    used: set[str] = set()
    for likeness, fitting, name, target in scored:
        if name in taken or target.name in used or likeness < LIKELY:
            continue
        used.add(target.name)
        why = f"its name ({likeness:.0%} alike), and {fitting:.0%} at least of its values fit"
        form = target.format or _code_format(target) or formats[name][0]
        guess = _guess(rows, name, target.name, form, sure=likeness * fitting, why=why)
        taken[name] = replace(guess, translations=_translate(rows.column(name), target, name))
    return [
        taken.get(name) or _guess(rows, name, None, form, sure=0.0, why="no item is like it")
        for name, (form, sure) in formats.items()
    ]


def _code_format(target: Target) -> str:
    return f"C..{max(map(len, target.codes))}" if target.codes else ""


def _guess(rows: pa.Table, name: str, to: str | None, form: str, *, sure: float, why: str) -> Guess:
    values = _texts(rows.column(name).combine_chunks(), None, name).drop_null()
    distinct = values.unique()
    few = len(distinct) <= MAX_CODES and len(values) >= 5 * len(distinct)
    return Guess(
        column=name,
        to=to,
        format=form,
        sure=round(sure, 2),
        why=why,
        values=len(values),
        distinct=len(distinct),
        codes=tuple(sorted(distinct.to_pylist())) if few else (),
    )


def _translate(column: pa.ChunkedArray, target: Target, name: str) -> tuple[Translation, ...]:
    """Propose a translation of codes; none where the column holds the item's own codes, or too many."""
    seen = sorted(_texts(column.combine_chunks(), None, name).drop_null().unique().to_pylist())
    if not target.codes or len(seen) > MAX_TRANSLATED or set(seen) <= set(target.codes):
        return ()
    return tuple(match_codes(seen, target.codes))


def _infer_format(column: pa.Array, name: str) -> tuple[str, float]:
    """Return the narrowest format that every value fits, and how sure that is for rows not seen."""
    values = _texts(column, None, name).drop_null()
    if not len(values):
        return "C..100", 0.0
    sure = lower_bound(len(values), len(values))
    if pa.types.is_boolean(column.type):
        return "B", sure
    for text in _TIMES:
        form = parse_format(text)
        read = convert(_texts(column, form, name).drop_null(), form)
        if pc.all(fits(read, form)).as_py():
            return text, sure
    return _infer_text(values), sure


def _infer_text(values: pa.Array) -> str:
    lengths = pc.min_max(pc.utf8_length(values)).as_py()
    fixed = lengths["min"] == lengths["max"]
    if pc.all(pc.match_substring_regex(values, "^[0-9]+$")).as_py():
        return f"n{lengths['max']}" if fixed else f"n..{lengths['max']}"
    if pc.all(pc.match_substring_regex(values, r"^[+-]?[0-9]+(\.[0-9]+)?$")).as_py():
        parts = [re.sub(r"^[+-]", "", value).partition(".") for value in values.unique().to_pylist()]
        scale = max(len(part[2]) for part in parts)
        whole = max(len(part[0]) for part in parts)
        return f"N..{min(whole + scale + 2, 38)},{min(scale, 30)}"
    return f"C{lengths['max']}" if fixed and len(values.unique()) > 1 else f"C..{_round(lengths['max'])}"


def _round(length: int) -> int:
    """Leave room for what the sample did not show."""
    return next((step for step in (10, 20, 50, 100, 200, 500, 1000, 2000, 5000) if step >= length), length)


def _fitting(column: pa.Array, target: Target, name: str) -> float:
    """Return the least share of values that fit the item, at 95 % confidence."""
    if target.codes:
        return _translated_share(column, target, name)
    if not target.format:
        return 1.0
    try:
        form = parse_format(target.format)
    except ConfigurationError:
        return 1.0
    values = convert(_texts(column, form, name).drop_null(), form)
    if not len(values):
        return 0.5
    return lower_bound(int(pc.sum(fits(values, form)).as_py()), len(values))


def _translated_share(column: pa.Array, target: Target, name: str) -> float:
    """Return how much of a column its item's code list has, by value and by how sure each translation is."""
    counts = pc.value_counts(_texts(column, None, name).drop_null()).to_pylist()
    values = sum(pair["counts"] for pair in counts)
    if not values:
        return 0.5
    if len(counts) > MAX_TRANSLATED:
        return 0.0
    found = match_codes([pair["values"] for pair in counts], target.codes)
    sure = sum(pair["counts"] * each.sure for pair, each in zip(counts, found, strict=True))
    return lower_bound(values, values) * float(sure / values)


def lower_bound(hits: int, trials: int) -> float:
    """Return Wilson's lower bound of a share: 10 of 10 prove less than 1000 of 1000."""
    share = hits / trials
    middle = share + Z * Z / (2 * trials)
    margin = Z * math.sqrt(share * (1 - share) / trials + Z * Z / (4 * trials * trials))
    return max(0.0, (middle - margin) / (1 + Z * Z / trials))


def _likeness(column: str, target: Target) -> float:
    wanted = [_plain(target.name), _plain(target.title)]
    given = _plain(column)
    if given and given in wanted:
        return 1.0
    return max(SequenceMatcher(None, given, text).ratio() if text else 0.0 for text in wanted)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def _texts(column: pa.Array, form: Format | None, name: str) -> pa.Array:
    kept = form if form is not None and form.kind in {Kind.DAY, Kind.SECOND} else None
    return pc.utf8_trim_whitespace(to_text(column, kept, name=name))


def write_toml(guesses: Sequence[Guess]) -> str:
    """Write the proposal as the mapping of a configuration, with what it stands on as comments."""
    lines = ["[mapping]", "version = 1"]
    for guess in guesses:
        head = f"# {_comment(guess.column)}: {guess.sure:.0%} sure, by {guess.why}; {guess.values} values"
        lines += ["", head + (f", codes {_comment(', '.join(guess.codes))}" if guess.codes else "")]
        if guess.to is None:
            lines.append("# left out")
            continue
        lines += ["[[mapping.column]]", f"from = {_quote(guess.column)}", f"to = {_quote(guess.to)}"]
        lines.append(f"format = {_quote(guess.format)}")
        if guess.translations:
            lines.append(f"codes = {_quote(guess.to)}")
    for guess in guesses:
        if guess.translations:
            lines += ["", f"[mapping.codes.{_quote(str(guess.to))}]", *map(_write_code, guess.translations)]
    return "\n".join(lines) + "\n"


def _write_code(translation: Translation) -> str:
    """Write a translation as a line of a code list; as a comment where none is proposed."""
    code, why = _quote(translation.code), _comment(translation.why)
    if translation.to is None:
        return f'# {code} = ""  # {why}'
    return f"{code} = {_quote(translation.to)}  # {translation.sure:.0%} sure: {why}"


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


def _quote(value: str) -> str:
    held: Any = {'"': '\\"', "\\": "\\\\"}
    return '"' + "".join(held.get(c, c if c.isprintable() else f"\\U{ord(c):08x}") for c in value) + '"'
