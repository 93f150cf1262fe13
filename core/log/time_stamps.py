"""Time stamps on heads (RFC 3161): an authority of others says when a head already existed."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from typing import Final

import httpx

from core.database import Database
from core.errors import Unavailable
from core.log import store, store_witness
from core.log.model import Event
from core.log.writer import LogWriter
from signing import sm3
from signing.errors import ShuzhengError
from signing.timestamp.request import MessageImprint, TimeStampRequest
from signing.timestamp.response import TimeStampResponse
from signing.timestamp.token import VerifiedTimeStamp, verify_time_stamp
from signing.x509.certificate import Certificate
from signing.x509.path import TSA_POLICY as STRICT_POLICY
from signing.x509.path import PathPolicy, RevocationMode

logger = logging.getLogger("shuzheng.log")

QUERY_TYPE: Final = "application/timestamp-query"
REPLY_TYPE: Final = "application/timestamp-reply"
TIMEOUT_S: Final = 10.0
MAX_REPLY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStampTrust:
    """The roots under which a time-stamp authority is believed; revocation is judged where known."""

    roots: tuple[Certificate, ...]
    intermediates: tuple[Certificate, ...] = ()

    def verify(self, token: bytes, *, note: str, nonce: int | None = None) -> VerifiedTimeStamp:
        """Verify a token over a head's note. Raises an error of `signing`."""
        policy = PathPolicy(
            key_usage=STRICT_POLICY.key_usage,
            extended_key_usage=STRICT_POLICY.extended_key_usage,
            sole_critical_purpose=True,
            revocation=RevocationMode.IF_KNOWN,
        )
        return verify_time_stamp(
            token,
            digest=sm3.digest(note.encode()),
            roots=self.roots,
            intermediates=self.intermediates,
            nonce=nonce,
            path_policy=policy,
        )


class TimeStamper:
    """Has the newest head stamped every `interval_s` seconds by the authority at `url`, where it is new."""

    def __init__(
        self,
        *,
        database: Database,
        log: LogWriter,
        url: str,
        trust: TimeStampTrust,
        interval_s: float,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._database = database
        self._log = log
        self._url = url
        self._trust = trust
        self._interval_s = interval_s
        self._transport = transport

    async def run(self) -> None:
        """Stamp until cancelled; trouble with the authority is logged and tried again."""
        while True:
            try:
                await self.stamp_once()
            except ShuzhengError as trouble:
                logger.warning("the log's newest head was not time-stamped: %s", trouble.detail)
            except Exception as error:
                logger.error("time-stamping the log failed: %s", type(error).__name__)
            await asyncio.sleep(self._interval_s)

    async def stamp_once(self) -> int | None:
        """Stamp the newest head; return its size, None where nothing happened since the last stamp.

        Raises Unavailable where the authority does not answer, or an error of `signing` for a bad token.
        """
        async with self._database.acquire() as connection:
            latest = await store.load_latest_checkpoint(connection)
            stamped = await store_witness.load_stamped_size(connection)
            only_ours = latest is not None and await store_witness.is_only_own_work(
                connection, first=stamped, end=latest.tree_size
            )
        if latest is None or latest.tree_size == stamped or only_ours:
            return None
        token = await self._fetch(latest.note)
        async with self._database.transaction() as connection:
            if await store_witness.save_time_stamp(connection, tree_size=latest.tree_size, token=token):
                await self._log.append(
                    connection,
                    event=Event.CHECKPOINT_TIME_STAMPED,
                    caller=None,
                    details={"tree_size": latest.tree_size, "token_sm3": sm3.digest(token).hex()},
                )
        return latest.tree_size

    async def _fetch(self, note: str) -> bytes:
        nonce = secrets.randbits(63)
        imprint = MessageImprint.of_sm3(sm3.digest(note.encode()))
        request = TimeStampRequest(imprint=imprint, nonce=nonce, certificates_wanted=True)
        try:
            async with httpx.AsyncClient(transport=self._transport, timeout=TIMEOUT_S) as client:
                answer = await client.post(
                    self._url, content=request.der, headers={"Content-Type": QUERY_TYPE, "Accept": REPLY_TYPE}
                )
        except httpx.HTTPError as trouble:
            msg = f"the time-stamp authority does not answer ({type(trouble).__name__})"
            raise Unavailable(msg) from trouble
        if answer.status_code != httpx.codes.OK or len(answer.content) > MAX_REPLY_BYTES:
            msg = f"the time-stamp authority answered with status {answer.status_code}"
            raise Unavailable(msg)
        response = TimeStampResponse.parse(answer.content)
        if response.token is None:
            msg = f"the time-stamp authority refused: {'; '.join(response.texts)}"
            raise Unavailable(msg)
        self._trust.verify(response.token, note=note, nonce=nonce)
        return response.token
