"""What the log keeps of a verification: items and outcomes, never values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from core.caller import Caller, Purpose
from core.log.model import Event
from core.log.writer import NewLeaf
from exchange.access.values import name_subject
from exchange.verify.checks import ReadCheck
from exchange.verify.model import Finding, JudgedCheck, Judgement, Outcome
from exchange.verify.store import SubjectRows


def build_finding(check: ReadCheck, rows: SubjectRows | None, judgements: tuple[Judgement, ...]) -> Finding:
    """Put together what a check found; `rows` None where nothing was looked up."""
    return Finding(
        resource_code=check.resource.code,
        grant_id=None if check.read is None else check.read.grant.id,
        version=None if rows is None else rows.version,
        as_of=None if rows is None else rows.as_of,
        judgements=judgements,
    )


def pair_findings(checks: Sequence[ReadCheck], findings: Sequence[Finding]) -> list[JudgedCheck]:
    """Put each finding beside the title of its resource and the key of its subject."""
    return [
        JudgedCheck(finding=finding, title=each.resource.title, budget_key=each.budget_key)
        for each, finding in zip(checks, findings, strict=True)
    ]


def describe_finding(caller: Caller, purpose: Purpose, check: ReadCheck, finding: Finding) -> NewLeaf:
    """Describe the leaf of one check. `matched` names the items of which the caller now holds the value."""
    return NewLeaf(
        event=Event.FACTS_VERIFIED,
        caller=caller,
        purpose=purpose,
        resource_code=finding.resource_code,
        grant_id=finding.grant_id,
        subject=name_subject(check.resource.key_items, dict(check.subject)),
        details={
            "items": [each.item for each in finding.judgements],
            "outcomes": dict(Counter(str(each.outcome) for each in finding.judgements)),
            "matched": [each.item for each in finding.judgements if each.outcome is Outcome.MATCH],
            "version": finding.version or 0,
        },
    )
