"""What an examination of a signed document found: codes, severities and sentences in two languages.

One table serves seals, seal signatures, containers and certificates: each code names one way in which
evidence can fail, at one step of the examination (A container, B description, C digests, D signature,
E signer, F seal, G time stamp, H document). A report holds findings; what they add up to is derived by
`verdict_of`, never stored beside them.
"""

from signing.findings.codes import FindingCode as FindingCode
from signing.findings.codes import Severity as Severity
from signing.findings.report import Finding as Finding
from signing.findings.report import FindingReport as FindingReport
from signing.findings.report import Verdict as Verdict
from signing.findings.report import build_finding as build_finding
from signing.findings.report import refuse_on as refuse_on
from signing.findings.report import verdict_of as verdict_of
from signing.findings.sentences import SENTENCES as SENTENCES
from signing.findings.sentences import step_of as step_of
