"""Reading DCAT in any JSON-LD that says the same: expanded, compacted, flattened, framed.

The document is flattened by a JSON-LD processor. Contexts are taken from the document only: one that would
have to be fetched is refused, so that no document makes the hub call somewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pyld import jsonld

from core.errors import BadInput
from exchange.catalogue.model import Theme
from exchange.catalogue.wire import ItemIn, MetadataIn
from exchange.interchange.dcat_lists import read_code_lists
from exchange.interchange.dcat_words import (
    ADMS,
    CSVW,
    DCAT,
    DCT,
    FOREIGN_CYCLES,
    OWN,
    SKOS,
    STANDARD_ITEM,
    STANDARD_METADATA,
)
from exchange.interchange.model import Document, Entry

MAX_DEPTH = 100
Node = Mapping[str, Any]
_FLAGS = {name for name, field in ItemIn.model_fields.items() if field.annotation is bool}
_METADATA_LISTS = {
    name for name, field in MetadataIn.model_fields.items() if isinstance(field.default, tuple)
}


def read_dcat(data: bytes) -> Document:
    """Read the datasets and code lists of a document. Raises BadInput for no JSON-LD, or no datasets."""
    try:
        document = json.loads(data)
        _verify_depth(document, MAX_DEPTH)
        nodes = jsonld.flatten(document, options={"documentLoader": _refuse_to_fetch})
    except (ValueError, RecursionError) as wrong:
        msg = "the document is not JSON (UTF-8)"
        raise BadInput(msg) from wrong
    except jsonld.JsonLdError as wrong:
        if _is_caused_by_fetching(wrong):
            msg = "the document names a context elsewhere; write the context into the document itself"
            raise BadInput(msg) from wrong
        msg = "the document is not JSON-LD"
        raise BadInput(msg) from wrong
    graph = {node["@id"]: node for node in nodes if "@id" in node}
    datasets = [node for node in graph.values() if f"{DCAT}Dataset" in node.get("@type", [])]
    if not datasets:
        msg = "the document has no dcat:Dataset"
        raise BadInput(msg)
    ordered = sorted(datasets, key=lambda node: str(node["@id"]))
    return Document(
        entries=[_Reader(graph, node).read() for node in ordered], code_lists=read_code_lists(graph)
    )


class _RemoteContext(Exception):
    """A context that would have to be fetched."""


def _refuse_to_fetch(_url: str, _options: object) -> NoReturn:
    raise _RemoteContext


def _is_caused_by_fetching(wrong: BaseException | None) -> bool:
    while wrong is not None:
        if isinstance(wrong, _RemoteContext):
            return True
        wrong = wrong.__cause__ or wrong.__context__
    return False


def _verify_depth(value: object, left: int) -> None:
    if left == 0:
        msg = "too deep"
        raise ValueError(msg)
    if isinstance(value, dict):
        for each in value.values():
            _verify_depth(each, left - 1)
    elif isinstance(value, list):
        for each in value:
            _verify_depth(each, left - 1)


class _Reader:
    """Reads one dataset out of the flattened graph."""

    def __init__(self, graph: Mapping[str, Node], node: Node) -> None:
        self._graph = graph
        self._node = node

    def read(self) -> Entry:
        """Read the description; what is missing the checks of the import will tell."""
        node = self._node
        title, english = self._titles(node, f"{DCT}title")
        description: dict[str, Any] = {
            "code": _first(node, f"{DCT}identifier"),
            "title": title,
            "theme": self._theme(),
            "update_cycle": self._cycle(),
            "metadata": self._metadata() | ({"title_en": english} if english else {}),
            "items": [self._item(column) for column in self._columns()],
            "external_codes": {
                str(_first(each, f"{ADMS}schemaAgency")): _first(each, f"{SKOS}notation")
                for each in self._nodes(node, f"{ADMS}identifier")
            },
        }
        summary = _first(node, f"{OWN}summary")
        if summary is None:
            summary, _ = self._titles(node, f"{DCT}description")
        description["summary"] = summary
        present = {name: value for name, value in description.items() if value is not None}
        return Entry(description=present, place=f"/{node['@id']}")

    def _nodes(self, node: Node, name: str) -> list[Node]:
        return [self._graph.get(each["@id"], each) for each in node.get(name, []) if "@id" in each]

    def _titles(self, node: Node, name: str) -> tuple[str | None, str | None]:
        """Read (Chinese or first, English) of a text in several languages."""
        texts = {
            each.get("@language", "zh"): str(each["@value"])
            for each in node.get(name, [])
            if "@value" in each
        }
        chinese = next((text for tag, text in texts.items() if tag.startswith("zh")), None)
        english = next((text for tag, text in texts.items() if tag.startswith("en")), None)
        return (chinese or english, english if chinese else None)

    def _theme(self) -> str:
        known = {str(each) for each in Theme}
        for each in self._node.get(f"{DCAT}theme", []):
            last = str(each.get("@id", "")).rpartition(":")[2]
            if last in known:
                return last
        return str(Theme.OTHER)

    def _cycle(self) -> str:
        for each in self._node.get(f"{DCT}accrualPeriodicity", []):
            last = str(each.get("@id", "")).replace(":", "/").rpartition("/")[2].lower()
            if last in FOREIGN_CYCLES:
                return FOREIGN_CYCLES[last]
        return "irregular"

    def _metadata(self) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in MetadataIn.model_fields:
            if name in _METADATA_LISTS:
                listed = _listed(self._node, f"{OWN}{name}")
                if listed is not None:
                    values[name] = listed
            elif name not in STANDARD_METADATA and (text := _first(self._node, f"{OWN}{name}")) is not None:
                values[name] = text
        for foreign, name in ((f"{DCT}alternative", "aliases"), (f"{DCAT}keyword", "labels")):
            if name not in values and foreign in self._node:
                values[name] = [str(each["@value"]) for each in self._node[foreign] if "@value" in each]
        for contact in self._nodes(self._node, f"{DCAT}contactPoint"):
            for name in ("contact_name", "contact_phone"):
                if (text := _first(contact, f"{OWN}{name}")) is not None:
                    values[name] = text
        return values

    def _columns(self) -> Sequence[Node]:
        for distribution in self._nodes(self._node, f"{DCAT}distribution"):
            for schema in self._nodes(distribution, f"{CSVW}tableSchema"):
                return [
                    self._graph.get(part.get("@id"), part)
                    for each in schema.get(f"{CSVW}column", [])
                    for part in each.get("@list", [each])
                ]
        return []

    def _item(self, column: Node) -> dict[str, Any]:
        title, english = self._titles(column, f"{CSVW}title")
        told, _ = self._titles(column, f"{DCT}description")
        values: dict[str, Any] = {
            "name": _first(column, f"{CSVW}name"),
            "title": title,
            "title_en": english,
            "description": told,
            "is_required": _first(column, f"{CSVW}required"),
        }
        for name in ItemIn.model_fields:
            if name not in STANDARD_ITEM:
                values[name] = _first(column, f"{OWN}{name}")
        return {
            name: value is True or value == "true" if name in _FLAGS else value
            for name, value in values.items()
            if value is not None
        }


def _first(node: Node, name: str) -> Any:
    for each in node.get(name, []):
        if "@value" in each:
            return each["@value"]
    return None


def _listed(node: Node, name: str) -> list[Any] | None:
    if name not in node:
        return None
    found = []
    for each in node[name]:
        found += [part["@value"] for part in each.get("@list", [each]) if "@value" in part]
    return found
