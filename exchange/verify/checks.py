"""Reading the checks of a call, against the resources and the caller's grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.caller import Purpose
from core.errors import BadInput, FieldError, SchemaViolation
from core.log.writer import LogWriter
from exchange.access.ground import Ground, GroundReader, ReadGrant
from exchange.access.model import Mode
from exchange.access.values import name_identity, parse_value
from exchange.catalogue.model import Resource
from exchange.query.questions import parse_values
from exchange.verify.model import Assertion, Check

MAX_ASSERTIONS: Final = 200
LOCK_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCheck:
    """A check with the subject's key values and the asserted values in the columns' types.

    `read` None: no grant covers the resource. `budget_key` is the keyed hash of resource and subject.
    """

    check: Check
    ground: Ground
    read: ReadGrant | None
    subject: Mapping[str, object]
    values: Sequence[object]
    budget_key: bytes

    @property
    def resource(self) -> Resource:
        """The resource."""
        return self.ground.resource

    @property
    def lock(self) -> int:
        """The number of the advisory lock that guards the subject's budget."""
        return read_lock(self.budget_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSubject:
    """A subject that was read against its resource, and the key of its budget."""

    subject: dict[str, object]
    budget_key: bytes


def read_lock(budget_key: bytes) -> int:
    """Name the advisory lock that guards the budget of this key."""
    return int.from_bytes(budget_key[:LOCK_BYTES], "big", signed=True)


def parse_subject(resource: Resource, subject: Mapping[str, object]) -> dict[str, object]:
    """Read the subject. Raises SchemaViolation."""
    keys = {item.name for item in resource.key_items}
    if not subject or not set(subject) <= keys:
        msg = f"subject names one or more of the key items: {', '.join(sorted(keys))}"
        raise SchemaViolation(msg, errors=(FieldError(pointer="/subject", code="KEY-ITEMS", detail=msg),))
    return parse_values(resource, subject, place="/subject")


def parse_assertions(resource: Resource, assertions: Sequence[Assertion]) -> list[object]:
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


class SubjectReader:
    """Reads checks against the grounds of their resources, and names the budgets of their subjects."""

    def __init__(self, *, log: LogWriter, grounds: GroundReader) -> None:
        self._log = log
        self._grounds = grounds

    def guess(self, check: Check) -> KnownSubject | None:
        """Read a subject against the resource as this process knew it last; None where that cannot be."""
        resource = self._grounds.peek(check.resource_code)
        if resource is None:
            return None
        try:
            return self._name(resource, parse_subject(resource, check.subject))
        except BadInput:
            return None

    def read_check(
        self, ground: Ground, read: ReadGrant | None, check: Check, *, known: KnownSubject | None = None
    ) -> ReadCheck:
        """Read a check; `known` is its subject where that was read already. Raises SchemaViolation."""
        if known is None:
            known = self._name(ground.resource, parse_subject(ground.resource, check.subject))
        return ReadCheck(
            check=check,
            ground=ground,
            read=read,
            subject=known.subject,
            values=parse_assertions(ground.resource, check.assertions),
            budget_key=known.budget_key,
        )

    def _name(self, resource: Resource, subject: dict[str, object]) -> KnownSubject:
        key = self._log.hash_subject(name_identity(resource.code, subject))
        return KnownSubject(subject=subject, budget_key=key)


def choose_grant(ground: Ground, purpose: Purpose, check: Check) -> ReadGrant | None:
    """Return the grant that covers a check, closed or not; None where there is none."""
    if not any(each.grant.serves(purpose.service_item) for each in ground.grants):
        return None
    wanted = {assertion.item for assertion in check.assertions}
    opened = ground if ground.closed is None else replace(ground, closed=None)
    return opened.choose(purpose=purpose, mode=Mode.VERIFY, wanted=wanted)


def place_errors(wrong: SchemaViolation, position: int) -> list[FieldError]:
    """Move the pointers of a check's errors to its place among the checks of a call."""
    return [replace(error, pointer=f"/checks/{position}{error.pointer}") for error in wrong.errors]


def refuse_repeats(checks: Sequence[ReadCheck]) -> None:
    """Raise SchemaViolation where two checks of a call assert one item of one subject."""
    seen: set[tuple[bytes, str]] = set()
    for position, each in enumerate(checks):
        for assertion in each.check.assertions:
            if (each.budget_key, assertion.item) in seen:
                detail = "an item of a subject is asserted once per call"
                error = FieldError(pointer=f"/checks/{position}", code="DUPLICATE", detail=detail)
                raise SchemaViolation(detail, errors=(error,))
            seen.add((each.budget_key, assertion.item))


def refuse_counts(checks: Sequence[Check]) -> None:
    """Raise SchemaViolation for too many assertions in all, or a check without any."""
    total = sum(len(check.assertions) for check in checks)
    if not 1 <= total <= MAX_ASSERTIONS or any(not check.assertions for check in checks):
        detail = f"send 1 to {MAX_ASSERTIONS} assertions in all, and none of the checks empty"
        raise SchemaViolation(detail, errors=(FieldError(pointer="/checks", code="COUNT", detail=detail),))
