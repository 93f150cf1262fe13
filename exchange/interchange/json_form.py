"""Catalogues as JSON: a head, and the descriptions as the API takes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from core.errors import BadInput
from exchange.catalogue.model import Resource
from exchange.catalogue.wire import describe
from exchange.codes.model import CodeList
from exchange.codes.wire import describe_code_list
from exchange.interchange.model import Document, Entry, ListEntry

FORMAT: Final = "shuzheng-catalogue"
VERSION: Final = 1


def write_json(resources: Sequence[Resource], code_lists: Sequence[CodeList] = ()) -> bytes:
    """Write resources and the code lists that they name.

    Each resource has the code of its provider, which an import takes from its caller instead.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "resources": [describe(each) | {"provider_code": each.provider_code} for each in resources],
        "code_lists": [describe_code_list(each) for each in code_lists],
    }
    return json.dumps(document, ensure_ascii=False, indent=1).encode()


def read_json(data: bytes) -> Document:
    """Read what `write_json` writes. Raises BadInput."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as wrong:
        msg = "the document is not JSON (UTF-8)"
        raise BadInput(msg) from wrong
    if (
        not isinstance(document, dict)
        or document.get("format") != FORMAT
        or document.get("version") != VERSION
    ):
        msg = f'the document does not begin with "format": "{FORMAT}", "version": {VERSION}'
        raise BadInput(msg)
    resources = document.get("resources")
    if not isinstance(resources, list) or not all(isinstance(each, dict) for each in resources):
        msg = '"resources" must be a list of objects'
        raise BadInput(msg)
    lists = document.get("code_lists", [])
    if not isinstance(lists, list) or not all(isinstance(each, dict) for each in lists):
        msg = '"code_lists" must be a list of objects'
        raise BadInput(msg)
    entries = [
        Entry(
            description={name: value for name, value in each.items() if name != "provider_code"},
            place=f"/resources/{number}",
        )
        for number, each in enumerate(resources)
    ]
    found = [ListEntry(description=each, place=f"/code_lists/{number}") for number, each in enumerate(lists)]
    return Document(entries=entries, code_lists=found)
