"""Routes of targets and dead letters."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from core.caller import Caller, Scope
from core.http.authentication import Authentication
from exchange.access.refusal import RefusalLog
from subscriptions.api import From, ReasonIn
from subscriptions.model import Start
from subscriptions.push.model import Circuit, DeadLetter, Target, TargetKind, TargetState
from subscriptions.push.service import DEFAULT_BATCH_ROWS, MAX_BATCH_ROWS, TargetService

AddressValue = str | int | bool


class TargetIn(BaseModel):
    """A target to set up. `secret`: bearer token, password or secret key; it is never shown again.

    `address` holds, for a webhook, `url`; for postgresql and mysql `host`, `port`, `database`, `user`,
    `schema` (postgresql), `table`, `ssl` (disable, require, verify); for a directory `folder`, `format`
    (parquet, csv); for s3 `endpoint`, `bucket`, `prefix`, `secure`, `access_key`, `format`.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: TargetKind
    address: dict[str, AddressValue] = Field(max_length=20)
    secret: SecretStr | None = None
    start: From = Field(default=Start.NOW, alias="from")
    batch_rows: int = Field(default=DEFAULT_BATCH_ROWS, ge=1, le=MAX_BATCH_ROWS)


class SecretIn(BaseModel):
    """Another secret for a target."""

    model_config = ConfigDict(extra="forbid")

    secret: SecretStr


class RedriveIn(BaseModel):
    """Which dead letters to send again; none named: all."""

    model_config = ConfigDict(extra="forbid")

    letters: list[UUID] | None = Field(default=None, max_length=1000)


class RedriveOut(BaseModel):
    """How many letters will be sent again."""

    letters: int


class TargetOut(BaseModel):
    """A target, how it fares, and the name of the key that signs what webhooks get."""

    id: UUID
    name: str
    kind: TargetKind
    address: dict[str, AddressValue]
    has_secret: bool
    batch_rows: int
    state: TargetState
    state_reason: str | None
    circuit: Circuit
    failures: int
    failing_since: datetime | None
    next_attempt_at: datetime
    last_error: str | None
    last_success_at: datetime | None
    signing_key_id: str
    signing_certificate: str
    created_at: datetime


class DeadLetterOut(BaseModel):
    """Changes that a target refused."""

    id: UUID
    message_key: UUID
    first: str
    last: str
    rows: int
    attempts: int
    reason: str
    parked_at: datetime
    is_wanted: bool


def build_router(
    *,
    targets: TargetService,
    refusals: RefusalLog,
    authentication: Authentication,
    key_id: str,
    certificate_pem: str,
) -> APIRouter:
    """Build the routes over `targets`. `key_id` and `certificate_pem` are those of the signing key."""
    router = APIRouter(prefix="/v1/subscriptions/{subscription_id}/targets", tags=["subscriptions"])
    subscriber = Annotated[Caller, Depends(authentication.requires(Scope.SUBSCRIBE))]

    def render(target: Target) -> TargetOut:
        return render_target(target, key_id=key_id, certificate_pem=certificate_pem)

    @router.post("", status_code=201)
    async def add_target(
        subscription_id: UUID, body: TargetIn, caller: subscriber, request: Request
    ) -> TargetOut:
        """Have changes brought to a place of your own, under the purpose headers of this call."""
        purpose = await refusals.read_purpose(request, caller=caller, resource_code=None, action="push")
        target = await targets.add(
            caller=caller,
            purpose=purpose,
            subscription_id=subscription_id,
            name=body.name,
            start=body.start,
            kind=body.kind,
            address=body.address,
            secret=None if body.secret is None else body.secret.get_secret_value(),
            batch_rows=body.batch_rows,
        )
        return render(target)

    add_handling(router, subscriber, targets, render)
    add_dead_letters(router, subscriber, targets)
    return router


def add_handling(
    router: APIRouter, subscriber: Any, targets: TargetService, render: Callable[[Target], TargetOut]
) -> None:
    """Add the routes that list targets, let them go on, and change their secrets."""

    @router.get("")
    async def list_targets(subscription_id: UUID, caller: subscriber) -> list[TargetOut]:
        """List targets and how they fare."""
        return [
            render(each)
            for each in await targets.list_targets(caller=caller, subscription_id=subscription_id)
        ]

    @router.post("/{name}/resume")
    async def resume_target(
        subscription_id: UUID, name: str, body: ReasonIn, caller: subscriber
    ) -> TargetOut:
        """Let a stopped target go on; one that waits tries at once."""
        return render(
            await targets.resume(
                caller=caller, subscription_id=subscription_id, name=name, reason=body.reason
            )
        )

    @router.put("/{name}/secret", status_code=204)
    async def replace_secret(subscription_id: UUID, name: str, body: SecretIn, caller: subscriber) -> None:
        """Give a target another secret."""
        await targets.replace_secret(
            caller=caller,
            subscription_id=subscription_id,
            name=name,
            secret=body.secret.get_secret_value(),
        )


def add_dead_letters(router: APIRouter, subscriber: Any, targets: TargetService) -> None:
    """Add the routes of what targets refused."""

    @router.get("/{name}/dead-letters")
    async def list_dead_letters(subscription_id: UUID, name: str, caller: subscriber) -> list[DeadLetterOut]:
        """List the changes that a target refused for good, in their order."""
        found = await targets.list_dead_letters(caller=caller, subscription_id=subscription_id, name=name)
        return [render_letter(letter) for letter in found]

    @router.post("/{name}/dead-letters/redrive")
    async def redrive_dead_letters(
        subscription_id: UUID, name: str, body: RedriveIn, caller: subscriber
    ) -> RedriveOut:
        """Send parked changes again, as their grant shows them now, under their former keys."""
        count = await targets.redrive(
            caller=caller, subscription_id=subscription_id, name=name, letters=body.letters
        )
        return RedriveOut(letters=count)


def render_target(target: Target, *, key_id: str, certificate_pem: str) -> TargetOut:
    """Render a target, without its secret."""
    return TargetOut(
        id=target.id,
        name=target.consumer,
        kind=target.kind,
        address={name: value for name, value in target.address.items() if isinstance(value, AddressValue)},
        has_secret=target.secret is not None,
        batch_rows=target.batch_rows,
        state=target.state,
        state_reason=target.state_reason,
        circuit=target.circuit,
        failures=target.failures,
        failing_since=target.first_failed_at,
        next_attempt_at=target.next_attempt_at,
        last_error=target.last_error,
        last_success_at=target.last_success_at,
        signing_key_id=key_id,
        signing_certificate=certificate_pem,
        created_at=target.created_at,
    )


def render_letter(letter: DeadLetter) -> DeadLetterOut:
    """Render a dead letter."""
    return DeadLetterOut(
        id=letter.id,
        message_key=letter.message_key,
        first=str(letter.first),
        last=str(letter.last),
        rows=letter.rows,
        attempts=letter.attempts,
        reason=letter.reason,
        parked_at=letter.parked_at,
        is_wanted=letter.wanted_at is not None,
    )
