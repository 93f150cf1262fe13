"""The route that verifies a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from certs.verify.describe import describe_finding, describe_report
from certs.verify.register import RegisterReport, Verification
from certs.verify.service import VerifyService
from core.caller import Caller, Purpose, Scope
from core.errors import BadInput, TooLarge, UnsupportedContent
from core.http.authentication import Authentication, read_purpose

ACCEPTED = frozenset({"application/ofd", "application/octet-stream", "application/zip"})


def build_router(
    *, verify: VerifyService, authentication: Authentication, max_certificate_bytes: int
) -> APIRouter:
    """Build the route over `verify`."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    verifier = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_USE, Scope.VERIFY))]

    @router.post("/verify", openapi_extra=_FILE_BODY)
    async def verify_certificate(request: Request, caller: verifier) -> dict[str, Any]:
        """Verify a certificate file of anyone: its seals and signatures, then its status in the register.

        The body is the file itself. A bad file is no error: the report says what is wrong with it.
        """
        purpose = await _read_optional_purpose(request)
        data = await _read_file(request, max_certificate_bytes)
        return describe_verification(await verify.verify(data, caller=caller, purpose=purpose))

    return router


async def _read_optional_purpose(request: Request) -> Purpose | None:
    """Read the purpose context where any of its headers is there; then it must be whole."""
    if not any(name.lower().startswith("shuzheng-") for name in request.headers):
        return None
    return await read_purpose(request)


async def _read_file(request: Request, max_bytes: int) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in ACCEPTED:
        msg = "send the file itself as application/ofd or application/octet-stream"
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


def describe_verification(verification: Verification) -> dict[str, Any]:
    """Render a verification as JSON values."""
    report = describe_report(verification.document)
    report["status"] = str(verification.status)
    report["register"] = _describe_register(verification.register)
    return report


def _describe_register(register: RegisterReport) -> dict[str, Any]:
    return {
        "match": str(register.match),
        "status": str(register.status),
        "identifier": register.identifier,
        "successor": register.successor,
        "changed_at": register.changed_at and register.changed_at.isoformat(),
        "reason": register.reason,
        "findings": [describe_finding(finding) for finding in register.findings],
    }


_FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/ofd": {"schema": {"type": "string", "format": "binary"}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
