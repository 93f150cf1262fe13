"""The route that verifies files: one as the body itself, or up to a thousand as multipart."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response

from certs.verify.describe import describe_report, describe_verification
from certs.verify.language import choose_language
from certs.verify.model import refuse_overlong
from certs.verify.policy import build_policy
from certs.verify.service import VerifyService
from certs.verify.stream import LineResponse, stream_lines
from certs.verify.upload import MAX_FILES, read_files
from core.caller import Caller, Purpose, Scope
from core.errors import BadInput, ShuzhengError, TooLarge, UnsupportedContent
from core.http.authentication import Authentication, read_purpose
from signing.trust import NOTHING_TRUSTED

ACCEPTED = frozenset({"application/ofd", "application/octet-stream", "application/zip"})
MANY = "multipart/form-data"


_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/x-ndjson": {}}, "description": "a report, or a line for each file"}
}


def build_router(
    *, verify: VerifyService, authentication: Authentication, max_certificate_bytes: int
) -> APIRouter:
    """Build the route over `verify`."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    verifier = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE, Scope.VERIFY))]

    @router.post("/verify", openapi_extra=_BODY, response_class=JSONResponse, responses=_ANSWERS)
    async def verify_certificate(
        request: Request,
        caller: verifier,
        at: Annotated[str, Query(description="judge at signing, now, or a time (ISO 8601)")] = "signing",
        strict: Annotated[bool, Query(description="every switch on its strict side")] = False,
        full: Annotated[bool, Query(description="with digest, metadata and the list of checks")] = False,
    ) -> Response:
        """Verify certificate files of anyone: seals and signatures, then their status in the register.

        The body is the file itself, and the answer its report; or the body is multipart/form-data with up to
        1,000 files, and the answer one line of JSON for each, in their order, under the name of the file.
        Lines come while the body is still being sent. A bad file is no error: the report says what is wrong
        with it. Messages are in the language of Accept-Language, zh or en.
        """
        purpose = await _read_optional_purpose(request)
        build_policy(NOTHING_TRUSTED, at=at, strict=strict)
        language = choose_language(request.headers.get("accept-language"))

        async def examine(data: bytes) -> dict[str, Any]:
            found = await verify.verify(data, caller=caller, purpose=purpose, at=at, strict=strict)
            return describe_verification(found, language=language, full=full)

        async def examine_each() -> AsyncIterator[dict[str, Any]]:
            files = read_files(
                request.stream(),
                content_type=request.headers["content-type"],
                max_file_bytes=max_certificate_bytes,
            )
            async for file in files:
                if file.data is None:
                    refused = refuse_overlong(max_certificate_bytes)
                    yield {"file": file.name, **describe_report(refused, language=language, full=full)}
                else:
                    yield {"file": file.name, **await examine(file.data)}

        headers = {"Content-Language": str(language)}
        if _media_type(request) == MANY:
            lines = stream_lines(examine_each(), describe_error=_describe_error)
            await anext(lines)
            return LineResponse(lines, headers=headers)
        data = await _read_file(request, max_certificate_bytes)
        return JSONResponse(await examine(data), headers=headers)

    return router


def _describe_error(error: ShuzhengError) -> dict[str, Any]:
    return {"code": error.code, "title": error.title, "detail": error.detail}


async def _read_optional_purpose(request: Request) -> Purpose | None:
    """Read the purpose context where any of its headers is there; then it must be whole."""
    if not any(name.lower().startswith("shuzheng-") for name in request.headers):
        return None
    return await read_purpose(request)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_file(request: Request, max_bytes: int) -> bytes:
    if _media_type(request) not in ACCEPTED:
        msg = f"send the file itself as application/ofd or application/octet-stream, or several as {MANY}"
        raise UnsupportedContent(msg)
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > max_bytes:
            msg = f"a file to verify has at most {max_bytes} bytes"
            raise TooLarge(msg)
    if not data:
        msg = "the body is empty; send the file itself"
        raise BadInput(msg)
    return bytes(data)


_FILE = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/ofd": _FILE,
            "application/octet-stream": _FILE,
            MANY: {
                "schema": {
                    "type": "object",
                    "properties": {
                        "file": {
                            "type": "array",
                            "maxItems": MAX_FILES,
                            "items": {"type": "string", "format": "binary"},
                        }
                    },
                }
            },
        },
    }
}
