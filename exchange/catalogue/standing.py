"""Whether a resource may be read, applied for or published to, as its state and its successor have it."""

from __future__ import annotations

from datetime import datetime

from core.china_time import china_day
from core.errors import Closed
from exchange.catalogue.model import Resource, ResourceState


def verify_open(resource: Resource, *, at: datetime) -> None:
    """Let a resource pass that can be read and published to. Raises Closed, which says what to do instead."""
    if resource.state is ResourceState.RECALLED:
        msg = f"the provider recalled this resource from the catalogue: {resource.state_reason}"
        raise Closed(msg)
    if resource.readable_until is not None and china_day(at) > resource.readable_until:
        msg = (
            f"this major version could be read until {resource.readable_until.isoformat()}; "
            f"its successor is {resource.superseded_by}"
        )
        raise Closed(msg)


def verify_applicable(resource: Resource, *, at: datetime) -> None:
    """Let a resource pass that can be applied for: open, and without a successor. Raises Closed."""
    verify_open(resource, at=at)
    if resource.superseded_by is not None:
        msg = f"this major version has a successor; apply for {resource.superseded_by}"
        raise Closed(msg)
