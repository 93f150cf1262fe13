"""The commands, for `shuzheng connector` and for `shuzheng-connector`."""
