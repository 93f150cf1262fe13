"""The command line `shuzheng`."""

from hub.cli.main import main as main
