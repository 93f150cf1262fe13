"""What the documents say, held against the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.log.events import render_catalogue
from core.log.model import Event
from core.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_every_event_is_documented_and_no_other() -> None:
    documented = re.findall(r"^\| `([a-z_.]+)` \|", read("docs/audit-events.md"), re.MULTILINE)
    assert sorted(documented) == sorted(Event)


def test_events_are_documented_with_the_fields_that_the_code_declares() -> None:
    """Where this fails: paste what `python -m core.log.events` prints into docs/audit-events.md."""
    assert read("docs/audit-events.md").endswith(render_catalogue())


@pytest.mark.parametrize("event", list(Event))
def test_every_event_is_written_somewhere(event: Event) -> None:
    packages = ("core", "exchange", "certs", "subscriptions", "evidence")
    sources = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    users = [
        path
        for path in sources
        if path.name != "model.py" and re.search(rf"Event\.{event.name}\b", path.read_text(encoding="utf-8"))
    ]
    assert users


def test_every_setting_is_documented_with_its_default() -> None:
    text = read("docs/settings.md")
    for name, field in Settings.model_fields.items():
        default = "unset" if field.default is None else str(field.default)
        assert f"| `SHUZHENG_{name.upper()}` | {default} | {field.description} |" in text


@pytest.mark.parametrize("document", ["README.md", "README.zh-CN.md", "docs/architecture.md"])
def test_links_lead_to_files_that_exist(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", read(document)):
        assert (folder / target).exists(), target


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", read("README.md"))) - {"and"} <= targets
