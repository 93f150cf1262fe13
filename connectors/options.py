"""Options as a configuration gives them: checked, secrets from the environment or from files of mode 0600."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from connectors.errors import ConfigurationError

_REFERENCE = re.compile(r"\$\{(?P<file>file:)?(?P<name>[^}]+)\}")
_MAX_SECRET_BYTES = 64 * 1024
Model = TypeVar("Model", bound="Options")


class Options(BaseModel):
    """Base of the options of a source or sink. Secrets are of the type `pydantic.SecretStr`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def build_options(model: type[Model], values: Mapping[str, Any], *, where: str) -> Model:
    """Make options of a table of a configuration. Raises ConfigurationError that names each wrong key."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as trouble:
        found = [
            f"{'.'.join([where, *(str(part) for part in error['loc'])])}: {error['msg']}"
            for error in trouble.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise ConfigurationError("; ".join(found)) from None


def expand(value: Any, *, base: Path, where: str = "") -> Any:
    """Replace `${NAME}` by a variable of the environment and `${file:PATH}` by a file's text, everywhere.

    Relative paths start at `base`. Raises ConfigurationError where either is missing, or where others may
    read the file.
    """
    if isinstance(value, Mapping):
        return {
            name: expand(held, base=base, where=f"{where}.{name}".lstrip(".")) for name, held in value.items()
        }
    if isinstance(value, list):
        return [expand(held, base=base, where=where) for held in value]
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: _look_up(found, base=base, where=where), value)
    return value


def _look_up(found: re.Match[str], *, base: Path, where: str) -> str:
    if found["file"]:
        return _read_secret(base / found["name"], where=where)
    held = os.environ.get(found["name"])
    if held is None:
        msg = f"{where}: the variable {found['name']} is not set in the environment"
        raise ConfigurationError(msg)
    return held


def _read_secret(path: Path, *, where: str) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_IMODE(mode) & 0o077:
            msg = f"{where}: others may read {path}; say chmod 600"
            raise ConfigurationError(msg)
        with path.open("rb") as opened:
            return opened.read(_MAX_SECRET_BYTES).decode().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as trouble:
        msg = f"{where}: {path} cannot be read as text"
        raise ConfigurationError(msg) from trouble
