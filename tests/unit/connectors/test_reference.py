"""The reference of the built-in sources and sinks, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.reference import render_reference
from connectors.registry import SINKS, SOURCES, load_kind

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs/connectors-builtin.md").read_text(encoding="utf-8")


def test_reference_is_what_the_options_say() -> None:
    """Where this fails: paste what `python -m connectors.reference` prints into the document."""
    assert DOCUMENT.endswith(render_reference())


@pytest.mark.parametrize(("role", "kinds"), [("source", SOURCES), ("sink", SINKS)])
def test_every_built_in_kind_loads_and_is_in_the_overview(role: str, kinds: dict[str, str]) -> None:
    overview = "".join(re.findall(rf"^\| {role} .*$", DOCUMENT, re.MULTILINE))
    for kind in kinds:
        assert load_kind(role, kind, base=ROOT).options_model.model_fields
        assert f"`{kind}`" in overview
