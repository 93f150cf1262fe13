"""Routes of signing in and out, and of one's own password and authenticator."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from core.caller import Caller
from core.http.authentication import Authentication, read_bearer
from core.people.model import LOGIN_PATTERN
from core.people.sessions import Attempt, SessionService

_Password = Annotated[str, Field(max_length=1024)]


class AttemptIn(BaseModel):
    """A password and, where one is enrolled, a second factor: a code, or an assertion signed with SM2."""

    model_config = ConfigDict(extra="forbid")

    login: str = Field(pattern=LOGIN_PATTERN)
    password: _Password
    code: str | None = Field(default=None, max_length=16, description="six digits of an authenticator")
    assertion: str | None = Field(
        default=None,
        max_length=4096,
        description="a JWT as for /v1/oauth/token, whose iss and sub are the login",
    )

    def read(self) -> Attempt:
        """Return what was shown."""
        return Attempt(login=self.login, password=self.password, code=self.code, assertion=self.assertion)


class PasswordIn(AttemptIn):
    """What proves who one is, and the password to have from now on."""

    new_password: _Password


class CodeIn(BaseModel):
    """A first code of an authenticator."""

    model_config = ConfigDict(extra="forbid")

    code: str = Field(max_length=16)


class SessionOut(BaseModel):
    """A session: its token goes into Authorization: Bearer, as a system's does."""

    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - the type's name, not a token
    expires_in: int
    expires_at: datetime
    login: str
    name: str
    roles: list[str]


class EnrolmentOut(BaseModel):
    """What an authenticator reads; shown this once."""

    uri: str


def build_router(*, sessions: SessionService, authentication: Authentication) -> APIRouter:
    """Build the routes over `sessions`."""
    router = APIRouter(prefix="/v1/people", tags=["people"])
    anyone = Annotated[Caller, Depends(authentication.requires())]

    @router.post("/session", status_code=201)
    async def sign_in(body: AttemptIn) -> SessionOut:
        """Sign in. Five wrong tries lock the login for a quarter of an hour."""
        made = await sessions.sign_in(body.read())
        return SessionOut(
            access_token=made.token,
            expires_in=made.ttl_s,
            expires_at=made.expires_at,
            login=made.person.login,
            name=made.person.name,
            roles=sorted(made.person.roles),
        )

    @router.delete("/session", status_code=204)
    async def sign_out(request: Request, caller: anyone) -> None:
        """End the session that this call carries, at once on every process."""
        await sessions.sign_out(read_bearer(request), caller)

    @router.post("/password", status_code=204)
    async def change_password(body: PasswordIn) -> None:
        """Change one's password, the initial one above all; ends all one's sessions."""
        await sessions.change_password(body.read(), body.new_password)

    @router.post("/me/totp", status_code=201)
    async def enrol_totp(caller: anyone) -> EnrolmentOut:
        """Draw a TOTP secret (RFC 6238) to put into an authenticator."""
        return EnrolmentOut(uri=(await sessions.enrol_totp(caller)).uri)

    @router.post("/me/totp/confirmation", status_code=204)
    async def confirm_totp(body: CodeIn, caller: anyone) -> None:
        """Show a first code; every sign-in asks for one from then on."""
        await sessions.confirm_totp(caller, body.code)

    return router
