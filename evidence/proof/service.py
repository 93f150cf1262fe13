"""Issue receipts to applicants; record what was asked of them all the same, and tell who oversees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID, uuid4

from certs.ofd.font_search import FontShelf
from core.caller import Caller, OrganisationCode, Scope
from core.database import Connection, Database
from core.errors import NotFound, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from core.text import check_text
from evidence.cascade.standing import verify_not_suspended
from evidence.cases.model import Case
from evidence.cases.store import load_bases, load_case_by_id, load_facts
from evidence.proof import store
from evidence.proof.model import MEANING, Asking, AskingFinding, PlacedAsking
from evidence.proof.printed import print_receipt, require_glyphs
from evidence.proof.statement import build_statement
from evidence.rules.service import RuleService
from evidence.sources.model import Outcome
from evidence.superiors import load_line, load_offices
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice
from exchange.verify.model import ReceiptIssuer
from signing import sm3
from signing.canonical_json import build_canonical_json

MAX_TEXT: Final = 500
MAX_CODE: Final = 128


class ProofService:
    """What the applicant can hold up, and what the office has to answer for."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        rules: RuleService,
        receipts: ReceiptIssuer,
        fonts: Callable[[], FontShelf],
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._rules = rules
        self._receipts = receipts
        self._fonts = fonts
        self._now = now

    async def issue_receipt(self, case_id: UUID, *, caller: Caller, printed: bool = False) -> bytes:
        """Issue the receipt of what was not requested in a case, as its last run left it.

        `printed`: as an OFD file to hold up, with the signed receipt attached. The leaf is written before the
        receipt is signed. Raises NotFound for another office's case, Conflict while it is suspended,
        FontMissing and GlyphMissing where it cannot be printed.
        """
        fonts = await asyncio.to_thread(self._fonts) if printed else None
        async with self._database.transaction() as connection:
            case = await self._load_own(connection, case_id, caller)
            await verify_not_suspended(connection, case_id=case_id)
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
            payload = build_statement(
                case,
                rules.item,
                facts=await load_facts(connection, case_id=case_id),
                bases=await load_bases(connection, case_id=case_id),
                organisation_name=caller.organisation_name,
            )
            if fonts is not None:
                require_glyphs(payload, signed_at=self._now(), fonts=fonts)
            details = {
                "case": str(case_id),
                "item": case.item_code,
                "run": case.runs,
                "payload_sm3": sm3.digest(build_canonical_json(payload)).hex(),
            }
            await self._log.append(
                connection, event=Event.EVIDENCE_RECEIPT_ISSUED, caller=caller, details=details
            )
        receipt = await self._receipts.issue(payload)
        if fonts is None:
            return receipt
        return await asyncio.to_thread(print_receipt, receipt, fonts=fonts)

    async def ask(
        self, case_id: UUID, *, material: str, reason: str, operator: str, caller: Caller
    ) -> Asking:
        """Record that the office asked the applicant for a material; a finding where it was not to.

        Said again since the same run, the first record is returned. A finding goes as a notice to the office
        and every organisation above it. Raises NotFound for another office's case, SchemaViolation.
        """
        errors = [
            *check_text("/material", material, max_characters=MAX_CODE),
            *check_text("/reason", reason, max_characters=MAX_TEXT, required=False),
            *check_text("/operator", operator, max_characters=MAX_CODE),
        ]
        if errors:
            msg = "the asking cannot be recorded; see errors"
            raise SchemaViolation(msg, errors=tuple(errors))
        async with self._database.transaction() as connection:
            case = await self._load_own(connection, case_id, caller)
            rules = await self._rules.load_kept(connection, case.item_code, case.item_version)
            outcome, finding = judge(case, material, listed={each.code for each in rules.item.materials})
            asking = Asking(
                id=uuid4(),
                case_id=case_id,
                run=case.runs,
                material_code=material,
                outcome=outcome,
                finding=finding,
                reason=reason,
                operator=operator,
                system_id=caller.system_id,
                asked_at=self._now(),
            )
            if not await store.save_asking(connection, asking=asking):
                return await store.load_asking(
                    connection, case_id=case_id, material_code=material, run=case.runs
                )
            await self._record(connection, case, asking, caller)
        return asking

    async def list_of_case(self, case_id: UUID, *, caller: Caller) -> Sequence[Asking]:
        """List what was asked for in a case. Raises NotFound."""
        async with self._database.acquire() as connection:
            await self._load_own(connection, case_id, caller, to_read=True)
            return await store.load_of_case(connection, case_id=case_id)

    async def list_findings(
        self, *, caller: Caller, before: datetime | None, limit: int
    ) -> Sequence[PlacedAsking]:
        """List findings, newest first: of the caller's office and those below it; of all to auditors."""
        async with self._database.acquire() as connection:
            offices = await load_offices(connection, caller=caller)
            return await store.load_findings(connection, offices=offices, before=before, limit=limit)

    async def _load_own(
        self, connection: Connection, case_id: UUID, caller: Caller, *, to_read: bool = False
    ) -> Case:
        case = await load_case_by_id(connection, case_id=case_id)
        is_seen = case is not None and (
            case.organisation_code == caller.organisation_code
            or (to_read and bool(caller.scopes & {Scope.AUDIT, Scope.ADMIN}))
            or (to_read and await _is_above(connection, case, caller))
        )
        if case is None or not is_seen:
            msg = "there is no case of that id"
            raise NotFound(msg)
        return case

    async def _record(self, connection: Connection, case: Case, asking: Asking, caller: Caller) -> None:
        details: dict[str, object] = {
            "asking": str(asking.id),
            "case": str(case.id),
            "item": case.item_code,
            "material": asking.material_code,
        }
        if asking.finding is not None:
            details["finding"] = str(asking.finding)
        await self._log.append(connection, event=Event.EVIDENCE_ASKED, caller=caller, details=details)
        if asking.finding is None:
            return
        told = {**details, "case_number": case.case_number, "office": str(case.organisation_code)}
        for code in await load_line(connection, office=case.organisation_code):
            await save_notice(
                connection,
                organisation_code=OrganisationCode(code),
                kind=NoticeKind.ASKED_NEEDLESSLY,
                resource_code=None,
                details=told,
                at=asking.asked_at,
            )


async def _is_above(connection: Connection, case: Case, caller: Caller) -> bool:
    return caller.organisation_code in await load_line(connection, office=case.organisation_code)


def judge(case: Case, material: str, *, listed: set[str]) -> tuple[Outcome | None, AskingFinding | None]:
    """Say what the case's last run said of a material, and whether asking for it is a finding."""
    if material not in listed:
        return None, AskingFinding.NOT_IN_GUIDE
    if material not in case.outcomes:
        return None, AskingFinding.NOT_REQUIRED
    outcome = Outcome(case.outcomes[material])
    return outcome, MEANING.get(outcome)
