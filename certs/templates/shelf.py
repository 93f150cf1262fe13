"""The templates that ship, by name."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection
from importlib.resources import files
from typing import Any

from pydantic import ValidationError

from certs.templates.model import Template
from core.errors import BadInput, FieldError, NotFound, SchemaViolation

_FOLDER = files("certs.templates") / "data"


@functools.cache
def template_names() -> Collection[str]:
    """Return the names of the templates that ship."""
    return frozenset(
        entry.name.removesuffix(".json") for entry in _FOLDER.iterdir() if entry.name.endswith(".json")
    )


@functools.cache
def load_template(name: str) -> Template:
    """Return a template that ships. Raises NotFound."""
    if name not in template_names():
        msg = f"there is no template named {name[:60]}"
        raise NotFound(msg)
    return parse_template((_FOLDER / f"{name}.json").read_bytes())


def parse_template(data: bytes) -> Template:
    """Read a template file. Raises BadInput where it is no JSON, SchemaViolation with all that is wrong."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        msg = "the template is not JSON in UTF-8"
        raise BadInput(msg) from error
    try:
        return Template.model_validate(value)
    except ValidationError as error:
        found = tuple(
            FieldError(
                pointer="".join(f"/{part}" for part in each["loc"]), code="TEMPLATE", detail=each["msg"]
            )
            for each in error.errors(include_url=False, include_input=False)
        )
        msg = "the template breaks its format; see errors for each place"
        raise SchemaViolation(msg, errors=found) from error
