"""Routes for administrators: registering people, their roles, status, passwords and factors."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller, OrganisationCode, Scope
from core.http.authentication import Authentication
from core.identity.credentials import read_key
from core.identity.model import Status
from core.people.model import LOGIN_PATTERN, Account, Person, PersonId, Role
from core.people.service import NewPassword, PeopleService

MAX_PEM_CHARACTERS = 20_000


class PersonIn(BaseModel):
    """A person to register."""

    model_config = ConfigDict(extra="forbid")

    organisation_code: str
    login: str = Field(pattern=LOGIN_PATTERN, examples=["zhang.san"])
    name: str = Field(examples=["张三"])
    roles: list[Role] = Field(description="administration, operation and audit never in one hand")


class RolesIn(BaseModel):
    """The roles that a person has from now on."""

    model_config = ConfigDict(extra="forbid")

    roles: list[Role]


class PersonStatusIn(BaseModel):
    """Whether a person may act."""

    model_config = ConfigDict(extra="forbid")

    status: Status


class PersonKeyIn(BaseModel):
    """An SM2 key of a person: a certificate or a public key, in PEM."""

    model_config = ConfigDict(extra="forbid")

    pem: Annotated[str, Field(max_length=MAX_PEM_CHARACTERS)]


class PersonOut(BaseModel):
    """A person as registered."""

    person_id: str
    organisation_code: str
    login: str
    name: str
    roles: list[str]
    status: str


class AccountOut(PersonOut):
    """A person, and what is asked of them at sign-in."""

    factors: list[str]
    is_locked: bool
    password_is_initial: bool


class InitialPasswordOut(PersonOut):
    """A person, with the initial password that is shown this once."""

    initial_password: str


def build_router(*, people: PeopleService, authentication: Authentication) -> APIRouter:
    """Build the routes over `people`."""
    router = APIRouter(prefix="/v1/people", tags=["people"])
    required = Depends(authentication.requires(Scope.ADMIN))
    administrator = Annotated[Caller, required]

    @router.post("", status_code=201)
    async def register_person(body: PersonIn, caller: administrator) -> InitialPasswordOut:
        """Register a person. The initial password is in this answer and nowhere else; it must be changed
        before the first sign-in."""
        made = await people.register(
            organisation_code=OrganisationCode(body.organisation_code),
            login=body.login,
            name=body.name,
            roles=frozenset(body.roles),
            actor=caller,
        )
        return _render_initial(made)

    @router.get("", dependencies=[required])
    async def list_people(organisation_code: Annotated[str | None, Query()] = None) -> list[AccountOut]:
        """List the people of one organisation, or of all."""
        return [
            _render(account, is_locked=people.is_locked(account))
            for account in await people.list_of(organisation_code)
        ]

    @router.put("/{person_id}/roles")
    async def set_person_roles(person_id: UUID, body: RolesIn, caller: administrator) -> AccountOut:
        """Replace a person's roles; sessions have the new ones at once."""
        account = await people.set_roles(PersonId(person_id), frozenset(body.roles), actor=caller)
        return _render(account, is_locked=people.is_locked(account))

    @router.post("/{person_id}/status")
    async def set_person_status(person_id: UUID, body: PersonStatusIn, caller: administrator) -> AccountOut:
        """Suspend a person, whose sessions end at once, or make them active again."""
        account = await people.set_status(PersonId(person_id), body.status, actor=caller)
        return _render(account, is_locked=people.is_locked(account))

    @router.post("/{person_id}/password", status_code=201)
    async def reset_password(person_id: UUID, caller: administrator) -> InitialPasswordOut:
        """Draw a new initial password; sessions end, a lock is lifted."""
        made = await people.reset_password(PersonId(person_id), actor=caller)
        return _render_initial(made)

    @router.put("/{person_id}/key", status_code=204)
    async def set_person_key(person_id: UUID, body: PersonKeyIn, caller: administrator) -> None:
        """Register a person's SM2 key; every sign-in needs an assertion of it (or a code) from then on."""
        await people.set_key(PersonId(person_id), read_key(body.pem)[0], actor=caller)

    @router.delete("/{person_id}/factors", status_code=204)
    async def clear_factors(person_id: UUID, caller: administrator) -> None:
        """Forget a person's second factors; sessions end."""
        await people.clear_factors(PersonId(person_id), actor=caller)

    return router


def _render_initial(made: NewPassword) -> InitialPasswordOut:
    described = _describe(made.person) | {"initial_password": made.password}
    return InitialPasswordOut.model_validate(described)


def _describe(person: Person) -> dict[str, object]:
    return {
        "person_id": str(person.id),
        "organisation_code": person.organisation_code,
        "login": person.login,
        "name": person.name,
        "roles": sorted(person.roles),
        "status": person.status,
    }


def _render(account: Account, *, is_locked: bool) -> AccountOut:
    return AccountOut.model_validate(
        _describe(account.person)
        | {
            "factors": account.proofs.factors,
            "is_locked": is_locked,
            "password_is_initial": account.proofs.password_is_initial,
        }
    )
