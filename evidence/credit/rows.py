"""Rows for the credit dataset of commitments (信用承诺, `xy_cn` of the shipped standards)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from core.caller import Caller
from core.china_time import CHINA_TIME
from core.database import Database
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cases.model import Party
from evidence.cases.sealing import OrderSeal
from evidence.commitments import store
from evidence.commitments.model import Placed, UndertakingKind, UndertakingState
from evidence.rules.model import PartyKind

COLUMNS: Final = (
    *("CNBH", "CNRMC", "CNRDM", "CNRZJHM", "CNRLB", "SXBM", "CNLX", "CNNR"),
    *("CNSZY", "CNRQ", "YXQZ", "SLDW", "SLDWDM", "LXZT", "HCRQ", "WNQK"),
)
_BROKEN: Final = "未履行"
_COMMITMENT_STATES: Final = {
    UndertakingState.OPEN: "履行中",
    UndertakingState.OVERDUE: "履行中",
    UndertakingState.KEPT: "已履行",
    UndertakingState.BREACHED: _BROKEN,
}


class RowBuilder:
    """Builds the rows of the credit dataset out of undertakings and what they keep under seal."""

    def __init__(self, seal: OrderSeal) -> None:
        self._seal = seal

    def find_party(self, placed: Placed) -> Party | None:
        """Return who made a commitment; None where that is not kept."""
        undertaking = placed.undertaking
        if undertaking.kind is not UndertakingKind.COMMITMENT or undertaking.sealed is None:
            return None
        order = self._seal.open(undertaking.sealed, bound_to=undertaking.id)
        return next((each for each in order.parties if each.role == undertaking.role), None)

    def build(self, placed: Placed, *, office_name: str, told: UndertakingState) -> dict[str, str] | None:
        """Build the row that tells of a commitment in a state; None where nobody is named any more."""
        party = self.find_party(placed)
        if party is None:
            return None
        undertaking = placed.undertaking
        is_firm = party.kind is PartyKind.ORGANISATION
        fulfilment = _COMMITMENT_STATES[told]
        return {
            "CNBH": str(undertaking.id),
            "CNRMC": party.name,
            "CNRDM": party.code if is_firm else "",
            "CNRZJHM": "" if is_firm else party.code,
            "CNRLB": "法人及非法人组织" if is_firm else "自然人",
            "SXBM": placed.item_code[:50],
            "CNLX": "证明事项",
            "CNNR": undertaking.text,
            "CNSZY": undertaking.text_sm3,
            "CNRQ": _day(undertaking.made_at),
            "YXQZ": _day(undertaking.due_at),
            "SLDW": office_name,
            "SLDWDM": str(placed.organisation_code),
            "LXZT": fulfilment,
            "HCRQ": "" if undertaking.checked_at is None else _day(undertaking.checked_at),
            "WNQK": (undertaking.reason or "") if fulfilment == _BROKEN else "",
        }


class CreditDesk:
    """Writes an office's commitments as rows that the credit dataset takes."""

    def __init__(self, *, database: Database, log: LogWriter, rows: RowBuilder) -> None:
        self._database = database
        self._log = log
        self._rows = rows

    async def list_rows(self, *, caller: Caller) -> list[dict[str, str]]:
        """List the rows of the caller's commitments, newest first; on record with whom they name."""
        async with self._database.transaction() as connection:
            office = await load_organisation(connection, code=caller.organisation_code)
            found = await store.load_placed_of(
                connection,
                organisation_code=caller.organisation_code,
                department=None,
                states=list(_COMMITMENT_STATES),
            )
            placed = [each for each in found if each.undertaking.kind is UndertakingKind.COMMITMENT]
            rows, subjects = [], []
            for each in placed:
                party = self._rows.find_party(each)
                row = self._rows.build(each, office_name=office.name, told=each.undertaking.state)
                if party is not None and row is not None:
                    rows.append(row)
                    subjects.append(party.code)
            await self._log.append(
                connection,
                event=Event.CREDIT_ROWS_READ,
                caller=caller,
                subjects=subjects,
                details={"rows": len(rows)},
            )
        return rows


def _day(moment: datetime) -> str:
    return moment.astimezone(CHINA_TIME).strftime("%Y%m%d")
