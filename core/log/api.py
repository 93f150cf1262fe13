"""Routes of the transparency log."""

import base64
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from core.caller import Caller
from core.http.authentication import Authentication
from core.log.service import LogService
from core.log.writer import describe_leaf


def build_router(*, log: LogService, authentication: Authentication) -> APIRouter:
    """Build the routes over `log`."""
    router = APIRouter(prefix="/v1", tags=["log"])
    anyone = Annotated[Caller, Depends(authentication.requires())]

    @router.get("/log/checkpoint", response_class=Response)
    async def checkpoint() -> Response:
        """The newest signed head (C2SP tlog-checkpoint, signed with SM2), to anyone."""
        latest = await log.load_checkpoint()
        return Response(latest.note, media_type="text/plain; charset=utf-8")

    @router.get("/log/leaves/{leaf_id}")
    async def prove(leaf_id: UUID, caller: anyone) -> dict[str, Any]:
        """A leaf, and the proof that it stands in the newest signed tree (RFC 9162 2.1.3)."""
        found = await log.prove_inclusion(leaf_id, caller=caller)
        return {
            "leaf": describe_leaf(found.leaf),
            "body": found.leaf.body,
            "index": found.leaf_index,
            "tree_size": found.checkpoint.tree_size,
            "proof": [base64.b64encode(node).decode() for node in found.proof],
            "checkpoint": found.checkpoint.note,
        }

    @router.get("/audit/cases")
    async def case(caller: anyone, case_number: Annotated[str, Query(max_length=128)]) -> dict[str, Any]:
        """The story of a case (办件) in order: everything for auditors, else the caller's own acts."""
        leaves = await log.load_case(case_number, caller=caller)
        return {"case_number": case_number, "events": [describe_leaf(leaf) for leaf in leaves]}

    return router
