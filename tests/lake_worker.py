"""One hub process that only follows the lake, for tests that kill it.

`python -m tests.lake_worker URL HOME` says that it is ready, and follows.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from core.database import Database
from core.log.writer import LogWriter
from core.settings import Settings
from subscriptions.lake.assembly import assemble

CODE = "people"


def utc_now() -> datetime:
    """Tell the time, aware and in UTC; without the rest of the hub, which loads slowly."""
    return datetime.now(UTC)


async def main(url: str, home: str) -> None:
    """Follow until killed."""
    settings = Settings(home=Path(home), database_url=SecretStr(url), lake="all", lake_interval_s=0.05)
    database = await Database.connect(url, pool_size=3, timeout_s=10)
    log = LogWriter(subject_key=b"k" * 32, now=utc_now)
    lake = assemble(settings=settings, database=database, log=log, now=utc_now)
    print("ready", flush=True)  # noqa: T201
    while True:
        await lake.writer.follow(CODE)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
