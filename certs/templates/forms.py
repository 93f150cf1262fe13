"""Lay out forms: rows of labels and values become labels, lines and fields with boxes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from certs.templates.parts import BoxSides, FieldPart, FormLines, FormPart, Label, Line, Row

PAD_MM: Final = 2.4
"""Between the ruling of a grid and what stands in it, to the sides."""
AIR_MM: Final = 0.8
"""Between a rule and what stands above or below it: long values fill their rows."""


def expand_form(form: FormPart) -> Iterator[Label | Line | FieldPart]:
    """Yield the labels, lines and fields of a form, row by row."""
    for row, top, height in _rows(form):
        label, value = _boxes(form, top, height)
        yield Label(
            kind="label", text=row.label, box=label, style=form.label_style, justify=len(row.label) > 1
        )
        yield FieldPart(
            kind="field",
            element=row.element,
            box=value,
            style=row.style or form.value_style,
            format=row.format,
            pattern=row.pattern,
            suffix=row.suffix,
            absent=row.absent,
            required=row.required,
        )
    yield from _lines(form)


def _rows(form: FormPart) -> Iterator[tuple[Row, float, float]]:
    share = form.box[3] / sum(row.height for row in form.rows)
    top = form.box[1]
    for row in form.rows:
        height = row.height * share
        yield row, top, height
        top += height


def _boxes(form: FormPart, top: float, height: float) -> tuple[BoxSides, BoxSides]:
    x, _, width, _ = form.box
    if form.lines is FormLines.GRID:
        start = x + form.label_width
        top, height = top + AIR_MM, height - 2 * AIR_MM
        label = (x + PAD_MM, top, form.label_width - 2 * PAD_MM, height)
        return label, (start + PAD_MM, top, width - form.label_width - 2 * PAD_MM, height)
    start = x + form.label_width + form.gap
    if form.lines is FormLines.UNDERLINE:
        top, height = top + AIR_MM, height - 2 * AIR_MM
    return (x, top, form.label_width, height), (start, top, x + width - start, height)


def _lines(form: FormPart) -> Iterator[Line]:
    x, y, width, height = form.box
    levels = [top + tall for _, top, tall in _rows(form)]
    if form.lines is FormLines.GRID:
        for across in (x, x + form.label_width, x + width):
            yield _line(form, (across, y), (across, y + height))
        yield _line(form, (x, y), (x + width, y))
        for level in levels:
            yield _line(form, (x, level), (x + width, level))
    elif form.lines is FormLines.UNDERLINE:
        for level in levels:
            yield _line(form, (x + form.label_width + form.gap, level), (x + width, level))


def _line(form: FormPart, start: tuple[float, float], end: tuple[float, float]) -> Line:
    return Line(kind="line", start=start, end=end, stroke=form.stroke, line_width=form.line_width)
