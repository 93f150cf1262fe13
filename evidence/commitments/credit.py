"""Rows for the credit dataset of commitments (信用承诺, `xy_cn` of the shipped standards)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from core.caller import Caller
from core.database import Database
from core.identity.store import load_organisation
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cases.model import Party
from evidence.commitments import store
from evidence.commitments.model import Placed, UndertakingKind, UndertakingState
from evidence.commitments.sealing import OrderSeal
from evidence.rules.model import PartyKind
from exchange.access.values import BEIJING

COLUMNS: Final = (
    *("CNBH", "CNRMC", "CNRDM", "CNRZJHM", "CNRLB", "SXBM", "CNLX", "CNNR"),
    *("CNSZY", "CNRQ", "YXQZ", "SLDW", "SLDWDM", "LXZT", "HCRQ", "WNQK"),
)
_STATES: Final = {
    UndertakingState.OPEN: "履行中",
    UndertakingState.OVERDUE: "履行中",
    UndertakingState.KEPT: "已履行",
    UndertakingState.BREACHED: "未履行",
}


class CreditDesk:
    """Writes an office's commitments as rows that the credit dataset takes."""

    def __init__(self, *, database: Database, log: LogWriter, seal: OrderSeal) -> None:
        self._database = database
        self._log = log
        self._seal = seal

    async def list_rows(self, *, caller: Caller) -> list[dict[str, str]]:
        """List the rows of the caller's commitments, newest first; on record with whom they name."""
        async with self._database.transaction() as connection:
            office = await load_organisation(connection, code=caller.organisation_code)
            placed = await store.load_placed_of(
                connection,
                organisation_code=caller.organisation_code,
                department=None,
                states=list(_STATES),
            )
            rows, subjects = [], []
            for each in placed:
                party = self._find_party(each)
                if party is not None:
                    rows.append(_build_row(each, party, office_name=office.name))
                    subjects.append(party.code)
            await self._log.append(
                connection,
                event=Event.CREDIT_ROWS_READ,
                caller=caller,
                subjects=subjects,
                details={"rows": len(rows)},
            )
        return rows

    def _find_party(self, placed: Placed) -> Party | None:
        undertaking = placed.undertaking
        if undertaking.kind is not UndertakingKind.COMMITMENT or undertaking.sealed is None:
            return None
        order = self._seal.open(undertaking.sealed, undertaking_id=undertaking.id)
        return next((each for each in order.parties if each.role == undertaking.role), None)


def _build_row(placed: Placed, party: Party, *, office_name: str) -> dict[str, str]:
    undertaking = placed.undertaking
    is_firm = party.kind is PartyKind.ORGANISATION
    breached = undertaking.state is UndertakingState.BREACHED
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
        "LXZT": _STATES[undertaking.state],
        "HCRQ": "" if undertaking.checked_at is None else _day(undertaking.checked_at),
        "WNQK": (undertaking.reason or "") if breached else "",
    }


def _day(moment: datetime) -> str:
    return moment.astimezone(BEIJING).strftime("%Y%m%d")
