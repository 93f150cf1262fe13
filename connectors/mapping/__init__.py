"""Mapping a department's own columns, types and codes to those of a resource, as a TOML file says.

version = 1
[[column]]
from = "sex"
to = "XB"
format = "C1"
codes = "sex"
[codes.sex]
"男" = "1"
"女" = "2"
"""
