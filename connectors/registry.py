"""Sources and sinks by name: the built-in ones, those of installed packages, and classes named directly.

A package of yours announces a source as an entry point of the group `shuzheng.sources` (`shuzheng.sinks`):
`my-system = "my_package.source:MySource"`. Without a package, `kind = "my_source.py:MySource"` names a class
in a file beside the configuration.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

from connectors.errors import ConfigurationError

SOURCES: Final = {
    "packages": "connectors.sources.packages:PackagesSource",
    "adbc": "connectors.sources.adbc:AdbcSource",
    "folder": "connectors.sources.folder:FolderSource",
    "hub": "connectors.sources.hub:HubSource",
    "http": "connectors.sources.http.source:HttpSource",
    "mysql": "connectors.sources.mysql:MysqlSource",
    "postgresql": "connectors.sources.postgresql:PostgresqlSource",
    "postgresql-log": "connectors.sources.replication.source:ReplicationSource",
    "s3": "connectors.sources.s3:S3Source",
    "sftp": "connectors.sources.sftp:SftpSource",
    "sqlalchemy": "connectors.sources.sqlalchemy:SqlalchemySource",
    "sqlite": "connectors.sources.sqlite:SqliteSource",
}
SINKS: Final = {
    "packages": "connectors.sinks.packages:PackagesSink",
    "folder": "connectors.sinks.folder:FolderSink",
    "http": "connectors.sinks.http:HttpSink",
    "hub": "connectors.sinks.hub:HubSink",
    "mysql": "connectors.sinks.mysql:MysqlSink",
    "postgresql": "connectors.sinks.postgresql:PostgresqlSink",
    "s3": "connectors.sinks.s3:S3Sink",
    "sftp": "connectors.sinks.sftp:SftpSink",
    "sqlalchemy": "connectors.sinks.sqlalchemy:SqlalchemySink",
    "sqlite": "connectors.sinks.sqlite:SqliteSink",
}
_GROUPS: Final = {"source": ("shuzheng.sources", SOURCES), "sink": ("shuzheng.sinks", SINKS)}


def list_kinds(role: str) -> dict[str, str]:
    """List what there is for `source` or `sink`: kind → where its class is. Built-in ones come first."""
    group, built_in = _GROUPS[role]
    return {point.name: point.value for point in entry_points(group=group)} | built_in


def load_kind(role: str, kind: str, *, base: Path) -> type[Any]:
    """Find the class of a kind. Raises ConfigurationError that lists what there is."""
    target = kind if ":" in kind else list_kinds(role).get(kind)
    if target is None:
        msg = f"{role}.kind: there is no {kind!r}; there are {', '.join(sorted(list_kinds(role)))}"
        raise ConfigurationError(msg)
    found = load_class(target, base=base, where=f"{role}.kind")
    if not isinstance(found, type) or not hasattr(found, "options_model"):
        msg = f"{role}.kind: {target} is no {role}: a class with options_model is wanted"
        raise ConfigurationError(msg)
    return found


def load_class(target: str, *, base: Path, where: str = "stage") -> Any:
    """Load `module:Class` or `FILE.py:Class`, the file below `base`. Raises ConfigurationError."""
    module_name, _, class_name = target.rpartition(":")
    try:
        module = _load_file(base / module_name) if module_name.endswith(".py") else import_module(module_name)
        return getattr(module, class_name)
    except (ImportError, AttributeError, OSError, ValueError) as missing:
        msg = f"{where}: {target} cannot be loaded ({missing})"
        raise ConfigurationError(msg) from missing


def _load_file(path: Path) -> Any:
    """Load a module from a file, once for each file."""
    name = f"shuzheng_connector_{path.resolve().as_posix().replace('/', '_').removesuffix('.py')}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = f"{path} is no Python file"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
