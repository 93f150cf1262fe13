"""Doing what a change calls for: each effect once, with its leaf and its notice, in one transaction."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from certs.issue.lifecycle import change_status
from certs.issue.model import CertificateStatus, StatusChange
from certs.issue.store import lock_certificate
from core.caller import Caller
from core.database import Connection
from core.identity.acting import load_caller
from core.log.model import Event
from core.log.writer import LogWriter
from evidence.cascade.model import (
    Action,
    Affected,
    AffectedCase,
    AffectedCertificate,
    Cause,
    Effect,
    EffectState,
)
from evidence.cascade.store_effects import save_effect
from exchange.notices.model import NoticeKind
from exchange.notices.store import save_notice


async def act(
    connection: Connection, log: LogWriter, affected: Affected, *, cause: Cause, at: datetime
) -> int:
    """Do what a cause calls for, and return how many effects are new. What was done before is left alone."""
    count = 0
    for case in affected.cases:
        count += await _apply_to_case(connection, log, case, cause, at)
    for each in affected.certificates:
        count += await _apply_rule(connection, log, each, cause, at)
    return count


async def _apply_to_case(
    connection: Connection, log: LogWriter, case: AffectedCase, cause: Cause, at: datetime
) -> bool:
    effect = Effect(
        id=uuid4(),
        organisation_code=case.organisation_code,
        cause=cause,
        rule_code=None,
        case_id=case.case_id,
        case_number=case.case_number,
        fact=case.fact,
        certificate_id=None,
        action=case.action,
        state=EffectState.PENDING if case.action is Action.RECHECK else EffectState.DONE,
        made_at=at,
        settled_at=None,
    )
    return await _keep(connection, log, effect)


async def _apply_rule(
    connection: Connection, log: LogWriter, each: AffectedCertificate, cause: Cause, at: datetime
) -> bool:
    rule = each.kept.rule
    caller = await load_caller(connection, system_id=each.kept.system_id)
    waits = rule.confirm or (rule.action == "suspend" and caller is None)
    effect = Effect(
        id=uuid4(),
        organisation_code=each.kept.organisation_code,
        cause=cause,
        rule_code=rule.code,
        case_id=None,
        case_number=None,
        fact=None,
        certificate_id=each.identifier,
        action=Action(rule.action),
        state=EffectState.PENDING if waits else EffectState.DONE,
        made_at=at,
        settled_at=None if waits else at,
    )
    is_new = await _keep(connection, log, effect)
    if is_new and effect.action is Action.SUSPEND and not waits:
        assert caller is not None
        await suspend(connection, log, effect, caller=caller, at=at)
    return is_new


async def suspend(
    connection: Connection, log: LogWriter, effect: Effect, *, caller: Caller, at: datetime
) -> bool:
    """Suspend an effect's certificate where it is active still; tell whether it was."""
    assert effect.certificate_id is not None
    certificate = await lock_certificate(connection, identifier=effect.certificate_id)
    if certificate.status is not CertificateStatus.ACTIVE:
        return False
    change = StatusChange(
        identifier=certificate.identifier,
        from_status=certificate.status,
        to_status=CertificateStatus.SUSPENDED,
        reason=f"cascade rule {effect.rule_code}: {effect.cause.source} ({effect.cause.trigger})",
        organisation_code=caller.organisation_code,
        system_id=caller.system_id,
        changed_at=at,
    )
    await change_status(connection, log=log, certificate=certificate, change=change, actor=caller)
    return True


async def _keep(connection: Connection, log: LogWriter, effect: Effect) -> bool:
    """Keep an effect, write its leaf and tell whom it concerns; False where it was kept before."""
    if not await save_effect(connection, effect=effect):
        return False
    details: dict[str, object] = {
        "effect": str(effect.id),
        "source": effect.cause.source,
        "version": effect.cause.version,
        "trigger": effect.cause.trigger,
        "action": str(effect.action),
        "state": str(effect.state),
    }
    if effect.case_id is not None:
        details |= {"case": str(effect.case_id), "fact": effect.fact}
    else:
        details |= {"rule": effect.rule_code, "certificate": effect.certificate_id}
    await record(connection, log, effect, event=Event.CASCADE_EFFECT, details=details, at=effect.made_at)
    return True


async def record(
    connection: Connection,
    log: LogWriter,
    effect: Effect,
    *,
    event: Event,
    details: dict[str, object],
    at: datetime,
) -> None:
    """Write a leaf of an effect, and tell whom it concerns."""
    await log.append(
        connection, event=event, caller=None, certificate_id=effect.certificate_id, details=details
    )
    await save_notice(
        connection,
        organisation_code=effect.organisation_code,
        kind=NoticeKind.CASCADE,
        resource_code=None,
        details=details | ({} if effect.case_number is None else {"case_number": effect.case_number}),
        at=at,
    )
