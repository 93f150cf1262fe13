"""Bouncy Castle as the tests ask it, and evidence with one octet changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from signing.errors import ShuzhengError
from tests.interop import harness

CONTENT = "一数一源，一事联办".encode() * 50
PASSWORD = "correct horse"


class Castle:
    """Bouncy Castle at work in one directory."""

    def __init__(self, command: list[str], directory: Path) -> None:
        self._command = command
        self.directory = directory

    def __call__(self, *requests: Sequence[str]) -> list[dict[str, str]]:
        """Send several commands to one run of the program; return each one's fields or refusal."""
        lines = "".join("\t".join(request) + "\n" for request in requests)
        printed = harness.run(self._command, cwd=self.directory, stdin=lines.encode())
        answers = [line.split("\t") for line in printed.splitlines()]
        assert len(answers) == len(requests), printed
        return [
            dict(field.split("=", 1) for field in fields) if word == "ok" else {"refused": fields[0]}
            for word, *fields in answers
        ]

    def accepts(self, *request: str) -> dict[str, str]:
        """Send one command, which must not be refused."""
        (answer,) = self(request)
        assert "refused" not in answer, answer
        return answer

    def write(self, file: str, octets: bytes) -> str:
        (self.directory / file).write_bytes(octets)
        return file

    def read(self, file: str) -> bytes:
        return (self.directory / file).read_bytes()

    def refuses_every(self, variants: Sequence[bytes], *request: str) -> None:
        """Send the command once for each variant, whose file stands where the command says "*"."""
        files = [self.write(f"variant-{n}", variant) for n, variant in enumerate(variants)]
        answers = self(*([file if word == "*" else word for word in request] for file in files))
        accepted = [n for n, answer in enumerate(answers) if "refused" not in answer]
        assert not accepted, f"variants {accepted} of {len(variants)} were accepted"


def flips(octets: bytes, *, step: int = 1, start: int = 0, end: int | None = None) -> list[bytes]:
    """Every `step`-th octet of a range, each changed by one bit."""
    places = range(start, len(octets) if end is None else end, step)
    return [
        octets[:place] + bytes((octets[place] ^ 1 << place % 8,)) + octets[place + 1 :] for place in places
    ]


def flips_within(octets: bytes, *parts: bytes) -> list[bytes]:
    """Change each part, where it last stands, at up to sixteen places.

    Bouncy Castle reads BER and verifies what it encodes anew, so that a TRUE of another octet than FF is
    no change to it: only what has one encoding is changed for it to judge.
    """
    changed = []
    for part in parts:
        start = octets.rindex(part)
        changed += flips(octets, start=start, end=start + len(part), step=max(1, len(part) // 16))
    return changed


def refused_here(variants: Sequence[bytes], judge: Callable[[bytes], object]) -> None:
    """Require that `judge` refuses each variant, with an error of our own."""
    accepted = [number for number, variant in enumerate(variants) if _accepts(judge, variant)]
    assert not accepted, f"variants {accepted} of {len(variants)} were accepted"


def _accepts(judge: Callable[[bytes], object], variant: bytes) -> bool:
    try:
        judge(variant)
    except ShuzhengError:
        return False
    return True
