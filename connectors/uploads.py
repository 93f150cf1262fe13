"""Publishing a file over a connection that may be cut: in parts, going on where the hub's copy ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from connectors.client import HubClient
from connectors.errors import ConnectionFailed, Refused

PART_TYPE = "application/offset+octet-stream"
MAX_TRIES = 8
FIRST_WAIT_S = 0.5
POLL_S = 0.5
POLLS_BEFORE_ASKING_AGAIN = 60
UNPUBLISHED = ("receiving",)


def publish_file(
    client: HubClient,
    resource: str,
    file: Path,
    *,
    idempotency_key: str,
    content_type: str,
    content_encoding: str = "identity",
    mode: str = "upsert",
    confirm: bool = False,
    on_sent: Callable[[int], None] = lambda _: None,
    on_progress: Callable[[str, int], None] = lambda _phase, _rows: None,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Send a file in parts and publish it; return the hub's accounting.

    `on_sent` is told how many bytes the hub holds, `on_progress` the phase and its rows. A cut connection is
    taken up again, MAX_TRIES times in a row. Raises Refused, ConnectionFailed.
    """
    size = file.stat().st_size
    body = {"content_type": content_type, "content_encoding": content_encoding, "length": size}
    made = _again(lambda: client.post(f"/v1/resources/{resource}/uploads", body), sleep)
    path = f"/v1/resources/{resource}/uploads/{made['upload']}"
    _send_parts(client, path, file, size=size, part_bytes=made["part_bytes"], on_sent=on_sent, sleep=sleep)
    params = {"mode": mode, "confirm": str(confirm).lower()}
    headers = {"Idempotency-Key": idempotency_key, "Prefer": "respond-async"}

    def publish() -> Any:
        return client.send("POST", f"{path}/publish", params=params, headers=headers, timeout=None).json()

    answer = _again(publish, sleep)
    return _wait(client, resource, dict(answer), publish=publish, on_progress=on_progress, sleep=sleep)


def _send_parts(
    client: HubClient,
    path: str,
    file: Path,
    *,
    size: int,
    part_bytes: int,
    on_sent: Callable[[int], None],
    sleep: Callable[[float], None],
) -> None:
    offset, failures = 0, 0
    with file.open("rb") as opened:
        while offset < size:
            opened.seek(offset)
            part = opened.read(part_bytes)
            headers = {"Content-Type": PART_TYPE, "Upload-Offset": str(offset)}
            try:
                answer = client.send("PATCH", path, content=part, headers=headers)
                failures = 0
            except (ConnectionFailed, Refused) as trouble:
                failures += 1
                if not _is_passing(trouble) or failures >= MAX_TRIES:
                    raise
                sleep(FIRST_WAIT_S * 2**failures)
                answer = _again(lambda: client.send("HEAD", path), sleep)
            offset = int(answer.headers["Upload-Offset"])
            on_sent(offset)


def _wait(
    client: HubClient,
    resource: str,
    answer: dict[str, Any],
    *,
    publish: Callable[[], Any],
    on_progress: Callable[[str, int], None],
    sleep: Callable[[float], None],
) -> dict[str, Any]:
    """Ask for the batch until it is published; one that failed raises what its sender would have seen.

    Where nothing moves for a while the hub that had the batch may be gone; another is then asked for it.
    """
    batch, last, still = f"/v1/resources/{resource}/batches/{answer['batch']}", None, 0
    while answer.get("state") in UNPUBLISHED:
        progress = answer.get("progress", {})
        still = still + 1 if progress == last else 0
        last = progress
        if still == POLLS_BEFORE_ASKING_AGAIN:
            still = 0
            _again(publish, sleep)
        on_progress(str(progress.get("phase", "waiting")), int(progress.get("rows", 0)))
        sleep(POLL_S)
        answer = dict(_again(lambda: client.get(batch), sleep))
    if answer.get("state") == "failed":
        problem = answer.get("problem") or {}
        raise Refused(
            status=400,
            code=str(problem.get("code", "UNKNOWN")),
            detail=str(problem.get("detail", "the batch failed")),
            errors=list(problem.get("errors", [])),
        )
    return answer


def _again(call: Callable[[], Any], sleep: Callable[[float], None]) -> Any:
    """Call until an answer comes; troubles that pass are waited for."""
    for turn in range(MAX_TRIES):
        try:
            return call()
        except (ConnectionFailed, Refused) as trouble:
            if not _is_passing(trouble) or turn + 1 == MAX_TRIES:
                raise
            sleep(FIRST_WAIT_S * 2**turn)
    raise AssertionError


def _is_passing(trouble: ConnectionFailed | Refused) -> bool:
    """Tell whether asking again may help: no answer, an overload, or a part that came at another offset."""
    return isinstance(trouble, ConnectionFailed) or trouble.status in {409, 429, 502, 503, 504}
