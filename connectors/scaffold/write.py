"""Writes the files of a new package."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from connectors.errors import ConfigurationError
from connectors.scaffold import texts

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def write_package(name: str, folder: Path) -> list[Path]:
    """Write a package below a folder; return its files. Raises ConfigurationError before it writes."""
    if not _NAME.fullmatch(name):
        msg = f"{name!r} is no name for a package; write it as market-licences"
        raise ConfigurationError(msg)
    home = folder / name
    if home.exists():
        msg = f"{home} is there already"
        raise ConfigurationError(msg)
    module = name.replace("-", "_")
    words = {"name": name, "module": module, "Class": name.title().replace("-", "")}
    files = {
        home / "pyproject.toml": texts.PYPROJECT,
        home / "README.md": texts.README,
        home / "connector.toml": texts.CONFIG,
        home / module / "__init__.py": '"""A connector of $name."""\n',
        home / module / "source.py": texts.SOURCE,
        home / "tests" / "test_source.py": texts.TESTS,
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    return list(files)
