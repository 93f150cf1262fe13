"""The chain of each subject: its leaves, counted, each naming the one before.

The sequencer, not the request, gives a leaf its number in the chains of the persons and firms that it is
about: requests on one subject never wait for each other, and numbers run in the order of the tree. What is
hashed into the tree is the entry: the leaf's body with the member `access` put in front, one object for each
subject in the order of `subjects`: `number` counts from 1, `previous` is the tree hash of the subject's
leaf before. All keys of a body sort after `access`, so an entry is canonical JSON too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = '{"access":'


def name_mass_reading(resource_code: str) -> str:
    """Name the chain in which readings of a resource's rows are counted that do not name each row's subject.

    A page of a feed, a bulk copy or an answer without numbers may hold thousands of subjects. Its leaf has
    the resource itself for its subject, so that those readings too are counted, and none can be left out.
    """
    return f"resource:{resource_code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A leaf's place in one subject's chain; `previous` is None for the first."""

    number: int
    previous: bytes | None


def build_entry(body: str, links: Sequence[Link]) -> bytes:
    """Build the bytes that are hashed into the tree from a leaf's body and its places in chains."""
    if not links:
        return body.encode()
    access = [
        {"number": link.number} | ({} if link.previous is None else {"previous": link.previous.hex()})
        for link in links
    ]
    return f"{_HEAD}{json.dumps(access, separators=(',', ':'))},{body[1:]}".encode()


def split_entry(entry: bytes) -> tuple[str, tuple[Link, ...]]:
    """Take an entry apart again: the body and the links. Raises ValueError for what is no entry."""
    text = entry.decode()
    if not text.startswith(_HEAD):
        return text, ()
    access, end = json.JSONDecoder().raw_decode(text, len(_HEAD))
    links = tuple(
        Link(
            number=int(each["number"]),
            previous=bytes.fromhex(each["previous"]) if "previous" in each else None,
        )
        for each in access
    )
    return "{" + text[end + 1 :], links
