"""Paths into JSON documents: names and places with dots between, as in `data.list.0.name`."""

from __future__ import annotations

from typing import Any


def find_value(document: Any, path: str) -> Any:
    """Return what a path leads to; None where it leads nowhere. The empty path is the document itself."""
    for step in path.split(".") if path else ():
        if isinstance(document, dict):
            document = document.get(step)
        elif isinstance(document, list) and step.isdecimal() and int(step) < len(document):
            document = document[int(step)]
        else:
            return None
    return document
