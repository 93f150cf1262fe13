"""A hub under test, and the credentials of the organisations that use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

import httpx
from fastapi import FastAPI

from core.caller import OrganisationCode, Scope
from core.codes import credit
from core.identity.model import Organisation
from hub.services import Services

NAMES = {
    "police": "示例市公安局",
    "market": "示例市市场监督管理局",
    "civil": "示例市民政局",
    "approval": "示例市行政审批局",
}
PURPOSE = {
    "Shuzheng-Service-Item": quote("食品经营许可"),
    "Shuzheng-Case-Number": "2026-000001",
    "Shuzheng-Operator": quote("王审批"),
}


def organisation_code(number: int) -> str:
    """Make a check-valid unified social credit code of an invented organisation."""
    return credit.build_code("11990000", f"MA{number:06d}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One organisation's system: its credentials and a bearer token with all scopes but admin."""

    code: str
    name: str
    client_id: str
    client_secret: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """The authorisation header."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def purposeful(self) -> dict[str, str]:
        """The authorisation header with a purpose context."""
        return self.headers | PURPOSE


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHub:
    """A hub, an HTTP client on it, an administrator, an auditor, and four organisations."""

    app: FastAPI
    services: Services
    client: httpx.AsyncClient
    admin: Member
    auditor: Member
    members: dict[str, Member]

    @classmethod
    async def start(cls, *, app: FastAPI, client: httpx.AsyncClient) -> Self:
        """Register an administrator, an auditor beside it, and the four organisations of NAMES."""
        services: Services = app.state.services
        admin = await _register(services, client, 0, "平台管理", frozenset({Scope.ADMIN}))
        auditor = await _connect(services, client, admin.code, "审计", frozenset({Scope.AUDIT}))
        scopes = frozenset(Scope) - {Scope.ADMIN, Scope.AUDIT, Scope.SEAL_MANAGE}
        members = {
            key: await _register(services, client, number, name, scopes)
            for number, (key, name) in enumerate(NAMES.items(), start=1)
        }
        return cls(app=app, services=services, client=client, admin=admin, auditor=auditor, members=members)


async def _register(
    services: Services, client: httpx.AsyncClient, number: int, name: str, scopes: frozenset[Scope]
) -> Member:
    code = OrganisationCode(organisation_code(number))
    organisation = Organisation(code=code, name=name, division_code="990000")
    await services.identity.register_organisation(organisation, actor=None)
    return await _connect(services, client, code, name, scopes)


async def _connect(
    services: Services, client: httpx.AsyncClient, code: str, name: str, scopes: frozenset[Scope]
) -> Member:
    made = await services.identity.register_system(
        organisation_code=OrganisationCode(code), name=f"{name}业务系统", scopes=scopes, actor=None
    )
    form = {
        "grant_type": "client_credentials",
        "client_id": str(made.system.id),
        "client_secret": made.secret,
    }
    answer = await client.post("/v1/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    return Member(
        code=code,
        name=name,
        client_id=form["client_id"],
        client_secret=made.secret,
        token=answer.json()["access_token"],
    )
