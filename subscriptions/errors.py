"""What can go wrong with subscriptions, beside the errors that the hub shares.

Conflict
├── ConsumerPaused     nothing is handed to the consumer until it is resumed       409
└── VersionsPruned     the changes asked for are no longer kept                    410
BadInput
└── FormNotOffered     the client accepts none of the forms that there are         406
"""

from __future__ import annotations

from collections.abc import Sequence

from core.errors import BadInput, Conflict


class ConsumerPaused(Conflict):
    """Nothing is handed to the consumer until it is resumed."""

    code = "SUBSCRIPTION-PAUSED"
    title = "Consumer paused"


class VersionsPruned(Conflict):
    """The changes asked for are no longer kept; begin again with all rows of the present version."""

    code = "SUBSCRIPTION-PRUNED"
    title = "Changes no longer kept"

    def __init__(self, *, oldest_kept: int) -> None:
        super().__init__(
            f"whole versions are kept from version {oldest_kept} on; rewind the consumer to after a version"
            " from there on, or to `start`, which gives all rows of the present version and then the changes"
            " after it"
        )
        self.oldest_kept = oldest_kept


class FormNotOffered(BadInput):
    """The client accepts none of the forms in which changes are handed over."""

    code = "SUBSCRIPTION-FORM"
    title = "Form not offered"

    def __init__(self, offered: Sequence[str]) -> None:
        super().__init__(f"changes are handed over as {', '.join(offered)}; accept one of them")
