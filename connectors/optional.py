"""Parts that only some connectors need, imported when they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from connectors.errors import ConfigurationError


def load_optional(module: str, *, extra: str) -> Any:
    """Import a module of an extra. Raises ConfigurationError that says what to install."""
    try:
        return import_module(module)
    except ImportError as missing:
        msg = f"this needs {module.partition('.')[0]}: pip install 'shuzheng[{extra}]'"
        raise ConfigurationError(msg) from missing
