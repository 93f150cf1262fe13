"""`python -m connectors`: the commands of `shuzheng connector` on a machine without a hub."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. Errors of ours end with their sentence on stderr."""
    try:
        from connectors.cli.main import app  # noqa: PLC0415 - needs the extra
    except ImportError as missing:
        sys.exit(f"this needs {missing.name}: pip install 'shuzheng[connectors]'")
    from connectors.errors import ConnectorError  # noqa: PLC0415

    try:
        app()
    except ConnectorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
