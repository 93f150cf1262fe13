"""XML made to exhaust or mislead a reader, and locations that lead in circles or nowhere."""

from __future__ import annotations

from collections.abc import Callable

from tests.fuzz.hostile.build import MIB, PAGE, deflated, noise, stored, with_entries
from tests.unit.certs.packages import LIST, NS, list_of, pack, plain_files, sealed, sign, xml


def in_file(name: str, content: Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: with_entries(deflated(name, content(), 6))


def laughs(depth: int = 30) -> bytes:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha"}">' for n in range(depth))
    return f"<!DOCTYPE a [{entities}]><a>&e{depth - 1};</a>".encode()


def external_entity() -> bytes:
    return b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>'


def laughs_behind_padding() -> bytes:
    return b"<!--" + b"x" * (3 * MIB) + b"-->" + laughs()


def laughs_in_utf16() -> bytes:
    return laughs().decode().encode("utf-16")


def nested(tag: bytes = b"a", depth: int = 500_000) -> bytes:
    return (b"<" + tag + b">") * depth + (b"</" + tag + b">") * depth


def many_elements() -> bytes:
    return b"<OFD>" + b"".join(b"<a b='%d'/>" % n for n in range(1_000_000)) + b"</OFD>"


def many_attributes() -> bytes:
    return b"<OFD " + b" ".join(b"a%d='1'" % n for n in range(700_000)) + b"/>"


def one_attribute() -> bytes:
    return b"<OFD a='" + noise(6 * MIB).hex().encode() + b"'/>"


def over_the_xml_limit() -> bytes:
    return b"<OFD>" + noise(9 * MIB).hex().encode() + b"</OFD>"


def unclosed_word() -> bytes:
    return b"<a " + (noise(100_000).hex().encode() + b" ") * 50 + b">"


def many_words() -> bytes:
    return b"<a>" + b"".join(b"<b>%x/x</b>" % n for n in range(900_000)) + b"</a>"


def pages_of_words() -> bytes:
    """XML of 30 MiB in files that mention each other, in a package whose signature leaves them open."""
    body = many_words()[: 8 * MIB]
    more = [
        deflated(f"Doc_0/{n}.xml", b"<a><c>%d.xml</c>" % ((n + 1) % 6) + body + b"</a>", 1) for n in range(6)
    ]
    root = plain_files()["Doc_0/Document.xml"].replace(b"PublicRes.xml", b"0.xml")
    return with_entries(*more, files=sealed() | {"Doc_0/Document.xml": root})


def many_small_files() -> bytes:
    """As many XML files as are allowed, each mentioning the next."""
    more = [stored(f"Doc_0/{n}.xml", b"<a><b>%d.xml</b></a>" % (n + 1)) for n in range(8_100)]
    root = plain_files()["Doc_0/Document.xml"].replace(b"PublicRes.xml", b"0.xml")
    return with_entries(*more, files=sealed() | {"Doc_0/Document.xml": root})


def attribute_twice_by_namespace() -> bytes:
    root = sealed()["OFD.xml"].replace(b'Version="1.0"', b'Version="1.0" ofd:Version="2.0"')
    return pack(sealed() | {"OFD.xml": root})


def root_that_is_its_own_document() -> bytes:
    root = sealed()["OFD.xml"].replace(b"Doc_0/Document.xml", b"OFD.xml")
    return pack(sealed() | {"OFD.xml": root})


def list_that_is_its_own_description() -> bytes:
    listed = list_of("s001").replace(b"/Doc_0/Signs/Sign_0/Signature.xml", f"/{LIST}".encode())
    return pack(sealed() | {LIST: listed})


def pages_in_a_circle() -> bytes:
    page = xml(
        f'<ofd:Page {NS}><ofd:Template BaseLoc="/{PAGE}"/><ofd:PageRes>/OFD.xml</ofd:PageRes></ofd:Page>'
    )
    return pack(sealed() | {PAGE: page})


def bases_in_a_circle() -> bytes:
    files = sign(sealed(), number=1)
    listed = files[LIST].replace(b'ID="s001"', b'ID="s001" Relative="s002"')
    return pack(files | {LIST: listed.replace(b'ID="s002"', b'ID="s002" Relative="s001"')})


def location_that_climbs() -> bytes:
    return pack(sealed() | {LIST: list_of("s001").replace(b"/Doc_0/Signs/Sign_0", b"/../../../etc")})


def location_of_megabytes() -> bytes:
    return pack(sealed() | {LIST: list_of("s001").replace(b"Sign_0", b"a/" * MIB)})


def huge_numbers() -> bytes:
    digits = "9" * 1_000_000
    files = sign(plain_files(), boundary=f"1e400 {digits} 1e999999999 {digits}")
    return pack(files)
