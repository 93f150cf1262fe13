"""Seals in use (电子印章): registered for an organisation, kept, suspended, destroyed, opened to sign."""

from certs.seals.model import RegisteredSeal as RegisteredSeal
from certs.seals.model import SealStatus as SealStatus
