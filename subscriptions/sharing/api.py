"""Routes of the Delta Sharing protocol."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from core.errors import BadInput
from core.http.authentication import Authentication, bearer, read_bearer
from subscriptions.sharing.access import Doorkeeper, require_table
from subscriptions.sharing.files import FileService
from subscriptions.sharing.files import headers_of as file_headers
from subscriptions.sharing.hints import parse_hints
from subscriptions.sharing.model import Access
from subscriptions.sharing.service import Answer, Asked, SharingService
from subscriptions.sharing.ticket import MAX_CHARACTERS
from subscriptions.sharing.wire import (
    CAPABILITIES_HEADER,
    NDJSON,
    Links,
    headers_of,
    wants_delta,
    write_changes,
    write_description,
    write_files,
)

PREFIX = "/v1/delta-sharing"
TABLE = "/shares/{share}/schemas/{schema}/tables/{table}"
PARQUET = "application/vnd.apache.parquet"
MAX_HINT_CHARACTERS = 100_000
Version = Annotated[int | None, Field(ge=0, lt=2**62)]
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {NDJSON.split(";", maxsplit=1)[0]: {}}, "description": "one JSON object per line"}
}


class TableQueryIn(BaseModel):
    """A query of a table. Hints may leave out files; whatever the protocol adds is passed over."""

    model_config = ConfigDict(extra="ignore")

    predicate_hints: list[Annotated[str, Field(max_length=1000)]] | None = Field(
        default=None, alias="predicateHints", max_length=100
    )
    json_predicate_hints: str | None = Field(
        default=None, alias="jsonPredicateHints", max_length=MAX_HINT_CHARACTERS
    )
    limit_hint: int | None = Field(default=None, alias="limitHint", ge=0, lt=2**62)
    version: Version = None
    timestamp: str | None = Field(default=None, max_length=64)


class Names(BaseModel):
    """A page of names; there is never a second one."""

    items: list[dict[str, str]]


def build_router(
    *,
    sharing: SharingService,
    files: FileService,
    doorkeeper: Doorkeeper,
    authentication: Authentication,
) -> APIRouter:
    """Build the routes over `sharing`."""
    router = APIRouter(prefix=PREFIX, tags=["delta sharing"])

    async def admit(request: Request) -> Access:
        return await doorkeeper.admit(read_bearer(request), address=authentication.address_of(request))

    recipient = Annotated[Access, Depends(admit)]
    add_names(router, recipient)
    add_descriptions(router, recipient, sharing)
    add_reading(router, recipient, sharing, files)
    add_files(router, files)
    return router


def add_descriptions(router: APIRouter, recipient: Any, sharing: SharingService) -> None:
    """Add the routes that tell a table's version and describe it."""

    async def tell_version(
        access: Access, share: str, schema: str, table: str, since: str | None
    ) -> Response:
        require_table(access, share=share, schema=schema, table=table)
        version = await sharing.find_version(access, since=_parse_time(since))
        return Response(headers=headers_of(version, delta=False))

    @router.head(TABLE, dependencies=[Depends(bearer)])
    async def head_table(access: recipient, share: str, schema: str, table: str) -> Response:
        """Tell the version of a table in the header `Delta-Table-Version`."""
        return await tell_version(access, share, schema, table, None)

    @router.get(f"{TABLE}/version", dependencies=[Depends(bearer)])
    async def get_version(
        access: recipient,
        share: str,
        schema: str,
        table: str,
        starting: Annotated[str | None, Query(alias="startingTimestamp", max_length=64)] = None,
    ) -> Response:
        """Tell the newest version of a table, or the first since a time, in `Delta-Table-Version`."""
        return await tell_version(access, share, schema, table, starting)

    @router.head(f"{TABLE}/version", dependencies=[Depends(bearer)])
    async def head_version(
        access: recipient,
        share: str,
        schema: str,
        table: str,
        starting: Annotated[str | None, Query(alias="startingTimestamp", max_length=64)] = None,
    ) -> Response:
        """Tell what `get_version` tells."""
        return await tell_version(access, share, schema, table, starting)

    @router.get(
        f"{TABLE}/metadata",
        response_class=Response,
        responses=_LINES,
        dependencies=[Depends(bearer)],
    )
    async def get_metadata(
        access: recipient,
        request: Request,
        share: str,
        schema: str,
        table: str,
        version: Annotated[int | None, Query(ge=0, lt=2**62)] = None,
        timestamp: Annotated[str | None, Query(max_length=64)] = None,
    ) -> Response:
        """Describe a table: protocol and metadata."""
        require_table(access, share=share, schema=schema, table=table)
        answer = await sharing.describe(access, asked=_asked(version, timestamp))
        return _respond(request, access, answer, None)


def add_reading(router: APIRouter, recipient: Any, sharing: SharingService, files: FileService) -> None:
    """Add the routes that give the files of a table and of its changes."""

    @router.post(f"{TABLE}/query", response_class=Response, responses=_LINES, dependencies=[Depends(bearer)])
    async def query_table(
        access: recipient,
        request: Request,
        share: str,
        schema: str,
        table: str,
        body: TableQueryIn | None = None,
    ) -> Response:
        """Give the files of a table, of its newest version or a past one."""
        require_table(access, share=share, schema=schema, table=table)
        asked = body or TableQueryIn()
        answer = await sharing.query(
            access,
            asked=_asked(asked.version, asked.timestamp),
            hints=parse_hints(asked.json_predicate_hints, asked.predicate_hints or ()),
            limit_rows=asked.limit_hint,
        )
        return _respond(request, access, answer, files.link(access, answer))

    @router.get(f"{TABLE}/changes", response_class=Response, responses=_LINES, dependencies=[Depends(bearer)])
    async def read_table_changes(
        access: recipient,
        request: Request,
        share: str,
        schema: str,
        table: str,
        starting_version: Annotated[int | None, Query(alias="startingVersion", ge=0, lt=2**62)] = None,
        starting_timestamp: Annotated[str | None, Query(alias="startingTimestamp", max_length=64)] = None,
        ending_version: Annotated[int | None, Query(alias="endingVersion", ge=0, lt=2**62)] = None,
        ending_timestamp: Annotated[str | None, Query(alias="endingTimestamp", max_length=64)] = None,
    ) -> Response:
        """Give the files of a table's changes, from a version to another, both included."""
        require_table(access, share=share, schema=schema, table=table)
        if starting_version is None and starting_timestamp is None:
            msg = "say where the changes begin: startingVersion or startingTimestamp"
            raise BadInput(msg)
        answer = await sharing.changes(
            access,
            start=_asked(starting_version, starting_timestamp),
            end=_asked(ending_version, ending_timestamp),
        )
        return _respond(request, access, answer, files.link(access, answer), in_changes=True)


def add_files(router: APIRouter, files: FileService) -> None:
    """Add the routes of the files themselves, whose address is the permission."""

    @router.head("/files/{ticket}")
    async def head_file(ticket: str, request: Request) -> Response:
        """Tell the size of a file."""
        part = await files.open(_short(ticket), wanted=request.headers.get("range"))
        status = 200 if part.is_whole else 206
        return Response(status_code=status, media_type=PARQUET, headers=dict(file_headers(part)))

    @router.get(
        "/files/{ticket}",
        response_class=StreamingResponse,
        responses={200: {"content": {PARQUET: {}}}, 206: {"content": {PARQUET: {}}}},
    )
    async def get_file(ticket: str, request: Request) -> StreamingResponse:
        """Give a file, or a range of it, by the address that a query told."""
        part = await files.open(_short(ticket), wanted=request.headers.get("range"))
        return StreamingResponse(
            files.read(part),
            status_code=200 if part.is_whole else 206,
            media_type=PARQUET,
            headers=file_headers(part),
        )


def add_names(router: APIRouter, recipient: Any) -> None:
    """Add the routes that list shares, schemas and tables: a profile sees one of each."""
    names = Depends(bearer)

    @router.get("/shares", dependencies=[names])
    async def list_shares(access: recipient) -> Names:
        """List shares."""
        return Names(items=[_share(access)])

    @router.get("/shares/{share}", dependencies=[names])
    async def get_share(access: recipient, share: str) -> dict[str, dict[str, str]]:
        """Show a share."""
        require_table(access, share=share)
        return {"share": _share(access)}

    @router.get("/shares/{share}/schemas", dependencies=[names])
    async def list_schemas(access: recipient, share: str) -> Names:
        """List the schemas of a share."""
        require_table(access, share=share)
        return Names(items=[{"name": access.schema, "share": access.share}])

    @router.get("/shares/{share}/schemas/{schema}/tables", dependencies=[names])
    async def list_tables(access: recipient, share: str, schema: str) -> Names:
        """List the tables of a schema."""
        require_table(access, share=share, schema=schema)
        return Names(items=[_table(access)])

    @router.get("/shares/{share}/all-tables", dependencies=[names])
    async def list_all_tables(access: recipient, share: str) -> Names:
        """List the tables of all schemas of a share."""
        require_table(access, share=share)
        return Names(items=[_table(access)])


def _share(access: Access) -> dict[str, str]:
    return {"name": access.share, "id": str(access.profile.share_id)}


def _table(access: Access) -> dict[str, str]:
    return {
        "name": access.table,
        "schema": access.schema,
        "share": access.share,
        "shareId": str(access.profile.share_id),
        "id": f"{access.profile.share_id}/{access.table}",
    }


def _respond(
    request: Request, access: Access, answer: Answer, links: Links | None, *, in_changes: bool = False
) -> Response:
    delta = wants_delta(request.headers.get(CAPABILITIES_HEADER))
    lines = [write_description(access, answer, delta=delta, in_changes=in_changes)]
    if links is not None:
        lines += (write_changes if in_changes else write_files)(answer, links, delta=delta)
    return Response("".join(lines), media_type=NDJSON, headers=headers_of(answer.version, delta=delta))


def _asked(version: int | None, timestamp: str | None) -> Asked:
    if version is not None and timestamp is not None:
        msg = "ask for a version or for a time, not for both"
        raise BadInput(msg)
    return Asked(version=version, at=_parse_time(timestamp))


def _parse_time(text: str | None) -> datetime | None:
    """Read a time after ISO 8601, with its zone. Raises BadInput."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        msg = "a time is written as 2026-01-02T03:04:05Z, with its zone"
        raise BadInput(msg)
    return moment


def _short(ticket: str) -> str:
    return ticket[: MAX_CHARACTERS + 1]
