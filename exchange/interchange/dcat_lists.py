"""Code lists in DCAT documents: a skos:ConceptScheme each, its codes as concepts with their notation.

Source: SKOS (W3C) 4.2, 4.5 and 6.5. `sz:codes` keeps the codes in their order; lists that others wrote have
the order of their notations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from exchange.codes.model import Code, CodeList
from exchange.interchange.dcat_words import DCT, OWL, OWN, SKOS
from exchange.interchange.model import ListEntry

Node = Mapping[str, Any]


def write_code_list(held: CodeList, *, public_url: str) -> dict[str, Any]:
    """Write a code list as a node; retired codes are owl:deprecated."""
    place = f"{public_url}/v1/code-lists/{quote(held.name, safe='')}"
    node = {
        "@id": place,
        "@type": "skos:ConceptScheme",
        "dct:identifier": held.name,
        "dct:title": [{"@value": held.title, "@language": "zh"}],
        "sz:codes": {"@list": [_write_code(each, place) for each in held.codes]},
    }
    return node | ({"dct:source": held.source} if held.source else {})


def _write_code(code: Code, place: str) -> dict[str, Any]:
    node = {
        "@id": f"{place}#code-{quote(code.code, safe='')}",
        "@type": "skos:Concept",
        "skos:notation": code.code,
        "skos:prefLabel": [{"@value": code.title, "@language": "zh"}],
        "skos:inScheme": {"@id": place},
        "skos:topConceptOf": {"@id": place},
    }
    return node | ({"owl:deprecated": True} if code.is_retired else {})


def read_code_lists(graph: Mapping[str, Node]) -> list[ListEntry]:
    """Read the concept schemes of a flattened graph that have an identifier; the import checks them."""
    schemes = [
        (place, node)
        for place, node in sorted(graph.items())
        if f"{SKOS}ConceptScheme" in node.get("@type", []) and f"{DCT}identifier" in node
    ]
    return [_read_list(graph, place, node) for place, node in schemes]


def _read_list(graph: Mapping[str, Node], place: str, node: Node) -> ListEntry:
    ordered = [part for each in node.get(f"{OWN}codes", []) for part in each.get("@list", [each])]
    concepts = [graph.get(each.get("@id"), each) for each in ordered] or sorted(
        _find_concepts(graph, place, node), key=lambda each: str(_text(each, f"{SKOS}notation"))
    )
    described = {
        "name": _text(node, f"{DCT}identifier"),
        "title": _text(node, f"{DCT}title") or _text(node, f"{SKOS}prefLabel"),
        "source": _text(node, f"{DCT}source"),
        "codes": [_read_code(each) for each in concepts],
    }
    present = {name: value for name, value in described.items() if value is not None}
    return ListEntry(
        description=present, place=f"/{place}", places=tuple(f"/{each.get('@id')}" for each in concepts)
    )


def _find_concepts(graph: Mapping[str, Node], place: str, node: Node) -> list[Node]:
    """Find the concepts that say they are in a scheme, and those that the scheme says it has."""
    named = {each.get("@id") for each in node.get(f"{SKOS}hasTopConcept", [])}
    return [
        each
        for found, each in graph.items()
        if found in named
        or any(
            to.get("@id") == place
            for name in ("inScheme", "topConceptOf")
            for to in each.get(f"{SKOS}{name}", [])
        )
    ]


def _read_code(concept: Node) -> dict[str, Any]:
    described = {
        "code": _text(concept, f"{SKOS}notation"),
        "title": _text(concept, f"{SKOS}prefLabel"),
        "is_retired": _text(concept, f"{OWL}deprecated"),
    }
    present = {name: value for name, value in described.items() if value is not None}
    if "is_retired" in present:
        present["is_retired"] = present["is_retired"] is True or present["is_retired"] == "true"
    return present


def _text(node: Node, name: str) -> Any:
    """Return the Chinese one of a node's texts, or the first."""
    texts = [each for each in node.get(name, []) if "@value" in each]
    texts.sort(key=lambda each: not str(each.get("@language", "")).startswith("zh"))
    return texts[0]["@value"] if texts else None
