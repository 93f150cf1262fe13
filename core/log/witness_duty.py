"""Being a witness of another party's log: cosign its newest head if it continues the last one seen.

All that a witness keeps is that last head. It never talks to a database.
"""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from core.errors import Unavailable
from core.log.heads import HeadVerifier, ReadHead
from signing.merkle.checkpoint import Sm2Cosigner, cosign_checkpoint
from signing.merkle.errors import CheckpointRefused
from signing.merkle.proofs import verify_consistency

STATE_FILE: Final = "last-checkpoint"
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What one round did: the size cosigned, and the size seen before (0 at the first)."""

    tree_size: int
    previous_size: int


class WitnessDuty:
    """Watches the log at `client`'s base URL.

    `state_dir` keeps the last head, written before it is cosigned.
    """

    def __init__(
        self,
        *,
        client: httpx.Client,
        heads: HeadVerifier,
        cosigner: Sm2Cosigner,
        state_dir: Path,
    ) -> None:
        self._client = client
        self._heads = heads
        self._cosigner = cosigner
        self._path = state_dir / STATE_FILE

    def run_once(self) -> Witnessed:
        """Cosign the newest head.

        1. It bears the log's signature. 2. It is not smaller than the last one, and the proof shows that it
        continues it. 3. It is kept. 4. It is cosigned, and the hub is given the cosignature. Raises
        CheckpointRefused or ProofRefused for a fork or a rollback, which is the alarm; Unavailable.
        """
        note = self._get("/v1/log/checkpoint").text
        head = self._heads.read(note)
        last = self._load_last()
        if last is not None:
            self._verify_continued(last, head)
        self._keep(note)
        cosigned = cosign_checkpoint(note.encode(), [self._cosigner])
        self._post("/v1/log/cosignatures", cosigned)
        return Witnessed(tree_size=head.size, previous_size=0 if last is None else last.size)

    def _verify_continued(self, last: ReadHead, head: ReadHead) -> None:
        if head.size < last.size:
            msg = (
                f"The log showed {last.size} leaves before and {head.size} now: it was rolled back or forked."
            )
            raise CheckpointRefused(msg)
        answer = self._get("/v1/log/consistency", old_size=last.size, new_size=head.size)
        verify_consistency(
            self._heads.suite,
            old_size=last.size,
            old_root=last.root,
            new_size=head.size,
            new_root=head.root,
            proof=[base64.b64decode(node) for node in answer.json()["proof"]],
        )

    def _load_last(self) -> ReadHead | None:
        return self._heads.read(self._path.read_text(encoding="utf-8")) if self._path.exists() else None

    def _keep(self, note: str) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(self._path.name + ".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)

    def _get(self, path: str, **query: int) -> httpx.Response:
        return self._answer("GET", path, params=query)

    def _post(self, path: str, content: bytes) -> httpx.Response:
        return self._answer("POST", path, content=content, headers={"Content-Type": TEXT})

    def _answer(self, method: str, path: str, **options: object) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **options)  # type: ignore[arg-type]
        except httpx.HTTPError as trouble:
            msg = f"the hub does not answer ({type(trouble).__name__})"
            raise Unavailable(msg) from trouble
        if answer.is_error:
            msg = f"the hub answered {answer.status_code}: {answer.text[:500]}"
            raise Unavailable(msg)
        return answer
