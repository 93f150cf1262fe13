"""One hub process of the log for tests that kill it: writes leaves, sequences, tells what was committed.

`python -m tests.log_worker URL HOME SEED` prints the ids of the leaves of each committed transaction, a line
each.
"""

from __future__ import annotations

import asyncio
import random
import sys
from datetime import UTC, datetime
from pathlib import Path

from core.database import Database
from core.log.anchor import Anchor
from core.log.heads import HeadKeys
from core.log.model import Event
from core.log.sequencer import Sequencer
from core.log.writer import LogWriter
from signing.merkle.hashing import HashSuite
from signing.sm2 import PrivateKey

KEY = 0x1357


def utc_now() -> datetime:
    """Tell the time, aware and in UTC; without the rest of the hub, which loads slowly."""
    return datetime.now(UTC)


SUBJECTS = [f"subject-{n}" for n in range(7)]


def build_heads() -> HeadKeys:
    """Build the keys that every worker signs heads with."""
    return HeadKeys(origin="test/log", suite=HashSuite.SM3, signer=PrivateKey.from_scalar(KEY))


async def write(database: Database, writer: LogWriter, dice: random.Random) -> None:
    """Write transactions for ever; some are rolled back."""
    while True:
        ids = []
        try:
            async with database.transaction() as connection:
                for _ in range(dice.choice((1, 1, 1, 2, 5))):
                    subjects = dice.sample(SUBJECTS, dice.choice((0, 1, 1, 2)))
                    ids.append(
                        await writer.append(
                            connection, event=Event.TOKEN_REVOKED, caller=None, subjects=subjects
                        )
                    )
                if dice.random() < 0.1:
                    raise LookupError
        except LookupError:
            continue
        sys.stdout.write(" ".join(map(str, ids)) + "\n")
        sys.stdout.flush()


async def main(url: str, home: str, seed: int) -> None:
    """Run until killed."""
    database = await Database.connect(url, pool_size=6, timeout_s=10)
    writer = LogWriter(subject_key=b"k" * 32, now=utc_now)
    sequencer = Sequencer(
        database=database,
        heads=build_heads(),
        interval_s=0.005,
        now=utc_now,
        anchor=Anchor(Path(home) / "anchor"),
    )
    dice = random.Random(seed)
    await asyncio.gather(
        sequencer.run(), *(write(database, writer, random.Random(dice.random())) for _ in range(3))
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
