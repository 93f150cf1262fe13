"""`shuzheng connector`: the commands of the SDK, as they are."""

from __future__ import annotations

from connectors.cli.main import app as app
