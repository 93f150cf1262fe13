"""The framing of PostgreSQL's protocol, whatever pieces its messages come in."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from subscriptions.push.framing import MAX_MESSAGE_BYTES, Framing

messages = st.tuples(st.binary(min_size=1, max_size=1), st.binary(max_size=40)).map(
    lambda parts: parts[0] + (4 + len(parts[1])).to_bytes(4, "big") + parts[1]
)
wrong_lengths = st.integers(-(2**31), 3) | st.integers(MAX_MESSAGE_BYTES + 1, 2**31 - 1)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(bounds)]


@given(st.lists(messages, max_size=6), st.lists(st.integers(0, 300), max_size=8))
def test_messages_hold_in_whatever_pieces_they_come(sent: list[bytes], places: list[int]) -> None:
    framing = Framing()
    assert all(framing.holds(piece) for piece in cut(b"".join(sent), places))


@given(st.lists(messages, max_size=4), wrong_lengths, st.lists(st.integers(0, 300), max_size=8))
def test_message_of_a_length_that_cannot_be_is_found_wherever_it_comes(
    sent: list[bytes], length: int, places: list[int]
) -> None:
    framing = Framing()
    data = b"".join(sent) + b"D" + length.to_bytes(4, "big", signed=True)
    held = [framing.holds(piece) for piece in cut(data, places)]
    assert not all(held)
