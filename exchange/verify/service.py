"""The rules of verification."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.caller import Caller, Purpose
from core.database import Connection, Database
from core.errors import BadInput, FieldError, RateLimited, SchemaViolation
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.model import Grant, Mode
from exchange.access.refusal import RefusalLog
from exchange.access.resources import load_known_resource, verify_grant
from exchange.access.row_filter import parse_row_filter
from exchange.access.values import BEIJING, name_subject, parse_value, render_value
from exchange.catalogue.model import Resource
from exchange.query.model import Snapshot
from exchange.query.service import parse_values
from exchange.query.store import load_rows
from exchange.verify import store
from exchange.verify.compare import is_same
from exchange.verify.model import Assertion, Judgement, Outcome, ReceiptIssuer, Verification
from exchange.verify.receipts import build_salted_digest
from signing.canonical_json import JsonValue

MAX_ASSERTIONS: Final = 200
DEFAULT_MISMATCHES_A_DAY: Final = 20
SALT_BYTES: Final = 16
RECEIPT_KIND: Final = "shuzheng-verification/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """A call, read: the subject's key values and the asserted values in the columns' types."""

    caller: Caller
    purpose: Purpose
    resource: Resource
    subject: Mapping[str, object]
    assertions: Sequence[Assertion]
    values: Sequence[object]

    @property
    def identity(self) -> str:
        """One text for the resource and the subject, from which the budget's key is hashed."""
        rendered = {name: render_value(value) for name, value in sorted(self.subject.items())}
        return json.dumps([self.resource.code, rendered], ensure_ascii=False)


class VerifyService:
    """Checks facts, counts wrong guesses, and has receipts signed."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        refusals: RefusalLog,
        receipts: ReceiptIssuer,
        now: Callable[[], datetime],
        mismatches_a_day: int = DEFAULT_MISMATCHES_A_DAY,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self._database = database
        self._log = log
        self._refusals = refusals
        self._receipts = receipts
        self._now = now
        self._mismatches_a_day = mismatches_a_day
        self._random_bytes = random_bytes

    async def verify(
        self,
        *,
        caller: Caller,
        purpose: Purpose,
        resource_code: str,
        subject: Mapping[str, object],
        assertions: Sequence[Assertion],
    ) -> Verification:
        """Check all assertions about one subject, and answer them all at once (一次性告知).

        1. A grant of mode verify in force: else GrantMissing, in the same words whatever was asked. 2. The
        request is well formed: else SchemaViolation. 3. The budget of wrong guesses about this subject is not
        used up: else RateLimited. 4. The outcomes. 5. The count and the leaf, in the same transaction.
        6. The receipt.
        """
        watch = self._refusals.watch(
            caller=caller, purpose=purpose, resource_code=resource_code, action="verify"
        )
        async with watch, self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=resource_code)
            grant = await verify_grant(
                connection,
                resource=resource,
                caller=caller,
                purpose=purpose,
                mode=Mode.VERIFY,
                wanted={assertion.item for assertion in assertions},
                at=self._now(),
            )
            request = _Request(
                caller=caller,
                purpose=purpose,
                resource=resource,
                subject=_parse_subject(resource, subject),
                assertions=assertions,
                values=_parse_assertions(resource, assertions),
            )
            snapshot, judgements = await self._judge(connection, request, grant)
            await self._record(connection, request, grant, snapshot, judgements)
        salt = self._random_bytes(SALT_BYTES)
        payload = _build_payload(request, snapshot, judgements, salt=salt)
        return Verification(
            resource_code=resource.code,
            grant_id=grant.id,
            version=snapshot.version,
            as_of=snapshot.as_of,
            judgements=judgements,
            opening=salt.hex(),
            receipt=await self._receipts.issue(payload),
        )

    async def _judge(
        self, connection: Connection, request: _Request, grant: Grant
    ) -> tuple[Snapshot, tuple[Judgement, ...]]:
        """Judge within the budget of mismatches, which is held against other calls meanwhile."""
        budget_key = self._log.hash_subject(request.identity)
        today = self._now().astimezone(BEIJING).date()
        system_id = request.caller.system_id
        used = await store.lock_mismatches(
            connection, system_id=system_id, subject_hmac=budget_key, counted_on=today
        )
        if used >= self._mismatches_a_day:
            msg = "too many values that did not match were tried for this subject today; ask again tomorrow"
            raise RateLimited(msg)
        granted = set(grant.open_items(request.resource))
        snapshot = await load_rows(
            connection,
            resource_code=request.resource.code,
            key_items=[item.name for item in request.resource.key_items],
            items=sorted(granted & {assertion.item for assertion in request.assertions}),
            conditions=request.subject,
            row_filter=parse_row_filter(request.resource, grant.terms.row_filter),
            after_key=None,
            limit_rows=2,
        )
        judgements = tuple(
            Judgement(
                item=assertion.item,
                operator=assertion.operator,
                outcome=judge(snapshot, assertion.item, value)
                if assertion.item in granted
                else Outcome.NOT_AUTHORISED,
            )
            for assertion, value in zip(request.assertions, request.values, strict=True)
        )
        mismatches = sum(judgement.outcome is Outcome.MISMATCH for judgement in judgements)
        if mismatches:
            await store.add_mismatches(
                connection,
                system_id=system_id,
                subject_hmac=budget_key,
                counted_on=today,
                mismatches=mismatches,
            )
        return snapshot, judgements

    async def _record(
        self,
        connection: Connection,
        request: _Request,
        grant: Grant,
        snapshot: Snapshot,
        judgements: Sequence[Judgement],
    ) -> None:
        await self._log.append(
            connection,
            event=Event.FACTS_VERIFIED,
            caller=request.caller,
            purpose=request.purpose,
            resource_code=request.resource.code,
            grant_id=grant.id,
            subject=name_subject(request.resource.key_items, dict(request.subject)),
            details={
                "items": [judgement.item for judgement in judgements],
                "outcomes": dict(Counter(str(judgement.outcome) for judgement in judgements)),
                "version": snapshot.version,
            },
        )


def judge(snapshot: Snapshot, item: str, value: object) -> Outcome:
    """Judge one asserted value of a granted item against the rows that the subject's keys found."""
    if snapshot.version == 0:
        return Outcome.SOURCE_UNAVAILABLE
    if not snapshot.rows:
        return Outcome.NOT_FOUND
    if len(snapshot.rows) > 1:
        return Outcome.NOT_UNIQUE
    stored = snapshot.rows[0][item]
    if stored is None:
        return Outcome.NOT_FOUND
    return Outcome.MATCH if is_same(stored, value) else Outcome.MISMATCH


def _parse_subject(resource: Resource, subject: Mapping[str, object]) -> dict[str, object]:
    keys = {item.name for item in resource.key_items}
    if not subject or not set(subject) <= keys:
        msg = f"subject names one or more of the key items: {', '.join(sorted(keys))}"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/subject", code="KEY-ITEMS", detail=msg),))
    return parse_values(resource, subject, place="/subject")


def _parse_assertions(resource: Resource, assertions: Sequence[Assertion]) -> list[object]:
    """Read the asserted values. Raises SchemaViolation with everything that is wrong.

    An item may be asserted once: a list of values for one item would be guessing in one go.
    """
    errors: list[FieldError] = []
    values: list[object] = []
    if not 1 <= len(assertions) <= MAX_ASSERTIONS:
        detail = f"send 1 to {MAX_ASSERTIONS} assertions"
        errors.append(FieldError(pointer="/assertions", code="COUNT", detail=detail))
    asserted: set[str] = set()
    for position, assertion in enumerate(assertions[:MAX_ASSERTIONS]):
        pointer = f"/assertions/{position}"
        item = resource.item(assertion.item)
        if item is None:
            detail = "the resource has no item of this name"
            errors.append(FieldError(pointer=f"{pointer}/item", code="UNKNOWN-ITEM", detail=detail))
            continue
        if item.name in asserted:
            detail = "an item is asserted once per call"
            errors.append(FieldError(pointer=f"{pointer}/item", code="DUPLICATE", detail=detail))
        asserted.add(item.name)
        try:
            values.append(parse_value(item, assertion.value))
        except BadInput as wrong:
            errors.append(FieldError(pointer=f"{pointer}/value", code="VALUE", detail=wrong.detail))
    if errors:
        msg = "the assertions are not all right; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return values


def _build_payload(
    request: _Request, snapshot: Snapshot, judgements: Sequence[Judgement], *, salt: bytes
) -> dict[str, JsonValue]:
    """Build what the receipt vouches for. Subject and values are in it as salted digests only."""
    subject = {name: render_value(value) for name, value in request.subject.items()}
    asserted = [
        {"item": assertion.item, "op": str(assertion.operator), "value": render_value(value)}
        for assertion, value in zip(request.assertions, request.values, strict=True)
    ]
    return {
        "kind": RECEIPT_KIND,
        "resource": request.resource.code,
        "version": snapshot.version,
        "as_of": None if snapshot.as_of is None else snapshot.as_of.isoformat(),
        "organisation": str(request.caller.organisation_code),
        "service_item": request.purpose.service_item,
        "case_number": request.purpose.case_number,
        "subject_digest": build_salted_digest(salt, subject),
        "request_digest": build_salted_digest(salt, {"subject": subject, "assertions": asserted}),
        "answers": [
            {"item": judgement.item, "op": str(judgement.operator), "outcome": str(judgement.outcome)}
            for judgement in judgements
        ],
    }
