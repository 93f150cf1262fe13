"""`shuzheng person`: registering staff, and signing in as one of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.table import Table

from connectors import ConnectionFailed, HubClient, Refused
from core.errors import BadInput, NotFound
from core.people.model import Role
from hub.cli.administration import write_private

app = typer.Typer(help="People (人员): staff of organisations and their roles.", no_args_is_help=True)
Hub = Annotated[str, typer.Option(help="address of the hub")]
Login = Annotated[str, typer.Argument(help="login of the person")]
HUB = "http://127.0.0.1:8000"
TIMEOUT_S = 30


@app.command()
def add(
    login: Login,
    organisation: Annotated[str, typer.Option(help="unified social credit code of the organisation")],
    name: Annotated[str, typer.Option(help="name of the person")],
    role: Annotated[list[Role], typer.Option(help="may be repeated, within one duty")],
    hub: Hub = HUB,
) -> None:
    """Register a person, as an administrator; prints the initial password, to be changed first."""
    body = {"organisation_code": organisation, "login": login, "name": name, "roles": [str(r) for r in role]}
    with _connect(hub) as client:
        _show_password(client.post("/v1/people", body))


@app.command("list")
def list_people(
    organisation: Annotated[str | None, typer.Option(help="only of this organisation")] = None, hub: Hub = HUB
) -> None:
    """List people, as an administrator."""
    with _connect(hub) as client:
        found = client.send("GET", "/v1/people", params=_only(organisation)).json()
    table = Table("login", "name", "organisation", "roles", "status", "second factors")
    for each in found:
        status = "locked" if each["is_locked"] else each["status"]
        cells = (each["organisation_code"], ", ".join(each["roles"]), status, ", ".join(each["factors"]))
        table.add_row(each["login"], each["name"], *cells)
    Console().print(table)


@app.command()
def roles(
    login: Login,
    role: Annotated[list[Role], typer.Option(help="the roles from now on; may be repeated")],
    hub: Hub = HUB,
) -> None:
    """Replace a person's roles, as an administrator."""
    with _connect(hub) as client:
        body = {"roles": [str(each) for each in role]}
        client.send("PUT", f"/v1/people/{_find(client, login)}/roles", json=body)


@app.command()
def suspend(login: Login, hub: Hub = HUB) -> None:
    """Suspend a person, as an administrator; their sessions end at once."""
    _set_status(hub, login, "suspended")


@app.command()
def resume(login: Login, hub: Hub = HUB) -> None:
    """Let a suspended person act again, as an administrator."""
    _set_status(hub, login, "active")


@app.command("reset-password")
def reset_password(login: Login, hub: Hub = HUB) -> None:
    """Draw a new initial password, as an administrator; lifts the lock that wrong tries bring."""
    with _connect(hub) as client:
        _show_password(client.send("POST", f"/v1/people/{_find(client, login)}/password").json())


@app.command()
def password(login: Login, hub: Hub = HUB) -> None:
    """Change one's own password; asks for the former one, a code where there is an authenticator, and the
    new one."""
    former = typer.prompt("present password", hide_input=True)
    new = typer.prompt("new password", hide_input=True, confirmation_prompt=True)
    body = {"login": login, "password": former, "new_password": new} | _ask_code()
    _ask_openly(hub, "/v1/people/password", body)


@app.command("sign-in")
def sign_in(
    login: Login,
    out: Annotated[Path, typer.Option(help="file for the session's token (0600)")],
    hub: Hub = HUB,
) -> None:
    """Sign in; the token in the file goes into `Authorization: Bearer`."""
    body = {"login": login, "password": typer.prompt("password", hide_input=True)} | _ask_code()
    made = _ask_openly(hub, "/v1/people/session", body).json()
    write_private(out, made["access_token"])
    Console().print(
        f"{made['name']} ({', '.join(made['roles'])}) until {made['expires_at']}", highlight=False
    )


def _set_status(hub: str, login: str, status: str) -> None:
    with _connect(hub) as client:
        client.post(f"/v1/people/{_find(client, login)}/status", {"status": status})


def _find(client: HubClient, login: str) -> str:
    for each in client.get("/v1/people"):
        if each["login"] == login:
            return str(each["person_id"])
    msg = f"there is nobody of the login {login}"
    raise NotFound(msg)


def _show_password(made: dict[str, Any]) -> None:
    Console().print(f"{made['login']}: initial password {made['initial_password']}", highlight=False)


def _ask_code() -> dict[str, str]:
    code = typer.prompt("code of the authenticator (empty for none)", default="", show_default=False)
    return {"code": code} if code else {}


def _ask_openly(hub: str, path: str, body: dict[str, str]) -> httpx.Response:
    """Send what needs no token. Raises Refused, ConnectionFailed."""
    try:
        answer = httpx.post(f"{hub.rstrip('/')}{path}", json=body, timeout=TIMEOUT_S)
    except httpx.TransportError as trouble:
        msg = f"the hub at {hub} does not answer ({type(trouble).__name__})"
        raise ConnectionFailed(msg) from trouble
    if answer.is_success:
        return answer
    problem = answer.json()
    raise Refused(
        status=answer.status_code,
        code=problem["code"],
        detail=problem["detail"],
        errors=problem.get("errors", []),
    )


def _only(organisation: str | None) -> dict[str, str]:
    return {} if organisation is None else {"organisation_code": organisation}


def _connect(hub: str) -> HubClient:
    client_id, client_secret = (os.environ.get(f"SHUZHENG_CLIENT_{part}") for part in ("ID", "SECRET"))
    if not client_id or not client_secret:
        msg = "set SHUZHENG_CLIENT_ID and SHUZHENG_CLIENT_SECRET to those of an administrator's system"
        raise BadInput(msg)
    return HubClient(hub, client_id=client_id, client_secret=client_secret)
