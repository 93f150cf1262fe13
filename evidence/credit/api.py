"""Routes of the credit dataset: rows of it, and which dataset the hub publishes breaches into."""

import csv
import io
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from evidence.credit.dataset import CreditDatasetDesk
from evidence.credit.model import CreditDataset
from evidence.credit.rows import COLUMNS, CreditDesk


class CreditDatasetIn(BaseModel):
    """A resource of the caller's organisation, with the items of `xy_cn`."""

    model_config = ConfigDict(extra="forbid")

    resource_code: str = Field(max_length=128, examples=["xy_cn"])


class CreditDatasetOut(BaseModel):
    """Into which dataset breaches are published, and who named it."""

    resource_code: str
    organisation: str
    named_at: datetime


def build_router(
    *, credit: CreditDesk, dataset: CreditDatasetDesk, authentication: Authentication
) -> APIRouter:
    """Build the routes over the services."""
    router = APIRouter(prefix="/v1/evidence", tags=["undertakings"])
    office = Annotated[Caller, Depends(authentication.requires(Scope.EVIDENCE))]
    provider = Annotated[Caller, Depends(authentication.requires(Scope.PUBLISH))]
    anyone = Annotated[Caller, Depends(authentication.requires())]

    @router.get(
        "/undertakings/credit-rows",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}}, "description": "rows of xy_cn"}},
    )
    async def export_credit_rows(caller: office) -> Response:
        """Write the office's commitments as CSV rows of the credit dataset (xy_cn)."""
        out = io.StringIO()
        writer = csv.DictWriter(out, fieldnames=COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(await credit.list_rows(caller=caller))
        return Response(out.getvalue(), media_type="text/csv; charset=utf-8")

    @router.get("/credit-dataset")
    async def show_credit_dataset(_caller: anyone) -> CreditDatasetOut:
        """Show into which dataset the hub publishes breaches."""
        return _render(await dataset.load())

    @router.put("/credit-dataset")
    async def name_credit_dataset(body: CreditDatasetIn, caller: provider) -> CreditDatasetOut:
        """Have the hub publish breaches into a dataset of the caller's, in the calling system's name."""
        return _render(await dataset.name(body.resource_code, caller=caller))

    @router.delete("/credit-dataset", status_code=204)
    async def take_back_credit_dataset(caller: provider) -> None:
        """Have the hub publish no more breaches into the caller's dataset."""
        await dataset.take_back(caller=caller)

    return router


def _render(dataset: CreditDataset) -> CreditDatasetOut:
    return CreditDatasetOut(
        resource_code=dataset.resource_code,
        organisation=str(dataset.organisation_code),
        named_at=dataset.named_at,
    )
