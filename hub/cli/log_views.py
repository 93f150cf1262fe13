"""Views of the log on the command line: a case, a subject, a search, usage; as text, JSON or CSV."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.console import Console

from core.log.leaf_body import describe_leaf
from core.log.model import Event
from core.log.services import LogServices
from core.log.tables import build_csv
from core.log.views_model import Filter, Grouping

RunOnLog = Callable[[Callable[[LogServices], Any]], Any]
COLUMNS = (
    "index",
    "time",
    "event",
    "organisation",
    "system",
    "operator",
    "case_number",
    "owner",
    "resource",
    "details",
)


class Shape(StrEnum):
    """How a view is printed."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


Moment = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"], help="UTC")]
As = Annotated[Shape, typer.Option("--as", help="text, json or csv")]
Text = Annotated[str | None, typer.Option()]


def add_commands(app: typer.Typer, run_on_log: RunOnLog) -> None:
    """Add the commands; `run_on_log` opens this hub's log for them."""

    @app.command()
    def case(number: Annotated[str, typer.Argument(help="case number")], shape: As = Shape.TEXT) -> None:
        """Tell the story of a case (办件), refusals too."""
        print_leaves(_search(run_on_log, Filter(case_number=number), view="case"), shape)

    @app.command()
    def search(
        organisation: Text = None,
        owner: Text = None,
        operator: Text = None,
        system: Annotated[UUID | None, typer.Option()] = None,
        resource: Text = None,
        case_number: Text = None,
        certificate: Text = None,
        event: Annotated[list[Event] | None, typer.Option()] = None,
        since: Moment = None,
        until: Moment = None,
        shape: As = Shape.TEXT,
    ) -> None:
        """Search leaves by time, actor, resource, case and event."""
        chosen = Filter(
            organisation=organisation,
            owner=owner,
            operator=operator,
            system=system,
            resource=resource,
            case_number=case_number,
            certificate=certificate,
            events=tuple(str(each) for each in event or ()),
            since=_utc(since),
            until=_utc(until),
        )
        print_leaves(_search(run_on_log, chosen, view="search"), shape)

    _add_usage(app, run_on_log)
    _add_subject(app, run_on_log)


def _add_usage(app: typer.Typer, run_on_log: RunOnLog) -> None:
    @app.command()
    def usage(
        owner: Annotated[str | None, typer.Option(help="whose data: a credit code")] = None,
        organisation: Text = None,
        operator: Text = None,
        system: Annotated[UUID | None, typer.Option()] = None,
        resource: Text = None,
        by: Annotated[list[Grouping] | None, typer.Option(help="break down by")] = None,
        since: Moment = None,
        until: Moment = None,
        shape: As = Shape.TEXT,
    ) -> None:
        """Count who used which data per department, operator, system, item: how often, for how many cases."""
        groups = by or [Grouping.ORGANISATION]
        chosen = Filter(
            owner=owner,
            organisation=organisation,
            operator=operator,
            system=system,
            resource=resource,
            since=_utc(since),
            until=_utc(until),
        )
        rows = run_on_log(lambda log: log.views.count(chosen, by=groups, caller=None))
        columns = ("event", *(str(each) for each in groups), "times", "cases")
        described = [
            {"event": row.event, **row.groups, "times": row.times, "cases": row.cases} for row in rows
        ]
        _print(columns, described, shape)


def _add_subject(app: typer.Typer, run_on_log: RunOnLog) -> None:
    @app.command()
    def subject(
        number: Annotated[
            str, typer.Option(prompt=True, hide_input=True, help="citizen number or credit code")
        ],
        shape: As = Shape.TEXT,
    ) -> None:
        """Tell who used a person's or firm's data, for what."""
        page = run_on_log(lambda log: log.subjects.load(number, caller=None, after=0, limit=100_000))
        described = [
            {"event": "read in mass", "resource": each.resource, "details": {"times": each.leaves}}
            for each in page.mass_readings
        ]
        described += [
            {"number": place, **({"index": index} if leaf is None else describe_leaf(leaf))}
            for place, index, leaf in page.leaves
        ]
        _print(("number", *COLUMNS), described, shape)


def _utc(at: datetime | None) -> datetime | None:
    return None if at is None else at.replace(tzinfo=UTC)


def _search(run_on_log: RunOnLog, chosen: Filter, *, view: str) -> list[dict[str, object]]:
    async def work(log: LogServices) -> list[dict[str, object]]:
        found: list[dict[str, object]] = []
        after = None
        while True:
            page = await log.views.search(chosen, caller=None, after=after, limit=1000, view=view)
            found += map(describe_leaf, page.leaves)
            after = page.next_cursor
            if after is None:
                return found

    result: list[dict[str, object]] = run_on_log(work)
    return result


def print_leaves(leaves: list[dict[str, object]], shape: Shape) -> None:
    """Print leaves."""
    _print(COLUMNS, leaves, shape)


def _print(columns: tuple[str, ...], rows: list[dict[str, Any]], shape: Shape) -> None:
    if shape is Shape.CSV:
        sys.stdout.write(build_csv(columns, rows))
        return
    console = Console(highlight=False)
    if shape is Shape.JSON:
        console.print_json(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        line = "  ".join(_cell(row.get(name)) for name in columns if row.get(name) not in (None, {}))
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{len(rows)} rows")


def _cell(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
