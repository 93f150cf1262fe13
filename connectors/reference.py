"""The reference of the built-in sources and sinks, written from their own options.

`python -m connectors.reference` prints what docs/connectors-builtin.md ends with.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import Enum
from inspect import cleandoc
from pathlib import Path
from typing import Final, get_args

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from connectors.auth import Proof
from connectors.registry import SINKS, SOURCES, load_kind
from connectors.sources.http.model import Column, Paging, Since

_ROLES: Final = (("Sources", "source", SOURCES), ("Sinks", "sink", SINKS))
_PARTS: Final = (("auth", Proof), ("paging", Paging))


def render_reference() -> str:
    """Write the tables of all settings, as Markdown."""
    return "\n".join(_write_lines()) + "\n"


def _write_lines() -> Iterator[str]:
    for title, role, kinds in _ROLES:
        yield f"## {title}"
        for kind in sorted(kinds):
            made_by = load_kind(role, kind, base=Path())
            yield from _write_model(f"### {role} `{kind}`", made_by.options_model, made_by.__doc__)
    yield "## Tables within tables"
    for name, union in _PARTS:
        for model in get_args(get_args(union)[0]):
            (word,) = get_args(model.model_fields["kind"].annotation)
            yield from _write_model(f'### `{name}.kind = "{word}"`', model, None)
            yield from _write_nested(model)
    yield from _write_model("### a column of `columns`", Column, None)
    yield from _write_model("### `since`", Since, None)


def _write_nested(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _write_model(f"#### `auth.{name}`", inner, None)
                yield from _write_nested(inner)


def _write_model(heading: str, model: type[BaseModel], about: str | None) -> Iterator[str]:
    yield f"\n{heading}\n"
    for text in (about, model.__doc__):
        if text:
            yield f"{cleandoc(text)}\n"
    yield "| setting | default | meaning |"
    yield "| --- | --- | --- |"
    for name, field in model.model_fields.items():
        if name != "kind":
            yield f"| `{name}` | {_write_default(field)} | {_write_meaning(field)} |"
    yield ""


def _write_default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value in ((), {}):
        return "–"
    if isinstance(value, BaseModel):
        return f"`{getattr(value, 'kind', '…')}`"
    shown = value.value if isinstance(value, Enum) else value
    return f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"


def _write_meaning(field: FieldInfo) -> str:
    words = [field.description] if field.description else []
    for inner in (field.annotation, *get_args(field.annotation)):
        if inner is SecretStr:
            words.append("secret: from the environment or a file of mode 0600")
        elif isinstance(inner, type) and issubclass(inner, Enum):
            words.append("one of " + ", ".join(f"`{member.value}`" for member in inner))
        elif isinstance(inner, str):
            words.append(f"`{inner}`")
    return "; ".join(words).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(render_reference())
