"""Acts that leave leaves, and whose trust verifies them, for tests of the log over HTTP."""

from __future__ import annotations

from core.caller import Caller, OrganisationCode, Purpose, Scope, SystemId
from core.log.heads import HeadVerifier
from core.log.model import Event
from core.log.trust import LogTrust
from hub.services import Services
from signing.merkle.hashing import HashSuite
from tests.hubs import Member, RunningHub

NUMBER = "11010519491231002X"
OTHER = "91990000MA00000016"
SUITE = HashSuite.SM3


def caller_of(member: Member) -> Caller:
    from uuid import UUID

    return Caller(
        system_id=SystemId(UUID(member.client_id)),
        system_name="业务系统",
        organisation_code=OrganisationCode(member.code),
        organisation_name=member.name,
        scopes=frozenset(Scope),
    )


async def act(
    services: Services,
    caller: Caller | None,
    *,
    case: str = "c-1",
    operator: str = "王审批",
    **fields: object,
) -> None:
    fields = {"event": Event.TOKEN_REVOKED, **fields}
    async with services.database.transaction() as connection:
        await services.log_writer.append(
            connection,
            caller=caller,
            purpose=Purpose(service_item="食品经营许可", case_number=case, operator=operator),
            **fields,  # type: ignore[arg-type]
        )


async def settle(services: Services) -> None:
    while await services.log.sequencer.integrate_once():
        pass
    async with services.database.acquire() as connection:
        for _ in range(200):
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM core.log_pending)"):
                return
            await services.log.sequencer.integrate_once()


def trust_of(services: Services) -> LogTrust:
    return LogTrust(roots=(services.pki.root,))


async def verifier_of(hub: RunningHub) -> HeadVerifier:
    described = (await hub.client.get("/v1/log/keys")).json()
    return trust_of(hub.services).build_verifier(
        origin=described["origin"],
        suite=HashSuite(described["hash"]),
        certificates_pem=described["certificates"].encode(),
    )
