"""Issuing certificates and what becomes of them afterwards (签发、变更、注销、吊销)."""

from certs.issue.model import Certificate as Certificate
from certs.issue.model import CertificateStatus as CertificateStatus
