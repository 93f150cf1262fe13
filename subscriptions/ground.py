"""The ground on which anything of a subscription is handed over: its owner, its grant, its place."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from core.caller import Caller, OrganisationCode, Purpose
from core.database import Connection
from core.errors import BadInput, Conflict, GrantMissing, NotFound
from exchange.access.model import Grant, Mode
from exchange.access.resources import load_known_resource
from exchange.access.store import load_grant
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from subscriptions import store
from subscriptions.errors import VersionsPruned
from subscriptions.feed import store as feed_store
from subscriptions.feed.replay import find_oldest
from subscriptions.lake.store import load_versions as load_lake_versions
from subscriptions.model import Consumer, Cursor, Subscription


async def load_own(connection: Connection, *, caller: Caller, subscription_id: UUID) -> Subscription:
    """Load a subscription of the caller's organisation. Raises NotFound."""
    found = await store.load_subscription(connection, subscription_id=subscription_id)
    if found is None or found.organisation_code != caller.organisation_code:
        msg = "there is no subscription of that id that this organisation holds"
        raise NotFound(msg)
    return found


async def load_own_consumer(
    connection: Connection, *, subscription: Subscription, name: str, for_update: bool = False
) -> Consumer:
    """Load a consumer by its name. Raises NotFound."""
    found = await store.load_consumer(
        connection, subscription_id=subscription.id, name=name, for_update=for_update
    )
    if found is None:
        msg = "the subscription has no consumer of that name; make it first"
        raise NotFound(msg)
    return found


async def verify_subscription(
    connection: Connection,
    *,
    subscription: Subscription,
    purpose: Purpose | None,
    now: Callable[[], datetime],
) -> tuple[Grant, Resource]:
    """Return the grant of a subscription and its resource, if both still allow changes to be handed over.

    Raises GrantMissing or Closed.
    """
    grant = await load_grant(connection, grant_id=subscription.grant_id)
    assert grant is not None
    verify_subscribable(grant, purpose=purpose, at=now())
    resource = await load_known_resource(connection, code=grant.resource_code)
    verify_open(resource, at=now())
    verify_keys(grant, resource)
    return grant, resource


def verify_subscribable(grant: Grant, *, purpose: Purpose | None, at: datetime) -> None:
    """Raise GrantMissing unless the grant allows following changes, for the service item if one is named."""
    serves = purpose is None or grant.serves(purpose.service_item)
    if not grant.is_in_force(at) or Mode.SUBSCRIBE not in grant.terms.modes or not serves:
        msg = "the grant has ended, or does not allow following changes for this service item"
        raise GrantMissing(msg)


def verify_keys(grant: Grant, resource: Resource) -> None:
    """Raise GrantMissing where the grant lacks a key item."""
    missing = {item.name for item in resource.key_items} - set(grant.open_items(resource))
    if missing:
        msg = f"changes are told by key, and the grant does not cover {', '.join(sorted(missing))}"
        raise GrantMissing(msg)


def verify_holder(grant: Grant | None, organisation_code: OrganisationCode) -> Grant:
    """Return the grant if that organisation holds it. Raises NotFound."""
    if grant is None or grant.organisation_code != organisation_code:
        msg = "there is no grant of that id that this organisation holds"
        raise NotFound(msg)
    return grant


async def check_position(
    connection: Connection, *, consumer: Consumer, cursor: Cursor, resource: Resource
) -> None:
    """Raise Conflict for a position that the feed does not have, VersionsPruned for one it no longer has."""
    position, in_snapshot = cursor.position, cursor.position.version == consumer.snapshot_version
    if cursor.snapshot_key is not None and not in_snapshot:
        msg = "the consumer is not in the snapshot of this cursor; leave `after` out to go on from its place"
        raise BadInput(msg)
    if position.sequence == 0 or cursor.snapshot_key is not None or cursor.replay_key is not None:
        exists = position.version <= resource.current_version + 1
    elif in_snapshot:
        msg = "inside the snapshot only whole cursors will do; hand back Shuzheng-Next-Cursor as it was"
        raise BadInput(msg)
    else:
        await check_kept(connection, version=position.version, resource=resource, in_lake=False)
        exists = await feed_store.change_exists(connection, resource_code=resource.code, position=position)
    if not exists:
        msg = "the cursor lies beyond what there is"
        raise Conflict(msg)
    after = position.version + in_snapshot
    await check_kept(connection, version=after, resource=resource, in_lake=not in_snapshot)


async def check_kept(
    connection: Connection, *, version: int, resource: Resource, in_lake: bool = True
) -> None:
    """Raise VersionsPruned unless the changes of `version` and of all later versions are kept.

    With `in_lake` those that the lake can replay count as kept. They are numbered otherwise there, so that a
    place inside a version does not, nor does a snapshot, which is made from the change log.
    """
    if version > resource.current_version:
        return
    oldest = await feed_store.load_oldest_kept(connection, resource_code=resource.code)
    if oldest is not None and version >= oldest:
        return
    until = resource.current_version + 1 if oldest is None else oldest
    found = find_oldest(await load_lake_versions(connection, code=resource.code), until=until)
    if not in_lake or version < found:
        raise VersionsPruned(oldest_kept=found)
