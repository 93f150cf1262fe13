"""Answers of the Delta Sharing protocol as lines of JSON, in its response formats `parquet` and `delta`.

Source: Delta Sharing Protocol, "API Response Format in Parquet" and "in Delta".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

import pyarrow as pa

from subscriptions.sharing.model import Access, SharedFile, VersionFiles
from subscriptions.sharing.service import Answer

NDJSON: Final = "application/x-ndjson; charset=utf-8"
VERSION_HEADER: Final = "Delta-Table-Version"
CAPABILITIES_HEADER: Final = "delta-sharing-capabilities"
DISPUTED: Final = "shuzheng.disputed"
_FORMAT: Final = {"provider": "parquet", "options": {}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Where a file may be fetched, and until when."""

    address_of: Mapping[str, str]
    expires_at: datetime


def wants_delta(capabilities: str | None) -> bool:
    """Tell whether a client takes the response format `delta` alone (header `delta-sharing-capabilities`)."""
    for part in (capabilities or "").lower().split(";"):
        name, _, value = part.partition("=")
        if name.strip() == "responseformat":
            formats = {each.strip() for each in value.split(",")}
            return "delta" in formats and "parquet" not in formats
    return False


def headers_of(version: int, *, delta: bool) -> dict[str, str]:
    """Return the headers that every answer about a table has."""
    return {
        VERSION_HEADER: str(version),
        CAPABILITIES_HEADER: f"responseformat={'delta' if delta else 'parquet'}",
        "Cache-Control": "no-store",
    }


def write_description(access: Access, answer: Answer, *, delta: bool, in_changes: bool = False) -> str:
    """Write the lines of protocol and metadata."""
    protocol: dict[str, Any] = {"minReaderVersion": 1}
    metadata: dict[str, Any] = {
        "id": str(uuid5(NAMESPACE_URL, f"shuzheng:{answer.view.digest.hex()}")),
        "name": access.table,
        "description": access.resource.title,
        "format": _FORMAT,
        "schemaString": json.dumps(describe_schema(access, answer.view.schema), ensure_ascii=False),
        "partitionColumns": [],
        "configuration": {"enableChangeDataFeed": "true"},
    }
    if delta:
        protocol = {"deltaProtocol": {"minReaderVersion": 1, "minWriterVersion": 4}}
        metadata["configuration"] = {"delta.enableChangeDataFeed": "true"}
    if answer.disputed:
        metadata["configuration"][DISPUTED] = json.dumps(answer.disputed, ensure_ascii=False)
    if delta:
        metadata = {"deltaMetadata": metadata}
    if in_changes:
        metadata["version"] = min((part.version for part in answer.parts), default=answer.version)
    return _line({"protocol": protocol}) + _line({"metaData": metadata})


def describe_schema(access: Access, schema: pa.Schema) -> dict[str, Any]:
    """Describe columns as Delta does (Delta protocol, "Schema Serialization Format")."""
    fields = []
    for field in schema:
        item = access.resource.item(field.name)
        comment = {"comment": item.title} if item is not None else {}
        fields.append({"name": field.name, "type": _type(field.type), "nullable": True, "metadata": comment})
    return {"type": "struct", "fields": fields}


def _type(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_date(kind):
        return "date"
    if pa.types.is_timestamp(kind):
        return "timestamp"
    return "boolean" if pa.types.is_boolean(kind) else "string"


def write_files(answer: Answer, links: Links, *, delta: bool) -> Iterator[str]:
    """Write a line for each file of a snapshot."""
    for part in answer.parts:
        for file in part.files:
            common = _common(file, part, links)
            stats = _stats(file, answer.view.schema)
            if delta:
                add = _delta_action(file, part, links) | {"dataChange": True, "stats": stats}
                add["modificationTime"] = _ms(part.committed_at)
                yield _line({"file": common | {"deltaSingleAction": {"add": add}}})
            else:
                yield _line({"file": common | _parquet_action(file, links) | {"stats": stats}})


def write_changes(answer: Answer, links: Links, *, delta: bool) -> Iterator[str]:
    """Write a line for each file of changes."""
    for part in answer.parts:
        for file in part.files:
            common = _common(file, part, links)
            if delta:
                cdc = _delta_action(file, part, links) | {"dataChange": False}
                yield _line({"file": common | {"deltaSingleAction": {"cdc": cdc}}})
            else:
                yield _line({"cdf": common | _parquet_action(file, links)})


def _common(file: SharedFile, part: VersionFiles, links: Links) -> dict[str, Any]:
    return {
        "id": file.object_key.rpartition("/")[2].removesuffix(".parquet"),
        "version": part.version,
        "timestamp": _ms(part.committed_at),
        "expirationTimestamp": _ms(links.expires_at),
    }


def _parquet_action(file: SharedFile, links: Links) -> dict[str, Any]:
    return {"url": links.address_of[file.object_key], "partitionValues": {}, "size": file.size_bytes}


def _delta_action(file: SharedFile, _part: VersionFiles, links: Links) -> dict[str, Any]:
    return {"path": links.address_of[file.object_key], "partitionValues": {}, "size": file.size_bytes}


def _stats(file: SharedFile, schema: pa.Schema) -> str:
    """Write statistics as Delta does; decimals have none, since JSON readers would round them."""
    spans = {name: span for name, span in file.stats.items() if span.low is not None}
    kept = {name: span for name, span in spans.items() if not pa.types.is_decimal(schema.field(name).type)}
    kept = {name: span for name, span in kept.items() if not pa.types.is_boolean(schema.field(name).type)}
    return json.dumps(
        {
            "numRecords": file.rows,
            "minValues": {name: span.low for name, span in kept.items()},
            "maxValues": {name: span.high for name, span in kept.items()},
            "nullCount": {name: span.nulls for name, span in file.stats.items()},
        },
        ensure_ascii=False,
    )


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"
