"""How soon a single row that is written can be seen, while others are being written too."""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import time
from pathlib import Path
from typing import Final
from uuid import uuid4

from core.caller import Caller
from core.database import Database
from exchange.catalogue.model import Resource
from exchange.catalogue.store import table_of
from exchange.publish.model import Mode
from exchange.publish.publish import PublishService
from exchange.publish.rows import RowWriter

WRITERS: Final = 20
WRITES_EACH: Final = 10
NEW_NAME: Final = "新名"


def read_lines(path: Path, *, count: int) -> list[bytes]:
    """Read the first rows of a CSV file as lines of NDJSON, each person under a new name."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(itertools.islice(csv.DictReader(file), count))
    return [
        json.dumps({name: value for name, value in row.items() if value} | {"XM": NEW_NAME}).encode()
        for row in rows
    ]


async def measure_row_writes(
    database: Database, publisher: PublishService, resource: Resource, caller: Caller, path: Path
) -> float:
    """Write rows of a file that is published one by one, by many writers at once.

    Return the most seconds from sending a row until another connection sees it in its table.
    """
    lines = read_lines(path, count=WRITERS * WRITES_EACH)
    writer = RowWriter(database=database, publisher=publisher)
    slowest = 0.0

    async def write_some(number: int) -> None:
        nonlocal slowest
        for line in lines[number::WRITERS]:
            start = time.perf_counter()
            answer = await writer.write(
                resource, line, caller=caller, mode=Mode.UPSERT, idempotency_key=str(uuid4())
            )
            assert answer["accepted"] == 1, answer
            async with database.acquire() as connection:
                seen = await connection.fetchval(
                    f'SELECT "XM" FROM {table_of(resource.code)} WHERE "GMSFHM" = $1',
                    json.loads(line)["GMSFHM"],
                )
            assert seen == NEW_NAME
            slowest = max(slowest, time.perf_counter() - start)

    await asyncio.gather(*map(write_some, range(WRITERS)))
    return slowest
