"""Matching items to elements: pure rules over names, titles, widths and code sets."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

from exchange.catalogue.formats import Kind, parse_format
from exchange.catalogue.model import Item
from exchange.elements.model import Element, Ground, Match

LEAST_LIKENESS: Final = 0.5
MOST_MATCHES: Final = 5
_SCORES: Final = {
    Ground.NAMED: 1.0,
    Ground.SAME_TITLE: 0.95,
    Ground.SYNONYM: 0.9,
    Ground.SAME_NAME: 0.8,
}
_TYPE_PENALTY: Final = 0.25


def match_item(item: Item, elements: Sequence[Element]) -> list[Match]:
    """List the elements that an item may be of, the likeliest first, at most five.

    A match of another type counts for less, so that 登记日期 does not become an element of text.
    """
    found = [match for element in elements if (match := _match(item, element)) is not None]
    return sorted(found, key=lambda match: (-match.score, match.element.identifier))[:MOST_MATCHES]


def find_elements(text: str, elements: Sequence[Element]) -> list[Element]:
    """List the elements that a text names or resembles, the likeliest first; all of them for no text.

    A part of a title, synonym or definition counts as well, after whatever resembles the text as a whole.
    """
    if not text.strip():
        return list(elements)
    asked, folded = Item(name=text, title=text, format="C..1", element=text.strip()), _fold(text)
    ranked = []
    for element in elements:
        score = _find_ground(asked, element)[1]
        if any(folded in _fold(each) for each in (element.title, *element.synonyms, element.title_en)):
            score = max(score, 0.5)
        elif folded in _fold(element.definition):
            score = max(score, 0.2)
        if score > 0:
            ranked.append((-score, element.identifier, element))
    return [element for _, _, element in sorted(ranked, key=lambda each: each[:2])]


def _match(item: Item, element: Element) -> Match | None:
    ground, score = _find_ground(item, element)
    if ground is None:
        return None
    differences = find_differences(item, element)
    if ground is not Ground.NAMED and any(each.startswith("type") for each in differences):
        score -= _TYPE_PENALTY
    if score < LEAST_LIKENESS:
        return None
    return Match(element=element, ground=ground, score=round(score, 3), differences=tuple(differences))


def _find_ground(item: Item, element: Element) -> tuple[Ground | None, float]:
    title = _fold(item.title)
    if item.element == element.identifier:
        return Ground.NAMED, _SCORES[Ground.NAMED]
    if title in {_fold(element.title), _fold(element.title_en) or title + "?"}:
        return Ground.SAME_TITLE, _SCORES[Ground.SAME_TITLE]
    if title in {_fold(each) for each in element.synonyms}:
        return Ground.SYNONYM, _SCORES[Ground.SYNONYM]
    if item.name.lower() in {each.lower() for each in element.names}:
        return Ground.SAME_NAME, _SCORES[Ground.SAME_NAME]
    likeness = max(_likeness(title, _fold(each)) for each in (element.title, *element.synonyms))
    return (Ground.SIMILAR_TITLE, 0.85 * likeness) if likeness >= LEAST_LIKENESS else (None, 0.0)


def find_differences(item: Item, element: Element) -> list[str]:
    """Tell where an item differs from the element that it is of: type, width, code set, check."""
    ours, theirs = parse_format(item.format), parse_format(element.format)
    told = []
    if ours.kind is not theirs.kind and {ours.kind, theirs.kind} != {Kind.TEXT, Kind.DIGITS}:
        told.append(f"type: {item.format} here, {element.format} there")
    elif (ours.max_characters, ours.precision, ours.scale) != (
        theirs.max_characters,
        theirs.precision,
        theirs.scale,
    ):
        told.append(f"width: {item.format} here, {element.format} there")
    if item.code_list != element.code_list:
        told.append(f"code set: {item.code_list or 'none'} here, {element.code_list or 'none'} there")
    if item.check_rule != element.check_rule:
        told.append(f"check: {item.check_rule or 'none'} here, {element.check_rule or 'none'} there")
    return told


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).lower().split())


def _likeness(one: str, other: str) -> float:
    """Return Dice's coefficient over pairs of neighbouring characters; 0 where either has no pair."""
    first, second = set(_pairs(one)), set(_pairs(other))
    if not first or not second:
        return 0.0
    return 2 * len(first & second) / (len(first) + len(second))


def _pairs(text: str) -> Iterable[str]:
    return (text[place : place + 2] for place in range(len(text) - 1))
