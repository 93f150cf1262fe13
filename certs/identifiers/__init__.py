"""Identifiers of e-certificates (电子证照标识) after GB/T 36904-2018.

`check` computes check characters, `identifier` holds, builds and parses identifiers, `serial` derives the
serial part from a printed certificate number.
"""

from certs.identifiers.check import CheckStatus as CheckStatus
from certs.identifiers.identifier import Identifier as Identifier
from certs.identifiers.identifier import build_identifier as build_identifier
from certs.identifiers.identifier import parse_identifier as parse_identifier
from certs.identifiers.serial import derive_serial as derive_serial
