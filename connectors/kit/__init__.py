"""The conformance kit: named checks of a source or sink, each with what to mend where it fails.

    findings = assess_source(make, stage)      # or assess_sink
    assert not [finding for finding in findings if finding.outcome is Outcome.FAILED], describe(findings)

A *stage* lets the kit prepare the system behind: empty it, put rows there, take them away, cut the
connection. Checks that need what the stage does not offer are skipped, and say so.
"""

from connectors.kit.assess import assess_sink as assess_sink
from connectors.kit.assess import assess_source as assess_source
from connectors.kit.assess import describe as describe
from connectors.kit.model import Finding as Finding
from connectors.kit.model import Outcome as Outcome
from connectors.kit.model import SinkStage as SinkStage
from connectors.kit.model import SourceStage as SourceStage
