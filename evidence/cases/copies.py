"""Annotated copies (加注件) of the certificates that a case rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from certs.copies.service import CopyService
from core.errors import ShuzhengError
from evidence.cases.model import FactState, Resolution
from evidence.sources.model import Asker, Outcome
from signing.canonical_json import JsonValue

LIFE: Final = timedelta(days=30)


class CopyMaker:
    """Has copies made for a case, each sealed again with what it is for and until when it counts."""

    def __init__(self, *, copies: CopyService, now: Callable[[], datetime]) -> None:
        self._copies = copies
        self._now = now

    async def make_all(self, resolution: Resolution, *, asker: Asker) -> dict[str, JsonValue]:
        """Make a copy of every certificate that supplied a fact; a copy that fails says why in its place."""
        facts = [
            state
            for state in resolution.facts.values()
            if state.outcome is Outcome.SUPPLIED and _identifier(state) is not None
        ]
        made = await asyncio.gather(*(self._make(state, resolution, asker) for state in facts))
        return {state.fact.code: each for state, each in zip(facts, made, strict=True)}

    async def _make(self, state: FactState, resolution: Resolution, asker: Asker) -> JsonValue:
        identifier = _identifier(state)
        assert identifier is not None
        try:
            copy = await self._copies.make(
                identifier,
                cause=f"办理{resolution.item.title}"[:200],
                expires_at=self._now() + LIFE,
                code=asker.codes[0] if asker.codes else None,
                caller=asker.caller,
                purpose=asker.purpose,
            )
        except ShuzhengError as failed:
            return {"error": failed.code, "detail": failed.detail}
        return {
            "id": str(copy.id),
            "file": f"/v1/certificate-copies/{copy.id}/file",
            "digest": f"sm3:{copy.digest_sm3.hex()}",
            "expires_at": copy.expires_at.isoformat(),
        }


def _identifier(state: FactState) -> str | None:
    if state.deciding is None or state.deciding.reading.basis is None:
        return None
    return state.deciding.reading.basis.certificate_id
