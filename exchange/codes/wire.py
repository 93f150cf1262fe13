"""The form in which code lists are sent, exported and imported."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import BaseModel, ConfigDict

from exchange.codes.model import Code, CodeList


class CodeIn(BaseModel):
    """A code and what it means."""

    model_config = ConfigDict(extra="forbid")

    code: str
    title: str
    is_retired: bool = False


class CodeListIn(BaseModel):
    """The whole of a code list but for its name."""

    model_config = ConfigDict(extra="forbid")

    title: str
    source: str = ""
    codes: list[CodeIn]

    def build(self, name: str) -> CodeList:
        """Make the list of this name."""
        codes = tuple(Code(**each.model_dump()) for each in self.codes)
        return CodeList(name=name, title=self.title, source=self.source, codes=codes)


class NamedCodeListIn(CodeListIn):
    """A code list to register."""

    name: str


def describe_code_list(held: CodeList) -> dict[str, object]:
    """Write a code list as JSON; `NamedCodeListIn` reads it back to the same list."""
    return {
        "name": held.name,
        "title": held.title,
        "source": held.source,
        "codes": [asdict(each) for each in held.codes],
    }
