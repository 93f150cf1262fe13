"""What the fuzzer found, one test each."""

from __future__ import annotations

import pytest

from signing.errors import DecodeError
from signing.merkle.checkpoint import parse_witness_key
from signing.merkle.notes import check_key_name, parse_verifier_key
from signing.structured_fields import MAX_FIELD_CHARACTERS, parse_dictionary, parse_item, parse_list


@pytest.mark.parametrize("name", ["log\udcff", "\ud800"])
def test_verifier_key_named_with_half_a_surrogate_pair_is_refused(name: str) -> None:
    for parse in (parse_verifier_key, parse_witness_key):
        with pytest.raises(DecodeError):
            parse(f"{name}+00000000+{'A' * 43}=")
    with pytest.raises(DecodeError):
        check_key_name(name)


@pytest.mark.parametrize("member", ["a", "a;b", "(a)", '"a"'])
def test_structured_field_longer_than_any_server_takes_is_refused_before_it_is_read(member: str) -> None:
    text = ",".join([member] * (MAX_FIELD_CHARACTERS // len(member)))
    for parse in (parse_item, parse_list, parse_dictionary):
        with pytest.raises(DecodeError, match="at most"):
            parse(text)
