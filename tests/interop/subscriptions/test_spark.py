"""Spark with Delta Lake's own library reads the lake: rows, former versions, the change data feed.

Half a gigabyte is fetched for it; it runs where SHUZHENG_TEST_SPARK is set.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from core.database import Database
from core.settings import Settings
from subscriptions.lake import store
from tests.exchange_world import build_row
from tests.interop.harness import maven_artifact, python_venv, require_tool, run
from tests.lake_behaviour import LakeWorld, open_lake_world

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(
        "SHUZHENG_TEST_SPARK" not in os.environ,
        reason="set SHUZHENG_TEST_SPARK=1 to fetch Spark (half a gigabyte) and let it read the lake",
    ),
]
PACKAGES = ["pyspark==4.0.1"]
JARS = ["io.delta:delta-spark_2.13:4.0.0", "io.delta:delta-storage:4.0.0"]
READ = """
import json, sys
from pyspark.sql import SparkSession
uri, jars, versions = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
spark = (SparkSession.builder.master("local[1]").config("spark.jars", jars)
    .config("spark.driver.memory", "1g").config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1")
    .config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", "1")
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .getOrCreate())
def rows(frame):
    names = ["GMSFHM", "XM", "CSRQ", "SR", "JKSJ", "SFYX"]
    return sorted([None if v is None else str(v) for v in row] for row in frame.select(*names).collect())
read = lambda **options: spark.read.format("delta").options(**options).load(uri)
changes = read(readChangeFeed="true", startingVersion=str(versions[1]), endingVersion=str(versions[-1]))
print("RESULT " + json.dumps({
    "types": dict(read().dtypes),
    "now": rows(read()),
    "then": rows(read(versionAsOf=str(versions[1]))),
    "changes": sorted([r["_change_type"], r["GMSFHM"]] for r in changes.collect()
                      if r["_commit_version"] == versions[2])}))
"""


@pytest.fixture
async def lake(database: Database, hub_settings: Settings) -> AsyncIterator[LakeWorld]:
    async with open_lake_world(database, hub_settings) as opened:
        yield opened


def show(row: dict[str, Any]) -> list[str | None]:
    """Show a row as Spark's values print."""
    shown = {**row, "JKSJ": None if row["JKSJ"] is None else row["JKSJ"].replace(tzinfo=None)}
    if row["SR"] is not None:
        shown["SR"] = f"{row['SR']:.2f}"
    names = ("GMSFHM", "XM", "CSRQ", "SR", "JKSJ", "SFYX")
    return [None if shown[name] is None else str(shown[name]) for name in names]


async def test_spark_reads_rows_former_versions_and_changes(lake: LakeWorld) -> None:
    require_tool("java")
    world = lake.world
    await world.publish([build_row(n) for n in range(30)])
    await lake.follow()
    then = await lake.current()
    await world.publish([build_row(1, XM="改", SR=None)], [str(build_row(2)["GMSFHM"])])
    await lake.follow()
    async with world.database.acquire() as connection:
        versions = [v.delta_version for v in await store.load_versions(connection, code="people")]
    jars = ",".join([str(await asyncio.to_thread(maven_artifact, jar)) for jar in JARS])
    python = await asyncio.to_thread(python_venv, "spark", PACKAGES)
    uri = lake.lake.place.table_uri("people")
    printed = await asyncio.to_thread(run, [python, "-c", READ, uri, jars, json.dumps(versions)])
    line = next(line for line in printed.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    types = {name: found["types"][name] for name in ("GMSFHM", "CSRQ", "SR", "JKSJ", "SFYX")}
    assert types == {
        "GMSFHM": "string", "CSRQ": "date", "SR": "decimal(12,2)", "JKSJ": "timestamp", "SFYX": "boolean",
    }  # fmt: skip
    assert found["now"] == sorted(show(row) for row in (await lake.current()).values())
    assert found["then"] == sorted(show(row) for row in then.values())
    one, two = (str(build_row(n)["GMSFHM"]) for n in (1, 2))
    assert found["changes"] == [["delete", two], ["update_postimage", one], ["update_preimage", one]]
