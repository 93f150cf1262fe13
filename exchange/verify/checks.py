"""Reading the checks of a call, against the resources and the caller's grants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.errors import BadInput, FieldError, SchemaViolation
from exchange.access.ground import Ground, ReadGrant
from exchange.access.values import parse_value
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
