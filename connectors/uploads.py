"""Publishing a file over a connection that may be cut: in parts, going on where the hub's copy ends.

Like the talks of `connectors.protocol` this says what is sent without sending it; `HubClient.publish_file`
and `AsyncHubClient.publish_file` hold the talk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from connectors.errors import ConnectionFailed, Refused
from connectors.protocol import HubProtocol, Talk

PART_TYPE: Final = "application/offset+octet-stream"
MAX_TRIES: Final = 8
FIRST_WAIT_S: Final = 0.5
POLL_S: Final = 0.5
POLLS_BEFORE_ASKING_AGAIN: Final = 60
UNPUBLISHED: Final = ("receiving",)
NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An upload that the hub knows: its id, and how long a part may be in bytes."""

    upload: str
    part_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUpload:
    """A file to publish. `begun` is an upload of it that is to be gone on with.

    `on_begun` is told of a new upload, `on_sent` how many bytes the hub holds, `on_progress` the phase and
    its rows. A cut connection is taken up again, `tries` times in a row.
    """

    resource: str
    file: Path
    idempotency_key: str
    content_type: str
    content_encoding: str = "identity"
    mode: str = "upsert"
    confirm: bool = False
    tries: int = MAX_TRIES
    begun: Begun | None = None
    on_begun: Callable[[Begun], None] = lambda _: None
    on_sent: Callable[[int], None] = lambda _: None
    on_progress: Callable[[str, int], None] = lambda _phase, _rows: None


def publish_parts(protocol: HubProtocol, upload: FileUpload) -> Talk[dict[str, Any]]:
    """Send a file in parts and publish it; return the hub's accounting. Raises Refused, ConnectionFailed.

    An upload that was begun before and is gone (published, thrown away, expired) is begun anew.
    """
    size, begun, offset = upload.file.stat().st_size, upload.begun, 0
    if begun is not None:
        try:
            path = f"/v1/resources/{upload.resource}/uploads/{begun.upload}"
            offset = yield from _ask_offset(protocol, path, upload.tries)
        except Refused as refused:
            if refused.status != NOT_FOUND:
                raise
            begun = None
    if begun is None:
        begun = yield from _begin(protocol, upload, size)
        upload.on_begun(begun)
    path = f"/v1/resources/{upload.resource}/uploads/{begun.upload}"
    yield from _send_parts(protocol, upload, path, size=size, offset=offset, part_bytes=begun.part_bytes)
    params = {"mode": upload.mode, "confirm": str(upload.confirm).lower()}
    headers = {"Idempotency-Key": upload.idempotency_key, "Prefer": "respond-async"}

    def publish() -> Talk[httpx.Response]:
        return protocol.send("POST", f"{path}/publish", params=params, headers=headers, timeout=None)

    answer = yield from _again(publish, upload.tries)
    return (yield from _wait(protocol, upload, dict(answer.json()), publish=publish))


def _begin(protocol: HubProtocol, upload: FileUpload, size: int) -> Talk[Begun]:
    body = {
        "content_type": upload.content_type,
        "content_encoding": upload.content_encoding,
        "length": size,
    }
    path = f"/v1/resources/{upload.resource}/uploads"
    answer = yield from _again(lambda: protocol.send("POST", path, json=body), upload.tries)
    made = answer.json()
    return Begun(upload=str(made["upload"]), part_bytes=int(made["part_bytes"]))


def _ask_offset(protocol: HubProtocol, path: str, tries: int) -> Talk[int]:
    answer = yield from _again(lambda: protocol.send("HEAD", path), tries)
    return int(answer.headers["Upload-Offset"])


def _send_parts(
    protocol: HubProtocol, upload: FileUpload, path: str, *, size: int, offset: int, part_bytes: int
) -> Talk[None]:
    failures = 0
    with upload.file.open("rb") as opened:
        while offset < size:
            opened.seek(offset)
            part = opened.read(part_bytes)
            headers = {"Content-Type": PART_TYPE, "Upload-Offset": str(offset)}
            try:
                answer = yield from protocol.send("PATCH", path, content=part, headers=headers)
                offset, failures = int(answer.headers["Upload-Offset"]), 0
            except (ConnectionFailed, Refused) as trouble:
                failures += 1
                if not _is_passing(trouble) or failures >= upload.tries:
                    raise
                yield FIRST_WAIT_S * 2**failures
                offset = yield from _ask_offset(protocol, path, upload.tries)
            upload.on_sent(offset)


def _wait(
    protocol: HubProtocol,
    upload: FileUpload,
    answer: dict[str, Any],
    *,
    publish: Callable[[], Talk[httpx.Response]],
) -> Talk[dict[str, Any]]:
    """Ask for the batch until it is published; one that failed raises what its sender would have seen.

    Where nothing moves for a while the hub that had the batch may be gone; another is then asked for it. That
    none has the upload any more may mean that it was published just then, which the batch tells next.
    """
    path, last, still = f"/v1/resources/{upload.resource}/batches/{answer['batch']}", None, 0
    is_missing = False
    while answer.get("state") in UNPUBLISHED:
        progress = answer.get("progress", {})
        still = still + 1 if progress == last else 0
        last = progress
        if still == POLLS_BEFORE_ASKING_AGAIN:
            still = 0
            is_missing = yield from _ask_again(publish, was_missing=is_missing)
        upload.on_progress(str(progress.get("phase", "waiting")), int(progress.get("rows", 0)))
        yield POLL_S
        found = yield from _again(lambda: protocol.send("GET", path), upload.tries)
        answer = dict(found.json())
    if answer.get("state") == "failed":
        problem = answer.get("problem") or {}
        raise Refused(
            status=400,
            code=str(problem.get("code", "UNKNOWN")),
            detail=str(problem.get("detail", "the batch failed")),
            errors=list(problem.get("errors", [])),
        )
    return answer


def _ask_again(publish: Callable[[], Talk[httpx.Response]], *, was_missing: bool) -> Talk[bool]:
    """Ask for a batch once more; tell whether its upload is gone. Raises where it was gone before.

    A hub that is at work on the batch refuses, and one that does not answer is asked later.
    """
    try:
        yield from publish()
    except (ConnectionFailed, Refused) as trouble:
        is_missing = isinstance(trouble, Refused) and trouble.status == NOT_FOUND
        if is_missing and not was_missing:
            return True
        if not _is_passing(trouble):
            raise
    return False


def _again(call: Callable[[], Talk[httpx.Response]], tries: int) -> Talk[httpx.Response]:
    """Call until an answer comes; troubles that pass are waited for."""
    for turn in range(tries):
        try:
            return (yield from call())
        except (ConnectionFailed, Refused) as trouble:
            if not _is_passing(trouble) or turn + 1 == tries:
                raise
            yield FIRST_WAIT_S * 2**turn
    raise AssertionError


def _is_passing(trouble: ConnectionFailed | Refused) -> bool:
    """Tell whether asking again may help: no answer, an overload, or a part that came at another offset."""
    return isinstance(trouble, ConnectionFailed) or trouble.status in {409, 429, 502, 503, 504}
