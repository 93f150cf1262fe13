"""The ground on which anything of a subscription is handed over: its owner, its grant, its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from core.caller import Caller, OrganisationCode, Purpose
from core.database import Connection
from core.errors import BadInput, Conflict, GrantMissing, NotFound
from exchange.access.masks import MaskKind, choose_masks
from exchange.access.model import Grant, MasksJson, Mode, RowFilter
from exchange.access.resources import load_known_resource
from exchange.access.row_filter import parse_row_filter
from exchange.access.store import group_masks, load_grant, read_grant
from exchange.catalogue.model import Resource
from exchange.catalogue.standing import verify_open
from exchange.catalogue.store import read_resource
from subscriptions import store, store_ground
from subscriptions.errors import VersionsPruned
from subscriptions.feed import store as feed_store
from subscriptions.feed.replay import find_oldest
from subscriptions.lake.store import load_versions as load_lake_versions
from subscriptions.model import Consumer, Cursor, Kind, PastFilter, Position, Subscription

MAX_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a call to a subscription stands on, all as of one moment.

    `oldest_kept` is the oldest version from which on the change log has every version; None where none is.
    `past_filters` are those that the grant had before its present one, by epoch.
    """

    subscription: Subscription
    consumer: Consumer
    grant: Grant
    resource: Resource
    mask_rules: MasksJson
    oldest_kept: int | None
    past_filters: tuple[PastFilter, ...] = ()

    @property
    def epoch(self) -> int:
        """How often the grant's row filter has changed."""
        return len(self.past_filters)

    def filter_of(self, epoch: int) -> RowFilter:
        """Return the row filter of an epoch, which may be the present one."""
        past = self.past_filters
        written = past[epoch].row_filter if epoch < len(past) else self.grant.terms.row_filter
        return parse_row_filter(self.resource, written)

    def verify(self, *, purpose: Purpose | None, at: datetime) -> None:
        """Let changes be handed over for the service item, if one is named. Raises GrantMissing or Closed."""
        verify_subscribable(self.grant, purpose=purpose, at=at)
        verify_open(self.resource, at=at)
        verify_keys(self.grant, self.resource)
        if purpose is not None:
            self._verify_distinct_keys(purpose)

    def _verify_distinct_keys(self, purpose: Purpose) -> None:
        """Raise GrantMissing where a key is masked so that many rows get one; `hash` keeps keys apart."""
        masks = choose_masks(self.grant.terms, self.mask_rules, service_item=purpose.service_item)
        for item in self.resource.key_items:
            if item.name in masks and masks[item.name].kind is not MaskKind.HASH:
                msg = f"changes are told by key, and {item.name} is masked so that keys are not told apart"
                raise GrantMissing(msg)


class Grounds:
    """Reads grounds in one round trip each. The items of a resource are kept until they change."""

    def __init__(self) -> None:
        self._resources: dict[str, tuple[str, Resource]] = {}

    async def load(
        self,
        connection: Connection,
        *,
        caller: Caller,
        subscription_id: UUID,
        consumer: str,
        for_update: bool = False,
    ) -> Ground:
        """Load the ground of a call, the consumer locked until the transaction ends if asked.

        Raises NotFound for a subscription of others, a consumer that there is not, or a lost resource.
        """
        if for_update:
            await store_ground.lock_consumer(connection, subscription_id=subscription_id, consumer=consumer)
        row = await store_ground.load_ground(connection, subscription_id=subscription_id, consumer=consumer)
        if row is None or row["subscriber_code"] != caller.organisation_code:
            raise _not_held()
        if row["consumer_id"] is None:
            raise _no_consumer()
        return Ground(
            subscription=_read_subscription(row),
            consumer=_read_consumer(row),
            grant=read_grant(row),
            resource=await self._read_resource(connection, row),
            mask_rules=group_masks(row["mask_rules"] or ()),
            oldest_kept=feed_store.find_oldest_kept(row["partitions"] or ()),
            past_filters=store.read_past_filters(row["past_filters"] or ()),
        )

    async def _read_resource(self, connection: Connection, row: asyncpg.Record) -> Resource:
        code, fingerprint = row["resource_code"], row["fingerprint"]
        kept = self._resources.get(code)
        if row["code"] is None or kept is None or kept[0] != fingerprint:
            found = await load_known_resource(connection, code=code)
            if len(self._resources) >= MAX_KEPT:
                self._resources.clear()
            self._resources[code] = fingerprint, found
            return found
        return replace(read_resource(row), items=kept[1].items, external_codes=kept[1].external_codes)


def _read_subscription(row: asyncpg.Record) -> Subscription:
    return Subscription(
        id=row["subscription_id"],
        grant_id=row["id"],
        resource_code=row["resource_code"],
        organisation_code=OrganisationCode(row["subscriber_code"]),
        kind=Kind(row["kind"]),
        created_at=row["subscribed_at"],
    )


def _read_consumer(row: asyncpg.Record) -> Consumer:
    return Consumer(
        id=row["consumer_id"],
        subscription_id=row["subscription_id"],
        name=row["name"],
        snapshot_version=row["snapshot_version"],
        acknowledged=Position(version=row["acked_version"], sequence=row["acked_sequence"]),
        acknowledged_cursor=row["acked_cursor"],
        created_at=row["consumer_created_at"],
        acknowledged_epoch=row["acked_epoch"],
        acknowledged_at=row["acked_at"],
        paused_at=row["paused_at"],
        pause_reason=row["pause_reason"],
    )


def _not_held() -> NotFound:
    return NotFound("there is no subscription of that id that this organisation holds")


def _no_consumer() -> NotFound:
    return NotFound("the subscription has no consumer of that name; make it first")


async def load_own(connection: Connection, *, caller: Caller, subscription_id: UUID) -> Subscription:
    """Load a subscription of the caller's organisation. Raises NotFound."""
    found = await store.load_subscription(connection, subscription_id=subscription_id)
    if found is None or found.organisation_code != caller.organisation_code:
        raise _not_held()
    return found


async def load_own_consumer(
    connection: Connection, *, subscription: Subscription, name: str, for_update: bool = False
) -> Consumer:
    """Load a consumer by its name. Raises NotFound."""
    found = await store.load_consumer(
        connection, subscription_id=subscription.id, name=name, for_update=for_update
    )
    if found is None:
        raise _no_consumer()
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


async def check_position(connection: Connection, *, ground: Ground, cursor: Cursor) -> None:
    """Raise Conflict for a position that the feed does not have, VersionsPruned for one it no longer has."""
    resource, announcing = ground.resource, cursor.announcing
    position = cursor.position if announcing is None else announcing.place
    is_whole = any(part is not None for part in (cursor.snapshot_key, cursor.replay_key, announcing))
    in_snapshot = position.version == ground.consumer.snapshot_version
    if cursor.snapshot_key is not None and not in_snapshot:
        msg = "the consumer is not in the snapshot of this cursor; leave `after` out to go on from its place"
        raise BadInput(msg)
    if position.sequence == 0 or is_whole:
        exists = position.version <= resource.current_version + 1
    elif in_snapshot:
        msg = "inside the snapshot only whole cursors will do; hand back Shuzheng-Next-Cursor as it was"
        raise BadInput(msg)
    else:
        await check_kept(
            connection,
            version=position.version,
            resource=resource,
            oldest=ground.oldest_kept,
            in_lake=False,
        )
        exists = await feed_store.change_exists(connection, resource_code=resource.code, position=position)
    if not exists or cursor.epoch > ground.epoch:
        msg = "the cursor lies beyond what there is"
        raise Conflict(msg)
    await check_kept(
        connection,
        version=position.version + in_snapshot,
        resource=resource,
        oldest=ground.oldest_kept,
        in_lake=not in_snapshot,
    )


async def check_kept(
    connection: Connection, *, version: int, resource: Resource, oldest: int | None, in_lake: bool = True
) -> None:
    """Raise VersionsPruned unless the changes of `version` and of all later versions are kept.

    `oldest` is the oldest version that the change log keeps. With `in_lake` those that the lake can replay
    count as kept. They are numbered otherwise there, so that a place inside a version does not, nor does a
    snapshot, which is made from the change log.
    """
    if version > resource.current_version or (oldest is not None and version >= oldest):
        return
    until = resource.current_version + 1 if oldest is None else oldest
    found = find_oldest(await load_lake_versions(connection, code=resource.code), until=until)
    if not in_lake or version < found:
        raise VersionsPruned(oldest_kept=found)
