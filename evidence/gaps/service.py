"""Draw the gap map of an item."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.caller import Caller
from core.database import Database
from core.errors import Conflict
from evidence.gaps.assess import assess_materials
from evidence.gaps.ground import load_ground
from evidence.gaps.model import GapMap
from evidence.rules.check import check_item
from evidence.rules.model import Severity
from evidence.rules.service import RuleService
from evidence.superiors import verify_overseer


class GapService:
    """Holds an item's rules against what its office may use today."""

    def __init__(self, *, database: Database, rules: RuleService, now: Callable[[], datetime]) -> None:
        self._database = database
        self._rules = rules
        self._now = now

    async def draw(self, code: str, *, version: int | None, caller: Caller) -> GapMap:
        """Draw the gap map of a version; without a number of the released one, else the newest.

        Raises NotFound, Forbidden for who has no business with the office, Conflict where the rules are
        unsound in themselves.
        """
        found = await self._rules.load(code, version=version)
        item, now = found.item, self._now()
        errors = [each for each in check_item(item) if each.severity is Severity.ERROR]
        if any(each.code != "EXAMPLE-FAILED" for each in errors):
            msg = "the rules of this version are unsound; POST /v1/service-items/check names what to mend"
            raise Conflict(msg)
        async with self._database.acquire() as connection:
            await verify_overseer(connection, office=item.office, caller=caller)
            ground = await load_ground(connection, item, at=now)
        return GapMap(
            item=item.code,
            title=item.title,
            version=found.version,
            office=item.office,
            at=now,
            materials=assess_materials(item, ground),
            names=ground.names,
        )
