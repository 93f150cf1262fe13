"""Cascade of demand: requests for a copied resource go up to the hub it comes from, decisions come down.

An application that is made at the lower hub waits there for its provider, whose system calls this. It is made
once more at the upper hub, under the provider's name, with the mark `[id of the application]` at the end of
its purpose; that mark is all that ties the two, so nothing is kept here and nothing is carried twice. What
the upper hub decides is then decided below: no more than it granted, and with its reason where it refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from connectors.client import HubClient

MAX_PURPOSE_CHARACTERS: Final = 1000
_TERMS: Final = (
    *("items", "modes", "service_items", "legal_basis", "valid_until", "row_filter"),
    *("search_items", "calls_per_day", "rows_per_day"),
)


class Fate(StrEnum):
    """What became of a request in this turn."""

    ASKED = "asked"  # made at the upper hub now
    WAITING = "waiting"  # made there before, and not decided yet
    APPROVED = "approved"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A request below, the one above that stands for it, and what became of it."""

    application: str
    above: str
    fate: Fate


def carry_demands(upper: HubClient, lower: HubClient, *, resource: str, code: str) -> Iterator[Carried]:
    """Carry the pending requests for `code`, the copy below of `resource`, a turn further each.

    `upper` may apply above, `lower` decides for the copy's provider. Raises Refused, ConnectionFailed;
    calling again goes on.
    """
    pending = [
        application
        for application in lower.send("GET", "/v1/applications", params={"as": "provider"}).json()
        if application["resource_code"] == code and application["state"] == "pending"
    ]
    made = upper.get("/v1/applications") if pending else []
    grants = {grant["application_id"]: grant for grant in upper.get("/v1/grants")} if pending else {}
    for application in pending:
        mark = f"[{application['id']}]"
        above, fate = next((one for one in made if one["purpose"].endswith(mark)), None), Fate.WAITING
        if above is None:
            above, fate = _ask(upper, resource, application, mark), Fate.ASKED
        elif above["state"] != "pending":
            fate = _decide(lower, application, above, grants.get(above["id"]))
        yield Carried(application=application["id"], above=above["id"], fate=fate)


def _ask(upper: HubClient, resource: str, application: dict[str, Any], mark: str) -> dict[str, Any]:
    """Make a request above. Where it is answered at once, the next turn carries the answer down."""
    purpose = application["purpose"][: MAX_PURPOSE_CHARACTERS - len(mark)] + mark
    terms = {name: application[name] for name in _TERMS} | {"purpose": purpose}
    return dict(upper.post(f"/v1/resources/{resource}/applications", terms))


def _decide(
    lower: HubClient, application: dict[str, Any], above: dict[str, Any], grant: dict[str, Any] | None
) -> Fate:
    """Decide below as it was decided above; items and modes that were not granted are not granted on."""
    path = f"/v1/applications/{application['id']}/decision"
    if above["state"] == "refused":
        reason = above["decision_reason"] or "refused by the hub above"
        lower.post(path, {"decision": "refuse", "reason": reason})
        return Fate.REFUSED
    given = grant or above
    decision = {
        "decision": "approve",
        "items": [item for item in application["items"] if item in set(given["items"])],
        "modes": [mode for mode in application["modes"] if mode in set(given["modes"])],
        "row_filter": given["row_filter"],
        "masks": given["masks"],
    }
    lower.post(path, decision)
    return Fate.APPROVED
