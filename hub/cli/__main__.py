"""`python -m hub.cli` is `shuzheng`."""

from hub.cli.main import main

main()
