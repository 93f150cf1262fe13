"""Stages for the conformance kit: folders, buckets, services, MariaDB, and tables that sinks write."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pa_parquet

from connectors.kit.model import Row
from tests.http_service import Answer, Asked

STATEMENT_ROWS = 200


def to_row(values: dict[str, Any]) -> Row:
    """Make a row of the kit of what a system gives back."""
    amount, day = values["amount"], values["day"]
    return Row(
        id=int(values["id"]),
        name=values["name"],
        amount=None if amount is None else Decimal(str(amount)),
        day=date.fromisoformat(day) if isinstance(day, str) else day,
    )


def write_csv(rows: Sequence[Row]) -> bytes:
    """Write rows as CSV in which nothing stands for null, and `""` for empty text."""

    def write(value: Any) -> str:
        return "" if value is None else '"' + str(value).replace('"', '""') + '"'

    lines = ["id,name,amount,day"]
    for row in rows:
        amount = None if row.amount is None else f"{row.amount:f}"
        lines.append(",".join(map(write, (row.id, row.name, amount, row.day))))
    return "\r\n".join([*lines, ""]).encode()


def take_away(folder: Path) -> None:
    """Make a folder something that cannot be listed."""
    folder.rename(folder.with_suffix(".away"))
    folder.write_text("in the way")


def bring_back(folder: Path) -> None:
    """Put a folder back that was taken away."""
    folder.unlink()
    folder.with_suffix(".away").rename(folder)


class FolderStage:
    """A folder into which every change comes as a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        folder.mkdir()

    def reset(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def put(self, rows: Sequence[Row]) -> None:
        self._number += 1
        (self.folder / f"{self._number:06}.csv").write_bytes(write_csv(rows))

    def remove(self, ids: Sequence[int]) -> None:
        raise NotImplementedError

    def cut(self) -> None:
        take_away(self.folder)

    def restore(self) -> None:
        bring_back(self.folder)


class ServiceStage:
    """Records of a service over HTTP, paged, with the number of their last change."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.is_away = False
        self._changes = 0

    def answer(self, asked: Asked) -> Answer:
        """Answer as the service does."""
        if self.is_away:
            return Answer(status=503)
        since = int(asked.query.get("since", 0))
        found = sorted(
            (r for r in self.rows.values() if r["seq"] >= since), key=lambda r: (r["seq"], r["id"])
        )
        start = (int(asked.query["page"]) - 1) * 100
        return Answer(body=json.dumps({"rows": found[start : start + 100], "total": len(found)}).encode())

    def reset(self) -> None:
        self.rows.clear()

    def put(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._changes += 1
            self.rows[row.id] = {
                "id": row.id,
                "name": row.name,
                "amount": None if row.amount is None else f"{row.amount:f}",
                "day": row.day and row.day.isoformat(),
                "seq": self._changes,
            }

    def remove(self, ids: Sequence[int]) -> None:
        for number in ids:
            self.rows.pop(number, None)

    def cut(self) -> None:
        self.is_away = True

    def restore(self) -> None:
        self.is_away = False


class ReceiverStage:
    """A service that takes records, and knows the keys of the requests that it took."""

    def __init__(self) -> None:
        self.rows: dict[int, dict[str, Any]] = {}
        self.keys: set[str] = set()
        self.is_away = False

    def answer(self, asked: Asked) -> Answer:
        """Take a request once."""
        if self.is_away:
            return Answer(status=503)
        if asked.headers["idempotency-key"] not in self.keys:
            self.keys.add(asked.headers["idempotency-key"])
            for row in json.loads(asked.body):
                if asked.path == "/delete":
                    self.rows.pop(row["id"], None)
                else:
                    self.rows[row["id"]] = row
        return Answer(body=b"{}")

    def reset(self) -> None:
        self.rows.clear()
        self.keys.clear()

    def read(self) -> list[Row]:
        return [to_row(values) for values in self.rows.values()]

    def cut(self) -> None:
        self.is_away = True

    def restore(self) -> None:
        self.is_away = False


class FilesSinkStage:
    """What stands in the Parquet files that a sink has written, taken in their order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def reset(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def read(self) -> list[Row]:
        rows: dict[int, dict[str, Any]] = {}
        for path in sorted(self.folder.glob("*.json")):
            manifest = json.loads(path.read_text())
            if manifest["operation"] == "snapshot":
                rows.clear()
            for values in pa_parquet.read_table(self.folder / manifest["file"]).to_pylist():
                if manifest["operation"] == "delete":
                    rows.pop(values["id"], None)
                else:
                    rows[values["id"]] = values
        return [to_row(values) for values in rows.values()]

    def cut(self) -> None:
        self.folder.mkdir(exist_ok=True)
        take_away(self.folder)

    def restore(self) -> None:
        bring_back(self.folder)


class TableStage:
    """A table in a database, asked by statements: both what a source reads and what a sink writes."""

    def __init__(
        self,
        run: Callable[..., list[Any]],
        table: str,
        *,
        notes: str = "",
        cut: Callable[[], None] | None = None,
        restore: Callable[[], None] | None = None,
    ) -> None:
        self.run = run
        self.table = table
        self._notes = notes
        self._cut = cut
        self._restore = restore

    def reset(self) -> None:
        if not self._notes:
            self.run(f"DELETE FROM {self.table}")
            return
        for name in (self.table, self._notes):
            self.run(f"DROP TABLE IF EXISTS {name}")

    def put(self, rows: Sequence[Row]) -> None:
        """Put rows in by statements of many: a mebibyte of text has one of its own."""
        for start in range(0, len(rows), STATEMENT_ROWS):
            part = rows[start : start + STATEMENT_ROWS]
            marks = ", ".join(["(%s, %s, %s, %s)"] * len(part))
            self.run(
                f"REPLACE INTO {self.table} (id, name, amount, day) VALUES {marks}",
                [value for row in part for value in (row.id, row.name, row.amount, row.day)],
            )

    def remove(self, ids: Sequence[int]) -> None:
        self.run(f"DELETE FROM {self.table} WHERE id IN ({', '.join(map(str, ids))})")

    def read(self) -> list[Row]:
        found = self.run(f"SELECT id, name, amount, day FROM {self.table}")
        names = ("id", "name", "amount", "day")
        return [to_row(dict(zip(names, values, strict=True))) for values in found]

    def cut(self) -> None:
        if self._cut is None:
            raise NotImplementedError
        self._cut()

    def restore(self) -> None:
        if self._restore is not None:
            self._restore()
