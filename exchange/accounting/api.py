"""Routes of accounting and reconciliation."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Purpose, Scope
from core.errors import PurposeMissing
from core.http.authentication import Authentication, read_purpose
from exchange.accounting.buckets import MAX_BUCKETS
from exchange.accounting.reconcile import ReconcileService, render_difference
from exchange.publish.publish import PublishService

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
MAX_ROWS = 50_000


class BucketsIn(BaseModel):
    """What a copy adds up to, bucket by bucket (`exchange.accounting.digest`, `.buckets`)."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[str], Field(min_length=1, max_length=2000)]
    digests: Annotated[list[Digest], Field(min_length=1, max_length=MAX_BUCKETS)]


class RowsIn(BaseModel):
    """The rows that a copy has in some buckets: key (parts joined by U+001F) → SM3 of the row."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[str], Field(min_length=1, max_length=2000)]
    version: int
    bucket_count: Annotated[int, Field(ge=1, le=MAX_BUCKETS)]
    buckets: Annotated[list[int], Field(min_length=1, max_length=MAX_BUCKETS)]
    rows: Annotated[dict[str, Digest], Field(max_length=MAX_ROWS)]


def build_router(
    *, reconciler: ReconcileService, publisher: PublishService, authentication: Authentication
) -> APIRouter:
    """Build the routes over `reconciler`; `publisher` knows whose a resource is."""
    router = APIRouter(prefix="/v1/resources/{code}", tags=["accounting"])
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]
    either = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH, Scope.SUBSCRIBE))]

    @router.get("/accounting")
    async def show_accounting(
        code: str,
        caller: provider,
        before: Annotated[int | None, Query(ge=1)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> list[dict[str, Any]]:
        """Show rows and digest of each version at every station, newest first."""
        resource = await publisher.require_own(code, caller=caller)
        return await reconciler.load_accounting(resource, before=before, limit=limit)

    @router.post("/reconciliations/stations")
    async def reconcile_stations(code: str, caller: provider) -> dict[str, Any]:
        """Compare the current rows, read afresh, with the accounting and the change log."""
        resource = await publisher.require_own(code, caller=caller)
        return await reconciler.compare_stations(resource, caller=caller)

    @router.post("/reconciliations/buckets")
    async def reconcile_buckets(
        request: Request, code: str, body: BucketsIn, caller: either
    ) -> dict[str, Any]:
        """Compare a copy with the current rows; the answer names the buckets that differ."""
        return await reconciler.compare_buckets(
            code,
            caller=caller,
            purpose=await _purpose_of(request),
            items=body.items,
            digests=body.digests,
        )

    @router.post("/reconciliations/rows")
    async def reconcile_rows(request: Request, code: str, body: RowsIn, caller: either) -> dict[str, Any]:
        """Name the keys that differ in some buckets, and why; a thousand at most."""
        found = await reconciler.compare_rows(
            code,
            caller=caller,
            purpose=await _purpose_of(request),
            items=body.items,
            version=body.version,
            bucket_count=body.bucket_count,
            buckets=body.buckets,
            rows={key: bytes.fromhex(row) for key, row in body.rows.items()},
        )
        return {"differences": [render_difference(difference) for difference in found]}

    return router


async def _purpose_of(request: Request) -> Purpose | None:
    """Read the purpose where there is one; whether it is needed depends on whose the resource is."""
    try:
        return await read_purpose(request)
    except PurposeMissing:
        return None
