"""What providers choose and see of the lake."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.caller import Caller
from core.database import Database
from core.errors import Forbidden
from core.log.model import Event
from core.log.writer import LogWriter
from exchange.access.resources import load_known_resource
from subscriptions.lake import store
from subscriptions.lake.model import LakeState, LakeVersion, Standing


class LakeService:
    """Lets providers choose whether their resources are followed, and see how far their tables are."""

    def __init__(
        self, *, database: Database, log: LogWriter, default: str, now: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._log = log
        self._default = default
        self._now = now

    async def show(self, code: str, *, caller: Caller) -> tuple[Standing, list[LakeVersion]]:
        """Show a resource's table to its provider. Raises NotFound or Forbidden."""
        async with self._database.transaction(read_only=True) as connection:
            resource = await load_known_resource(connection, code=code)
            if resource.provider_code != caller.organisation_code:
                msg = "only the resource's provider can do this"
                raise Forbidden(msg)
            followed, chosen = await store.is_followed(
                connection, code=code, default=self._default, at=self._now()
            )
            state = await store.load_state(connection, code=code)
            versions = await store.load_versions(connection, code=code)
        standing = Standing(
            state=state or LakeState(resource_code=code, version=None),
            is_followed=followed,
            is_chosen=chosen,
            current_version=resource.current_version,
        )
        return standing, versions

    async def choose(self, code: str, *, followed: bool | None, caller: Caller) -> None:
        """Choose whether a resource is followed; None leaves it to the hub. Raises NotFound, Forbidden."""
        async with self._database.transaction() as connection:
            resource = await load_known_resource(connection, code=code)
            if resource.provider_code != caller.organisation_code:
                msg = "only the resource's provider can do this"
                raise Forbidden(msg)
            await store.save_choice(connection, code=code, followed=followed)
            word = {True: "yes", False: "no", None: "default"}[followed]
            await self._log.append(
                connection,
                event=Event.LAKE_CHOSEN,
                caller=caller,
                resource_code=code,
                details={"followed": word},
            )
