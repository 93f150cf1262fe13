"""Changes of a description and of a grant's items, made while a target is in the middle of its messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from exchange.access.grants import Shrink
from exchange.access.model import Grant
from exchange.catalogue import store as catalogue_store
from exchange.catalogue.model import Item, Resource
from exchange.evolution import store as evolution_store
from subscriptions.push.model import Message
from subscriptions.push.worker import Carrier
from tests.exchange_world import World

PHONE = Item(name="LXDH", title="联系电话", format="C..20")
POINTS = Item(name="JF", title="积分", format="N..6,1")


class Midway:
    """Carries as `carrier` does, and acts once, after message number `after`."""

    def __init__(self, carrier: Carrier, act: Callable[[], Awaitable[object]], *, after: int = 1) -> None:
        self._carrier = carrier
        self._act = act
        self._left = after

    async def deliver(self, message: Message, secret: str | None, /) -> bytes | None:
        """Carry a message, then act where it is time."""
        signature = await self._carrier.deliver(message, secret)
        self._left -= 1
        if self._left == 0:
            await self._act()
        return signature


async def add_items(world: World, grant: Grant, *items: Item) -> World:
    """Add items to the resource, as evolution does, and to the grant; return the world with them."""
    evolved = replace(world.resource, items=(*world.resource.items, *items))
    async with world.database.transaction() as connection:
        await evolution_store.add_columns(connection, code=evolved.code, items=items)
        await catalogue_store.update_resource(connection, resource=evolved)
        await connection.execute(
            "UPDATE exchange.grant_ SET items = items || $2::text[] WHERE id = $1",
            grant.id,
            [item.name for item in items],
        )
    return replace(world, resource=evolved)


async def change_format(world: World, name: str, written: str) -> World:
    """Give an item another format, as evolution does with a wider one."""
    items = tuple(
        replace(item, format=written) if item.name == name else item for item in world.resource.items
    )
    evolved: Resource = replace(world.resource, items=items)
    async with world.database.transaction() as connection:
        await catalogue_store.update_resource(connection, resource=evolved)
    return replace(world, resource=evolved)


async def take_away(world: World, grant: Grant, *names: str) -> None:
    """Shrink a grant by items, as its holder."""
    left = tuple(name for name in grant.terms.items if name not in names)
    await world.grants.shrink(caller=world.consumer, grant_id=grant.id, shrink=Shrink(items=left))
