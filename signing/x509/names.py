"""Distinguished names.

Written: country and the attributes that X.520 defines so as PrintableString, e-mail and domain
component as IA5String, everything else as UTF8String (GM/T 0015 5.2.4.4). Read: any string type.
Names are equal when their octets are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from signing import der, oids
from signing.der import Node, Tag
from signing.errors import DecodeError, EncodeError

_KEYWORDS: Final = {
    oids.COMMON_NAME: "CN",
    oids.SURNAME: "SN",
    oids.SERIAL_NUMBER: "serialNumber",
    oids.COUNTRY: "C",
    oids.LOCALITY: "L",
    oids.STATE: "ST",
    oids.ORGANIZATION: "O",
    oids.ORGANIZATIONAL_UNIT: "OU",
    oids.TITLE: "title",
    oids.GIVEN_NAME: "GN",
    oids.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
    oids.EMAIL_ADDRESS: "emailAddress",
    oids.DOMAIN_COMPONENT: "DC",
    oids.USER_ID: "UID",
}
_PRINTABLE: Final = frozenset({oids.COUNTRY, oids.SERIAL_NUMBER})
_IA5: Final = frozenset({oids.EMAIL_ADDRESS, oids.DOMAIN_COMPONENT})

# Upper bounds of RFC 5280 appendix A.1, in characters.
_UPPER_BOUNDS: Final = {
    oids.COUNTRY: 2,
    oids.STATE: 128,
    oids.LOCALITY: 128,
    oids.ORGANIZATION: 64,
    oids.ORGANIZATIONAL_UNIT: 64,
    oids.COMMON_NAME: 64,
    oids.SERIAL_NUMBER: 64,
    oids.TITLE: 64,
    oids.EMAIL_ADDRESS: 255,
}


MAX_NAME_BYTES: Final = 32 * 1024
_ESCAPES: Final = str.maketrans({character: f"\\{character}" for character in ',+"\\<>;='})


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: its octets, and what they say as (attribute type OID, text) pairs."""

    der: bytes
    rdns: tuple[tuple[tuple[str, str], ...], ...] = field(compare=False)

    @classmethod
    def parse(cls, data: bytes) -> Name:
        """Read a Name from its DER; raise DecodeError."""
        return cls.from_node(der.parse_der(data))

    @classmethod
    def from_node(cls, node: Node) -> Name:
        """Read a Name, of bounded size, from a node of a larger structure."""
        if len(node) > MAX_NAME_BYTES:
            message = f"a name has at most {MAX_NAME_BYTES} octets"
            raise DecodeError(message)
        rdns = tuple(
            tuple(
                _parse_attribute(attribute)
                for attribute in rdn.expect(Tag.SET, "Name.rdn").children(limit=16)
            )
            for rdn in node.expect(Tag.SEQUENCE, "Name").children(limit=64)
        )
        return cls(node.raw, rdns)

    @classmethod
    def from_attributes(cls, *attributes: tuple[str, str]) -> Name:
        """Build a Name of (OID, text) pairs, one RDN each, in the given order; raise EncodeError."""
        encoded = der.sequence(*(der.set_of(_build_attribute(oid, text)) for oid, text in attributes))
        return cls(encoded, tuple((attribute,) for attribute in attributes))

    @classmethod
    def build(
        cls,
        *,
        common_name: str,
        organization: str | None = None,
        organizational_unit: str | None = None,
        organization_identifier: str | None = None,
        serial_number: str | None = None,
        locality: str | None = None,
        state: str | None = None,
        country: str = "CN",
    ) -> Name:
        """Build a Name in the usual order (C, ST, L, O, organizationIdentifier, OU, CN, serialNumber)."""
        pairs = (
            (oids.COUNTRY, country),
            (oids.STATE, state),
            (oids.LOCALITY, locality),
            (oids.ORGANIZATION, organization),
            (oids.ORGANIZATION_IDENTIFIER, organization_identifier),
            (oids.ORGANIZATIONAL_UNIT, organizational_unit),
            (oids.COMMON_NAME, common_name),
            (oids.SERIAL_NUMBER, serial_number),
        )
        return cls.from_attributes(*((oid, text) for oid, text in pairs if text is not None))

    def get(self, oid: str) -> str | None:
        """Return the last value of the attribute `oid`, or None."""
        return next((text for rdn in reversed(self.rdns) for kind, text in rdn if kind == oid), None)

    @property
    def common_name(self) -> str | None:
        """CN."""
        return self.get(oids.COMMON_NAME)

    @property
    def organization(self) -> str | None:
        """O."""
        return self.get(oids.ORGANIZATION)

    @property
    def organizational_unit(self) -> str | None:
        """OU."""
        return self.get(oids.ORGANIZATIONAL_UNIT)

    @property
    def organization_identifier(self) -> str | None:
        """The 统一社会信用代码 where the CA writes it as organizationIdentifier."""
        return self.get(oids.ORGANIZATION_IDENTIFIER)

    @property
    def serial_number(self) -> str | None:
        """The attribute serialNumber (of the subject, not of a certificate)."""
        return self.get(oids.SERIAL_NUMBER)

    @property
    def country(self) -> str | None:
        """C."""
        return self.get(oids.COUNTRY)

    def __str__(self) -> str:
        return ",".join(
            "+".join(f"{_KEYWORDS.get(oid, oid)}={text.translate(_ESCAPES)}" for oid, text in rdn)
            for rdn in reversed(self.rdns)
        )


def _parse_attribute(node: Node) -> tuple[str, str]:
    reader = node.expect(Tag.SEQUENCE, "Name.attribute").reader("Name.attribute")
    oid = der.read_oid(reader.any(), "Name.attribute.type")
    value = reader.last()
    return oid, der.read_string(
        value, "Name.attribute.value"
    ) if value.tag in der.STRING_TAGS else value.raw.hex()


def _build_attribute(oid: str, text: str) -> bytes:
    bound = _UPPER_BOUNDS.get(oid, 255)
    if not 1 <= len(text) <= bound or text != text.strip():
        label = _KEYWORDS.get(oid, oid)
        message = f"the name attribute {label} must have 1 to {bound} characters and no outer blanks"
        raise EncodeError(message)
    if oid in _PRINTABLE:
        return der.sequence(der.oid(oid), der.printable(text))
    return der.sequence(der.oid(oid), der.ia5(text) if oid in _IA5 else der.utf8(text))
