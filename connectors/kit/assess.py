"""Runs the checks and tells what fails and how to mend it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from connectors.errors import TransientError, describe_fault
from connectors.kit import sink_checks, source_behaviour, source_shape
from connectors.kit.model import Check, Failed, Finding, Outcome, SinkStage, Skipped, SourceStage
from connectors.kit.registry import SINK_CHECKS, SOURCE_CHECKS
from connectors.kit.sink_trial import SinkTrial
from connectors.kit.trial import SourceTrial
from connectors.protocols import Sink, Source

_ENTERED = (sink_checks, source_behaviour, source_shape)  # importing them enters their checks


def assess_source(
    make: Callable[[], Source], stage: SourceStage | None = None, *, only: Iterable[str] = ()
) -> list[Finding]:
    """Run every check of sources, or those named, on fresh instances that `make` makes.

    Without a stage the checks run on whatever the source reads, and those that change the system behind are
    skipped. It raises nothing for a source that is wrong.
    """
    if stage is not None:
        stage.reset()
        stage.put(source_behaviour.SAMPLE)
    return _assess(SOURCE_CHECKS, lambda: SourceTrial(make=make, stage=stage), only)


def assess_sink(
    make: Callable[[], Sink], stage: SinkStage | None = None, *, only: Iterable[str] = ()
) -> list[Finding]:
    """Run every check of sinks, or those named, on fresh instances that `make` makes. Their key is `id`."""
    with tempfile.TemporaryDirectory(prefix="connector-kit-") as folder:
        trial = SinkTrial(make=make, folder=Path(folder), stage=stage)
        return _assess(SINK_CHECKS, lambda: trial, only)


def _assess(checks: Mapping[str, Check], make: Callable[[], Any], only: Iterable[str]) -> list[Finding]:
    wanted = set(only) or set(checks)
    return [_run(check, make()) for check in checks.values() if check.name in wanted]


def _run(check: Check, trial: Any) -> Finding:
    try:
        check.run(trial)
    except Skipped as skipped:
        return Finding(check=check.name, outcome=Outcome.SKIPPED, detail=str(skipped))
    except NotImplementedError:
        return Finding(check=check.name, outcome=Outcome.SKIPPED, detail="the stage does not offer it")
    except Failed as failed:
        detail = str(failed)
    except TransientError as trouble:
        detail = f"the system behind is away: {trouble}"
    except Exception as fault:
        detail = f"{describe_fault(fault, part='connector')}: {fault}"
    else:
        return Finding(check=check.name, outcome=Outcome.PASSED)
    return Finding(check=check.name, outcome=Outcome.FAILED, detail=detail, mend=check.mend)


def describe(findings: Iterable[Finding]) -> str:
    """Write the findings that are no passes, one after another, with what to mend."""
    lines = []
    for finding in findings:
        if finding.outcome is Outcome.FAILED:
            lines.append(f"✗ {finding.check}: {finding.detail}\n    mend: {finding.mend}")
        elif finding.outcome is Outcome.SKIPPED:
            lines.append(f"- {finding.check}: skipped, {finding.detail}")
    return "\n".join(lines)
