"""What the fuzzer found, one test each."""

from __future__ import annotations

import pytest

from signing.errors import DecodeError
from signing.merkle.checkpoint import parse_witness_key
from signing.merkle.notes import check_key_name, parse_verifier_key


@pytest.mark.parametrize("name", ["log\udcff", "\ud800"])
def test_verifier_key_named_with_half_a_surrogate_pair_is_refused(name: str) -> None:
    for parse in (parse_verifier_key, parse_witness_key):
        with pytest.raises(DecodeError):
            parse(f"{name}+00000000+{'A' * 43}=")
    with pytest.raises(DecodeError):
        check_key_name(name)
