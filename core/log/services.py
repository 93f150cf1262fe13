"""Everything of the log that a running hub holds, and its background work."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from core.caller import Caller
from core.database import Database
from core.duties import keep_going, stop_duties
from core.log.export import ExportService
from core.log.heads import HeadKeys
from core.log.proofs import ProofService
from core.log.retention import RetentionService
from core.log.selfcheck import SelfCheck
from core.log.sequencer import Sequencer
from core.log.subjects import SubjectService
from core.log.time_stamps import TimeStamper
from core.log.views import ViewService
from core.log.witnesses import WitnessService
from core.log.writer import LogWriter
from signing.x509.certificate import Certificate
from signing.x509.pem import build_pem


@dataclass(frozen=True, slots=True, kw_only=True)
class LogServices:
    """The log's services. `load_certificates` returns the log's certificates and their issuer's."""

    database: Database
    writer: LogWriter
    heads: HeadKeys
    sequencer: Sequencer
    proofs: ProofService
    views: ViewService
    subjects: SubjectService
    witnesses: WitnessService
    check: SelfCheck
    export: ExportService
    retention: RetentionService
    time_stamper: TimeStamper | None
    load_certificates: Callable[[], Awaitable[list[Certificate]]]
    check_hour: int | None
    keep_days: int | None

    async def describe_keys(self) -> dict[str, Any]:
        """Describe how the log's heads verify."""
        certificates = await self.load_certificates()
        return {
            "origin": self.heads.origin,
            "hash": str(self.heads.suite),
            "verifier_keys": self.heads.verifier_keys,
            "certificates": "".join(build_pem("CERTIFICATE", each.der) for each in certificates),
        }

    async def prove_for_file(self, leaf_id: UUID) -> dict[str, Any]:
        """Prove a leaf in a document that verifies offline with the CA certificate alone. Raises NotFound."""
        found = await self.proofs.prove_leaf(leaf_id, caller=None)
        assert found.entry is not None
        return {
            "format": "shuzheng-inclusion-proof/1",
            "index": found.leaf_index,
            "tree_size": found.checkpoint.tree_size,
            "entry": found.entry.decode(),
            "proof": [base64.b64encode(node).decode() for node in found.proof],
            "checkpoint": found.checkpoint.note,
            **await self.describe_keys(),
        }

    async def prove_subject_for_file(self, number: str, *, caller: Caller | None = None) -> dict[str, Any]:
        """Prove all leaves about a subject in a document that verifies offline."""
        proof = await self.subjects.prove(number, caller=caller)
        return {**proof.to_json(), **await self.describe_keys()}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run sequencer, nightly check, retention and time stamps until the block ends."""
        work: dict[str, Callable[[], Coroutine[None, None, None]]] = {"sequencer": self.sequencer.run}
        if self.check_hour is not None:
            work["self-check"] = partial(self.check.run_nightly, hour=self.check_hour)
        if self.time_stamper is not None:
            work["time stamps"] = self.time_stamper.run
        if self.keep_days is not None:
            work["retention"] = partial(self.retention.run_daily, keep_days=self.keep_days)
        tasks = [asyncio.create_task(keep_going(name, run), name=name) for name, run in work.items()]
        try:
            yield
        finally:
            await stop_duties(tasks)
