"""What the receipt of a verification vouches for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from core.caller import Caller, Purpose
from exchange.access.values import render_value
from exchange.verify.checks import ReadCheck
from exchange.verify.model import Finding, Judgement
from exchange.verify.receipts import build_salted_digest
from signing.canonical_json import JsonValue

RECEIPT_KIND: Final = "shuzheng-verification/1"
BUNDLE_KIND: Final = "shuzheng-verifications/1"


def build_payload(
    caller: Caller, purpose: Purpose, check: ReadCheck, finding: Finding, *, salt: bytes
) -> dict[str, JsonValue]:
    """Build the payload for one check. Subject and values are in it as salted digests only."""
    return {"kind": RECEIPT_KIND, **_context(caller, purpose), **_describe(check, finding, salt=salt)}


def build_bundle_payload(
    caller: Caller,
    purpose: Purpose,
    checks: Sequence[ReadCheck],
    findings: Sequence[Finding],
    *,
    salt: bytes,
) -> dict[str, JsonValue]:
    """Build the payload for the checks of one call, in their order."""
    return {
        "kind": BUNDLE_KIND,
        **_context(caller, purpose),
        "checks": [
            _describe(check, finding, salt=salt) for check, finding in zip(checks, findings, strict=True)
        ],
    }


def _context(caller: Caller, purpose: Purpose) -> dict[str, JsonValue]:
    context: dict[str, JsonValue] = {
        "organisation": str(caller.organisation_code),
        "service_item": purpose.service_item,
        "case_number": purpose.case_number,
    }
    if purpose.on_behalf_of is not None:
        context["on_behalf_of"] = str(purpose.on_behalf_of)
    return context


def _describe(check: ReadCheck, finding: Finding, *, salt: bytes) -> dict[str, JsonValue]:
    subject = {name: render_value(value) for name, value in check.subject.items()}
    asserted = [
        {"item": assertion.item, "op": str(assertion.operator), "value": render_value(value)}
        for assertion, value in zip(check.check.assertions, check.values, strict=True)
    ]
    return {
        "resource": finding.resource_code,
        "version": finding.version,
        "as_of": None if finding.as_of is None else finding.as_of.isoformat(),
        "subject_digest": build_salted_digest(salt, subject),
        "request_digest": build_salted_digest(salt, {"subject": subject, "assertions": asserted}),
        "answers": [render_judgement(judgement) for judgement in finding.judgements],
    }


def render_judgement(judgement: Judgement) -> dict[str, JsonValue]:
    """Render an outcome for receipts: the kind of difference only where there is one."""
    rendered: dict[str, JsonValue] = {
        "item": judgement.item,
        "op": str(judgement.operator),
        "outcome": str(judgement.outcome),
    }
    if judgement.difference is not None:
        rendered["difference"] = str(judgement.difference)
    return rendered
