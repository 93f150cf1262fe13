"""Naming the credit dataset, as its provider."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.caller import Caller
from core.database import Database
from core.errors import BadInput, Conflict, NotFound
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.credit import store
from evidence.credit.model import CreditDataset
from evidence.credit.rows import COLUMNS
from exchange.publish.publish import PublishService


class CreditDatasetDesk:
    """Keeps which dataset the hub publishes breaches into. A provider names one of its own, and no other."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        publisher: PublishService,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._log = log
        self._publisher = publisher
        self._now = now

    async def name(self, resource_code: str, *, caller: Caller) -> CreditDataset:
        """Name the caller's resource; from then on the hub publishes into it in the calling system's name.

        What came to a breach before is published too. Raises NotFound, Forbidden for another provider's
        resource, BadInput where it lacks items of `xy_cn`, Conflict where another provider has named one.
        """
        resource = await self._publisher.require_own(resource_code, caller=caller)
        lacking = [name for name in COLUMNS if resource.item(name) is None]
        if lacking:
            msg = f"the credit dataset has the items of xy_cn; this one lacks {', '.join(lacking)}"
            raise BadInput(msg)
        dataset = CreditDataset(
            resource_code=resource.code,
            organisation_code=caller.organisation_code,
            system_id=caller.system_id,
            named_at=self._now(),
        )
        async with self._database.transaction() as connection:
            if not await store.save_dataset(connection, dataset=dataset):
                msg = "another provider has named the credit dataset; it has to take that back first"
                raise Conflict(msg)
            await self._log.append(
                connection, event=Event.CREDIT_DATASET_NAMED, caller=caller, resource_code=resource.code
            )
        return dataset

    async def load(self) -> CreditDataset:
        """Load the dataset that is named. Raises NotFound where none is."""
        async with self._database.acquire() as connection:
            dataset = await store.load_dataset(connection)
        if dataset is None:
            msg = "no credit dataset is named; its provider does so with PUT /v1/evidence/credit-dataset"
            raise NotFound(msg)
        return dataset

    async def take_back(self, *, caller: Caller) -> None:
        """Name none any more, as the provider of the one that is named. Raises NotFound."""
        async with self._database.transaction() as connection:
            dataset = await store.load_dataset(connection, lock=True)
            if dataset is None or dataset.organisation_code != caller.organisation_code:
                msg = "your organisation has named no credit dataset"
                raise NotFound(msg)
            await store.delete_dataset(connection)
            await self._log.append(
                connection,
                event=Event.CREDIT_DATASET_TAKEN_BACK,
                caller=caller,
                resource_code=dataset.resource_code,
            )
