"""Writing a catalogue as DCAT 3 in JSON-LD, with its context inline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from exchange.catalogue.model import Item, Resource
from exchange.catalogue.wire import describe_item, describe_metadata
from exchange.codes.model import CodeList
from exchange.interchange.dcat_lists import write_code_list
from exchange.interchange.dcat_words import CONTEXT, FREQUENCIES, STANDARD_ITEM, STANDARD_METADATA
from exchange.interchange.words import WORDS

Node = dict[str, Any]


def write_dcat(
    resources: Sequence[Resource],
    code_lists: Sequence[CodeList] = (),
    *,
    public_url: str,
    providers: dict[str, str],
    at: datetime,
) -> bytes:
    """Write a dcat:Catalog of resources and the code lists that they name.

    `providers` gives the names of organisations by their codes.
    """
    catalog: Node = {
        "@context": dict(CONTEXT),
        "@id": f"{public_url}/v1/catalogue",
        "@type": "dcat:Catalog",
        "dct:title": _text("政务信息资源目录", "Government information resource catalogue"),
        "dct:description": _text(
            "各部门发布的政务信息资源", "Resources that departments publish on this hub"
        ),
        "dct:issued": _moment(at),
        "dcat:dataset": [_dataset(each, public_url, providers) for each in resources],
    }
    if code_lists:
        catalog["sz:code_lists"] = [write_code_list(each, public_url=public_url) for each in code_lists]
    return json.dumps(catalog, ensure_ascii=False, indent=1).encode()


def _text(chinese: str, english: str = "") -> list[Node]:
    found = [{"@value": chinese, "@language": "zh"}]
    return [*found, {"@value": english, "@language": "en"}] if english else found


def _moment(at: datetime) -> Node:
    return {"@value": at.isoformat(), "@type": "xsd:dateTime"}


def _concept(kind: str, value: str) -> Node:
    return {
        "@id": f"urn:shuzheng:{kind}:{value}",
        "@type": "skos:Concept",
        "skos:prefLabel": _text(WORDS[kind][value], value.replace("_", " ")),
    }


def _dataset(resource: Resource, public_url: str, providers: dict[str, str]) -> Node:
    metadata = resource.metadata
    node: Node = {
        "@id": f"{public_url}/v1/resources/{resource.code}",
        "@type": "dcat:Dataset",
        "dct:identifier": resource.code,
        "dct:title": _text(resource.title, metadata.title_en),
        "dct:description": _text(resource.summary or resource.title),
        "dct:publisher": {
            "@id": f"urn:shuzheng:organisation:{resource.provider_code}",
            "@type": "foaf:Agent",
            "dct:identifier": resource.provider_code,
            "foaf:name": _text(providers.get(resource.provider_code, resource.provider_code)),
        },
        "dcat:theme": _concept("theme", resource.theme),
        "dct:accrualPeriodicity": {"@id": FREQUENCIES[resource.update_cycle], "@type": "dct:Frequency"},
        "dct:accessRights": {
            **_concept("share_type", resource.share_type),
            "@type": ["skos:Concept", "dct:RightsStatement"],
        },
        "sz:summary": resource.summary,
        "dcat:version": f"{resource.major}.{resource.schema_version}",
        "dcat:distribution": _distribution(resource, public_url),
    }
    if resource.published_at is not None:
        node["dct:issued"] = _moment(resource.published_at)
    if metadata.aliases:
        node["dct:alternative"] = [{"@value": each, "@language": "zh"} for each in metadata.aliases]
    if metadata.labels:
        node["dcat:keyword"] = [{"@value": each, "@language": "zh"} for each in metadata.labels]
    if metadata.related_codes:
        node["dct:relation"] = [
            {"@id": f"{public_url}/v1/resources/{each}"} for each in metadata.related_codes
        ]
    if metadata.contact_name or metadata.contact_phone:
        node["dcat:contactPoint"] = {
            "@type": "vcard:Kind",
            "vcard:fn": metadata.contact_name or metadata.contact_phone,
            "sz:contact_name": metadata.contact_name,
            "sz:contact_phone": metadata.contact_phone,
        }
    if resource.external_codes:
        node["adms:identifier"] = [
            {"@type": "adms:Identifier", "skos:notation": code, "adms:schemaAgency": scheme}
            for scheme, code in resource.external_codes.items()
        ]
    for name, value in describe_metadata(metadata).items():
        if name not in STANDARD_METADATA and value:
            node[f"sz:{name}"] = {"@list": value} if isinstance(value, list) else value
    for name in ("aliases", "labels", "related_codes"):
        if listed := getattr(metadata, name):
            node[f"sz:{name}"] = {"@list": list(listed)}
    return node


def _distribution(resource: Resource, public_url: str) -> Node:
    return {
        "@id": f"{public_url}/v1/resources/{resource.code}#distribution",
        "@type": "dcat:Distribution",
        "dct:title": _text("查询接口与变更订阅", "Query interface and feed of changes"),
        "dcat:accessURL": {"@id": f"{public_url}/v1/resources/{resource.code}/query"},
        "dcat:mediaType": {"@id": "https://www.iana.org/assignments/media-types/application/json"},
        "csvw:tableSchema": {
            "@id": f"{public_url}/v1/resources/{resource.code}#schema",
            "@type": "csvw:Schema",
            "csvw:column": {"@list": [_column(item, resource.code, public_url) for item in resource.items]},
            "csvw:primaryKey": [item.name for item in resource.key_items],
        },
    }


def _column(item: Item, code: str, public_url: str) -> Node:
    node: Node = {
        "@id": f"{public_url}/v1/resources/{code}#item-{item.name}",
        "@type": "csvw:Column",
        "csvw:name": item.name,
        "csvw:title": _text(item.title, item.title_en),
        "csvw:required": item.is_required,
    }
    if item.description:
        node["dct:description"] = _text(item.description)
    for name, value in describe_item(item).items():
        if name not in STANDARD_ITEM and value not in {None, "", False}:
            node[f"sz:{name}"] = value
    return node
