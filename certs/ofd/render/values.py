"""Read the values of page descriptions as tolerantly as other readers do (GB/T 33190-2016 7.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite
from typing import Final
from xml.etree.ElementTree import Element

_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?")
_PATH_WORD: Final = re.compile(rf"[A-Za-z]|{_NUMBER.pattern}")
_FARTHEST: Final = 1e7
MAX_RUN: Final = 100_000

Matrix = tuple[float, float, float, float, float, float]
BoxValues = tuple[float, float, float, float]

_STEPS: Final = {"S": ("M", 2), "M": ("M", 2), "L": ("L", 2), "Q": ("Q", 4), "B": ("C", 6), "A": ("A", 7)}
"""Operators of AbbreviatedData, the SVG command of each, and how many numbers follow (9.3)."""


def format_number(value: float) -> str:
    """Write a number for SVG."""
    written = f"{value:.5f}".rstrip("0").rstrip(".")
    return "0" if written in {"-0", ""} else written


def read_numbers(text: str | None) -> list[float]:
    """Read all numbers of a text, whatever stands between them; absurd ones are left out."""
    found = [float(each) for each in _NUMBER.findall(text or "")]
    return [each for each in found if isfinite(each) and abs(each) <= _FARTHEST]


def read_number(text: str | None, default: float) -> float:
    """Read the first number of a text."""
    return next(iter(read_numbers(text)), default)


def read_flag(text: str | None, *, default: bool) -> bool:
    """Read true or false."""
    return default if text is None else text.strip().lower() in {"true", "1"}


def read_box(element: Element, name: str = "Boundary") -> BoxValues | None:
    """Read `x y width height`; None where there are not four numbers."""
    values = read_numbers(element.get(name))
    return (values[0], values[1], values[2], values[3]) if len(values) == 4 else None


def read_matrix(text: str | None) -> Matrix | None:
    """Read a CTM; None where there is none."""
    values = read_numbers(text)
    if len(values) != 6:
        return None
    return values[0], values[1], values[2], values[3], values[4], values[5]


def read_deltas(text: str | None) -> list[float]:
    """Read advances, with `g count value` for runs of equal ones (11.3)."""
    found: list[float] = []
    words = iter((text or "").split())
    for word in words:
        if word.lower() == "g":
            count, value = int(read_number(next(words, "0"), 0)), read_number(next(words, "0"), 0)
            found += [value] * min(max(count, 0), MAX_RUN)
        else:
            found.append(read_number(word, 0))
    return found[:MAX_RUN]


def read_path(text: str | None) -> str:
    """Translate AbbreviatedData to SVG path data; reading stops at what is no path."""
    parts: list[str] = []
    for operator, values in _path_steps(text or ""):
        if operator == "C":
            parts.append("Z")
            continue
        command, size = _STEPS[operator]
        if operator == "A":
            values[3:5] = [float(values[3] != 0), float(values[4] != 0)]
        if len(values) == size:
            parts.append(command + " ".join(map(format_number, values)))
    if parts and not parts[0].startswith("M"):
        parts.insert(0, "M0 0")
    return "".join(parts)


def read_hull(text: str | None) -> BoxValues | None:
    """Return a box that holds a whole path; None where that cannot be said from its points."""
    xs, ys = [0.0], [0.0]
    for operator, values in _path_steps(text or ""):
        if operator == "A":
            return None
        xs += values[0::2]
        ys += values[1::2]
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _path_steps(text: str) -> Iterator[tuple[str, list[float]]]:
    """Yield operators with their numbers; an operator may be left out where it repeats."""
    operator, values = "", list[float]()
    for word in _PATH_WORD.findall(text):
        if word.isalpha():
            if word not in _STEPS and word != "C":
                return
            operator, values = word, []
            if word == "C":
                yield "C", []
        elif operator in _STEPS:
            values.append(float(word))
            if len(values) == _STEPS[operator][1]:
                if all(isfinite(each) and abs(each) <= _FARTHEST for each in values):
                    yield operator, values
                values = []
