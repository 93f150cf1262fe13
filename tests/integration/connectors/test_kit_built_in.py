"""The built-in sources and sinks pass the conformance kit, on real systems."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.kit import Finding, Outcome, assess_sink, assess_source, describe
from connectors.sinks.sqlite import SqliteSink, SqliteSinkOptions
from connectors.sources.postgresql import PostgresqlOptions, PostgresqlSource
from connectors.sources.sqlite import SqliteOptions, SqliteSource
from tests.connector_stages import PostgresqlStage, SqliteSinkStage, SqliteStage


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sources", "sinks"):
        monkeypatch.setattr(f"connectors.{module}.sqlite.BUSY_S", 0.05)


def require_passed(findings: list[Finding], *, skipped: set[str]) -> None:
    assert not [finding for finding in findings if finding.outcome is Outcome.FAILED], describe(findings)
    assert {finding.check for finding in findings if finding.outcome is Outcome.SKIPPED} == skipped


@pytest.mark.parametrize(
    ("options", "skipped"),
    [
        ({"watermark": "seq"}, {"acknowledge-harmless", "deleted-row", "reading-honest"}),
        (
            {},
            {
                *("acknowledge-harmless", "changed-alone", "cursor-advances", "cursor-caught-up"),
                *("cursor-foreign", "cursor-last", "cursor-restart", "cursor-untouched"),
            },
        ),
    ],
)
def test_sqlite_source_passes(tmp_path: Path, options: dict[str, Any], skipped: set[str]) -> None:
    stage = SqliteStage(tmp_path / "a.db")
    given = {"file": tmp_path / "a.db", "table": "t", "key": ["id"], "batch_rows": 100} | options
    made = SqliteOptions.model_validate(given)
    require_passed(assess_source(lambda: SqliteSource(made), stage), skipped=skipped)


async def test_postgresql_source_passes(database_url: str) -> None:
    given = {"url": database_url, "table": "t", "key": ["id"], "watermark": "changed", "settle_s": 0}
    options = PostgresqlOptions.model_validate(given | {"batch_rows": 100})

    def assess() -> list[Finding]:
        return assess_source(lambda: PostgresqlSource(options), PostgresqlStage(database_url))

    findings = await asyncio.to_thread(assess)
    require_passed(findings, skipped={"acknowledge-harmless", "deleted-row", "reading-honest"})


def test_sqlite_sink_passes(tmp_path: Path) -> None:
    options = SqliteSinkOptions(file=tmp_path / "o.db", table="o", key=("id",))
    require_passed(
        assess_sink(lambda: SqliteSink(options), SqliteSinkStage(tmp_path / "o.db")), skipped=set()
    )
