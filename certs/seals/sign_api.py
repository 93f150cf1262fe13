"""The route of setting a seal on a document."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from certs.seals.api import decode_base64
from certs.seals.stamping import Place, StampOrder, StampService
from core.caller import Caller, Scope
from core.http.authentication import Authentication, read_purpose_if_sent

OFD_MEDIA_TYPE = "application/ofd"


class PlaceIn(BaseModel):
    """Where the seal is set."""

    model_config = ConfigDict(extra="forbid")

    page: int = Field(description="the page, counted from 1")
    x: float = Field(description="middle of the seal, millimetres from the left edge")
    y: float = Field(description="middle of the seal, millimetres from the upper edge")


class SignIn(BaseModel):
    """A document to set a seal on."""

    model_config = ConfigDict(extra="forbid")

    content: str = Field(description="the OFD file, base64")
    places: list[PlaceIn] = Field(default_factory=list, max_length=1000)
    straddle_y: float | None = Field(
        default=None, description="cut the seal over the right edges of all pages, its middle at that height"
    )
    lock: bool = Field(default=False, description="nobody can sign the document after")
    timestamp: bool = Field(default=False, description="add a time stamp of the hub's authority")


def build_router(*, stamping: StampService, authentication: Authentication) -> APIRouter:
    """Build the route over `stamping`."""
    router = APIRouter(prefix="/v1/seals", tags=["seals"])
    user = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]

    @router.post("/{seal_id}/sign", response_class=Response)
    async def sign_document(seal_id: UUID, body: SignIn, caller: user, request: Request) -> Response:
        """Set a seal on an OFD document; the answer is the document. Earlier signatures stay valid.

        A purpose context (`Shuzheng-Service-Item` …) is kept in the log where it is sent.
        """
        purpose = await read_purpose_if_sent(request)
        order = StampOrder(
            places=tuple(Place(page=each.page, x=each.x, y=each.y) for each in body.places),
            straddle_y=body.straddle_y,
            lock=body.lock,
            with_timestamp=body.timestamp,
        )
        signed = await stamping.sign(
            decode_base64("/content", body.content),
            seal_id=seal_id,
            order=order,
            actor=caller,
            purpose=purpose,
        )
        headers = {
            "Content-Disposition": 'attachment; filename="signed.ofd"',
            "Shuzheng-Digest": f"sm3:{signed.digest_sm3.hex()}",
            "Shuzheng-Signature": signed.signature_id,
        }
        return Response(signed.data, media_type=OFD_MEDIA_TYPE, headers=headers)

    return router
