"""Routes of notices."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.notices.model import Notice
from exchange.notices.service import NoticeService


class NoticeOut(BaseModel):
    """A notice; `details` depends on `kind` and never holds row contents."""

    id: UUID
    kind: str
    resource_code: str | None
    details: dict[str, Any]
    created_at: datetime
    read_at: datetime | None


def build_router(*, notices: NoticeService, authentication: Authentication) -> APIRouter:
    """Build the routes over `notices`."""
    router = APIRouter(prefix="/v1/notices", tags=["notices"])
    anyone = Annotated[Caller, Depends(authentication.requires())]
    acting = Annotated[
        Caller, Depends(authentication.requires(*(scope for scope in Scope if scope is not Scope.AUDIT)))
    ]

    @router.get("")
    async def list_notices(caller: anyone, unread: bool = False) -> list[NoticeOut]:
        """List this organisation's notices, newest first."""
        return [_render(each) for each in await notices.list_own(caller=caller, unread_only=unread)]

    @router.post("/{notice_id}/read")
    async def mark_read(notice_id: UUID, caller: acting) -> NoticeOut:
        """Mark a notice as read."""
        return _render(await notices.mark_read(caller=caller, notice_id=notice_id))

    return router


def _render(found: Notice) -> NoticeOut:
    return NoticeOut(
        id=found.id,
        kind=found.kind,
        resource_code=found.resource_code,
        details=dict(found.details),
        created_at=found.created_at,
        read_at=found.read_at,
    )
