"""A bounded, deterministic fuzzer over every public parser of `signing`.

`python -m tests.fuzz --cases 100000` runs it; `test_parsers.py` runs a small share of it with the
other tests. Case number n of a target is always the same octets, so that a finding is named by target and n.
"""
