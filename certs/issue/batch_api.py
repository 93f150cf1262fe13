"""The route of issuing a batch: NDJSON in, NDJSON out, neither ever whole in memory."""

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import IO, Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ValidationError

from certs.issue.api import OrderIn, digest_order, parse_order, parse_reference
from certs.issue.batch import BatchIssuer, BatchItem, BatchOutcome
from certs.issue.orphans import OrphanCollector
from certs.issue.record import RequestKey
from core.caller import Caller, Purpose, Scope
from core.china_time import china_day
from core.errors import BadInput, FieldError, SchemaViolation, TooLarge
from core.http.authentication import Authentication, read_purpose_if_sent
from signing.errors import ShuzhengError

NDJSON = "application/x-ndjson"
MAX_ORDERS = 10_000
MAX_LINE_BYTES = 256 * 1024
SPOOL_BYTES = 1024 * 1024
MAX_KEY_CHARACTERS = 100
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

Clock = Callable[[], datetime]


class CollectionOut(BaseModel):
    """What one round of collecting did."""

    removed: int
    waiting: int


def build_router(
    *, batch: BatchIssuer, orphans: OrphanCollector, authentication: Authentication, clock: Clock
) -> APIRouter:
    """Build the routes; `clock` tells the time (aware, UTC)."""
    router = APIRouter(prefix="/v1/certificates", tags=["certificates"])
    issuer = Annotated[Caller, Depends(authentication.requires(Scope.CERTIFICATE_ISSUE))]
    administrator = Annotated[Caller, Depends(authentication.requires(Scope.ADMIN))]
    aimed = Annotated[Purpose | None, Depends(read_purpose_if_sent)]

    @router.post("/batch", response_class=StreamingResponse)
    async def issue_batch(
        request: Request,
        caller: issuer,
        purpose: aimed,
        dry_run: bool = False,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> StreamingResponse:
        """Issue up to 10,000 certificates: one order of `POST /v1/certificates` on each line.

        The answer is one JSON line for each order, in their order, as they are done: `line`, `status`
        (issued, again, would_issue, failed), `identifier`, `digest`, `error`; then a line with the sums.
        With an Idempotency-Key the same batch may be sent again: what was issued is not issued twice.
        """
        if idempotency_key is not None and len(idempotency_key) > MAX_KEY_CHARACTERS:
            msg = f"the Idempotency-Key of a batch has at most {MAX_KEY_CHARACTERS} characters"
            raise BadInput(msg)
        spool = await _spool(request)
        items = _read_items(spool, key=idempotency_key, clock=clock)
        outcomes = batch.run(items, actor=caller, purpose=purpose, dry_run=dry_run)
        return StreamingResponse(_answer(outcomes, spool), media_type=NDJSON)

    @router.post("/orphans/collect")
    async def collect_orphans(caller: administrator) -> CollectionOut:
        """Remove files that no certificate owns; each must have been seen so an hour before."""
        done = await orphans.collect(actor=caller)
        return CollectionOut(removed=done.removed, waiting=done.waiting)

    return router


async def _spool(request: Request) -> IO[bytes]:
    """Take the body in before anything is issued. Raises TooLarge for more lines than one call may have."""
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed when it was answered
    lines, ends_open = 0, False
    async for piece in request.stream():
        spool.write(piece)
        lines += piece.count(b"\n")
        ends_open = not piece.endswith(b"\n") if piece else ends_open
    if lines + ends_open > MAX_ORDERS:
        spool.close()
        msg = f"one batch has at most {MAX_ORDERS} orders; send the rest in another"
        raise TooLarge(msg)
    spool.seek(0)
    return spool


def _read_items(spool: IO[bytes], *, key: str | None, clock: Clock) -> Iterator[BatchItem]:
    line = 0
    while raw := spool.readline(MAX_LINE_BYTES + 1):
        line += 1
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = spool.readline(MAX_LINE_BYTES)
            error = BadInput(f"an order has at most {MAX_LINE_BYTES} bytes")
            yield BatchItem(line=line, error=error)
        elif raw.strip():
            yield _read_item(line, raw, key=key, clock=clock)


def _read_item(line: int, raw: bytes, *, key: str | None, clock: Clock) -> BatchItem:
    try:
        body = OrderIn.model_validate_json(raw)
        return BatchItem(
            line=line,
            order=parse_order(body, today=china_day(clock())),
            reference=parse_reference(body),
            key=None if key is None else RequestKey(key=f"{key}#{line}", body_sm3=digest_order(body)),
        )
    except ValidationError as wrong:
        errors = tuple(
            FieldError(
                pointer="".join(f"/{part}" for part in each["loc"]), code=each["type"], detail=each["msg"]
            )
            for each in wrong.errors(include_input=False, include_context=False, include_url=False)
        )
        msg = "the line is not an order; see errors"
        return BatchItem(line=line, error=SchemaViolation(msg, errors=errors))
    except ShuzhengError as refusal:
        return BatchItem(line=line, error=refusal)


async def _answer(outcomes: AsyncIterator[BatchOutcome], spool: IO[bytes]) -> AsyncIterator[bytes]:
    sums = {"issued": 0, "again": 0, "would_issue": 0, "failed": 0}
    try:
        async for outcome in outcomes:
            told = _render(outcome)
            sums[told["status"]] += 1
            yield _line(told)
        yield _line({"done": True, "orders": sum(sums.values()), **sums})
    finally:
        spool.close()


def _line(told: dict[str, Any]) -> bytes:
    return _ENCODER.encode(told).encode() + b"\n"


def _render(outcome: BatchOutcome) -> dict[str, Any]:
    told: dict[str, Any] = {"line": outcome.line}
    if outcome.error is not None:
        error: dict[str, Any] = {"code": outcome.error.code, "detail": outcome.error.detail}
        if outcome.error.errors:
            error["errors"] = [
                {"pointer": each.pointer, "code": each.code, "detail": each.detail}
                for each in outcome.error.errors
            ]
        return told | {"status": "failed", "error": error}
    if outcome.certificate is None:
        return told | {"status": "would_issue", "identifier": outcome.identifier}
    return told | {
        "status": "again" if outcome.is_again else "issued",
        "identifier": outcome.identifier,
        "digest": f"sm3:{outcome.certificate.digest_sm3.hex()}",
    }
