"""What an act on rows leaves behind: its leaves, and who holds which rows now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from core.database import Connection
from core.database.writes import Writes
from core.log.writer import LogWriter, NewLeaf
from exchange.query.store import MAX_HOLDERS_WRITTEN, Holder, save_holders, write_holders


@dataclass(slots=True, kw_only=True)
class Records:
    """Records of one transaction, saved in one go. `owners` names the owners of resources, by their codes."""

    leaves: list[NewLeaf] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    holders: list[Holder] = field(default_factory=list)

    def add(self, other: Records) -> None:
        """Take over the records of another part of the act."""
        self.leaves += other.leaves
        self.owners |= other.owners
        self.holders += other.holders

    async def save(self, connection: Connection, *, log: LogWriter, further: Sequence[NewLeaf] = ()) -> None:
        """Write who holds what, then the leaves, `further` ones last, in the transaction of the act."""
        await save_holders(connection, holders=self.holders)
        await log.append_all(connection, [*self.leaves, *further], owners=self.owners)

    async def save_with(
        self, connection: Connection, writes: Writes, *, log: LogWriter, further: Sequence[NewLeaf]
    ) -> Sequence[object]:
        """Do as `save` in the statement of other `writes`, and return what these ask for.

        The writes must not change recorded rows.
        """
        if len(self.holders) > MAX_HOLDERS_WRITTEN:
            await save_holders(connection, holders=self.holders)
        else:
            write_holders(writes, holders=self.holders)
        return await log.append_with(connection, writes, [*self.leaves, *further], owners=self.owners)
