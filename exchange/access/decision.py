"""Step 2 of an access request: what a provider may decide."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from core.caller import Caller
from core.errors import FieldError, Forbidden, NotFound, SchemaViolation
from core.text import check_text
from exchange.access.check import assess_filter, check_whole_rows
from exchange.access.masks import assess_masks
from exchange.access.model import Application, Decision, MasksJson, Mode, RowFilterJson, Terms
from exchange.catalogue.model import Resource, ShareType

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a provider says to an application.

    A yes may be partial: fewer `items` or `modes`, more conditions on the rows (`row_filter`, added to those
    asked for), masks. A no needs a `reason`.
    """

    decision: Decision
    items: Sequence[str] | None = None
    modes: frozenset[Mode] | None = None
    row_filter: RowFilterJson = field(default_factory=dict)
    masks: MasksJson = field(default_factory=dict)
    reason: str | None = None


def verify_decider(caller: Caller, application: Application, resource: Resource) -> None:
    """Raise Forbidden for the applicant and NotFound for everybody else but those who may decide.

    That is the resource's provider and, once the answer is overdue, its superior organisation.
    """
    if caller.organisation_code in {resource.provider_code, application.escalated_to}:
        return
    if application.organisation_code != caller.organisation_code:
        raise no_application()
    msg = "only the resource's provider can decide an application"
    raise Forbidden(msg)


def apply_verdict(application: Application, resource: Resource, verdict: Verdict) -> Application:
    """Return the application with the terms that the verdict leaves. Raises SchemaViolation."""
    refusing = verdict.decision is Decision.REFUSE
    errors = check_text(
        "/reason", verdict.reason or "", max_characters=MAX_REASON_CHARACTERS, required=refusing
    )
    terms = application.terms
    wanted = terms.items if verdict.items is None else tuple(verdict.items)
    modes = terms.modes if verdict.modes is None else verdict.modes
    if refusing and (verdict.items is not None or verdict.modes is not None):
        errors.append(
            FieldError(pointer="/items", code="UNWANTED", detail="a refusal names no items or modes")
        )
    elif not wanted or not modes:
        detail = "approve at least one item and one mode, or refuse"
        errors.append(FieldError(pointer="/items", code="EMPTY", detail=detail))
    if not modes <= terms.modes:
        errors.append(
            FieldError(pointer="/modes", code="NOT-ASKED-FOR", detail="not all are modes of the application")
        )
    errors += _check_wanted(application, resource, verdict.decision, wanted)
    if not refusing:
        errors += check_whole_rows(resource, items=wanted, modes=modes)
        errors += check_narrower_filter(resource, terms, verdict.row_filter, modes=modes)
        errors += assess_masks(resource, verdict.masks, pointer="/masks")
        errors += check_masked_keys(resource, modes, verdict.masks)
    if errors:
        msg = "the decision cannot be taken as it is; see errors"
        raise SchemaViolation(msg, errors=tuple(errors))
    return replace(application, terms=narrow_terms(terms, wanted, modes, verdict.row_filter, verdict.masks))


def narrow_terms(
    terms: Terms,
    items: Sequence[str],
    modes: frozenset[Mode],
    row_filter: RowFilterJson,
    masks: MasksJson,
) -> Terms:
    """Return `terms` with these items and modes, and more conditions and masks."""
    return replace(
        terms,
        items=tuple(name for name in terms.items if name in items),
        modes=modes,
        search_items=None
        if terms.search_items is None
        else tuple(name for name in terms.search_items if name in items),
        row_filter={**terms.row_filter, **row_filter},
        masks={**terms.masks, **masks},
    )


def check_narrower_filter(
    resource: Resource, terms: Terms, more: RowFilterJson, *, modes: Iterable[Mode]
) -> list[FieldError]:
    """Check conditions to be added: such as the modes allow, and none in the place of one that is there."""
    errors = assess_filter(resource, more, modes=modes)
    for label in set(more) & set(terms.row_filter):
        if more[label] != terms.row_filter[label]:
            detail = f"a condition labelled {label} is there already; conditions are added, not replaced"
            errors.append(FieldError(pointer="/row_filter", code="LABEL-TAKEN", detail=detail))
    return errors


def check_masked_keys(resource: Resource, modes: frozenset[Mode], masks: MasksJson) -> list[FieldError]:
    """Check that whoever gets whole rows by their key gets them with the key unmasked."""
    masked = [item.name for item in resource.key_items if item.name in masks]
    if not masked or not modes & {Mode.SUBSCRIBE, Mode.BULK}:
        return []
    detail = f"subscribe and bulk name rows by their key, which cannot be masked: {', '.join(masked)}"
    return [FieldError(pointer="/masks", code="KEY-ITEMS", detail=detail)]


def _check_wanted(
    application: Application, resource: Resource, decision: Decision, wanted: Sequence[str]
) -> list[FieldError]:
    errors = []
    for position, name in enumerate(wanted):
        item = resource.item(name)
        pointer = f"/items/{position}"
        if name not in application.terms.items:
            errors.append(
                FieldError(pointer=pointer, code="NOT-ASKED-FOR", detail="not an item of the application")
            )
        elif decision is Decision.APPROVE and (item is None or item.share_type is ShareType.NOT_SHARED):
            errors.append(
                FieldError(pointer=pointer, code="NOT-SHARED", detail=f"{name} is not shared any more")
            )
    return errors


def no_application() -> NotFound:
    """Build the error for an application that the caller may not know of."""
    return NotFound("there is no application of that id that you may know of")
