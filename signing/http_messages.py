"""HTTP messages as far as signatures see them, and the signature base of RFC 9421.

A component identifier is a structured-field item: a field name in small letters, or a derived component such
as `@method`, with parameters (`sf`, `key`, `bs`, `req`, `tr`, `name`). `component_value` finds its value,
`build_signature_base` writes the text that is signed. Everything here is pure.

Source: RFC 9421 2 (components), 2.5 (signature base).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from signing.errors import DecodeError, EncodeError, EvidenceRefused
from signing.structured_fields import (
    InnerList,
    Item,
    build_dictionary,
    build_inner_list,
    build_item,
    build_list,
    build_member,
    parse_dictionary,
    parse_item,
    parse_list,
)

Fields = tuple[tuple[str, str], ...]

_FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+", re.ASCII)
_METHOD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_TARGET: Final = re.compile(r"[!\"$-~]+", re.ASCII)  # printable ASCII but for "#", which begins a fragment
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_MAX_QUERY_PARAMETERS: Final = 1000

_DICTIONARY: Final = "dictionary"
_LIST: Final = "list"
_ITEM: Final = "item"
# The fields whose structure is standardised, for the parameters `sf` and `key` (RFC 9421 2.1.1).
STRUCTURED_FIELDS: Final[Mapping[str, str]] = {
    "accept-ch": _LIST,
    "accept-signature": _DICTIONARY,
    "cache-status": _LIST,
    "cdn-cache-control": _DICTIONARY,
    "client-cert": _ITEM,
    "client-cert-chain": _LIST,
    "content-digest": _DICTIONARY,
    "priority": _DICTIONARY,
    "proxy-status": _LIST,
    "repr-digest": _DICTIONARY,
    "signature": _DICTIONARY,
    "signature-input": _DICTIONARY,
    "want-content-digest": _DICTIONARY,
    "want-repr-digest": _DICTIONARY,
    # Older fields whose usual values are structured as well.
    "accept": _LIST,
    "accept-encoding": _LIST,
    "accept-language": _LIST,
    "cache-control": _DICTIONARY,
    "content-length": _ITEM,
    "content-type": _ITEM,
}


class HttpComponentRefused(EvidenceRefused):
    """A component that cannot be signed: the message lacks it, or its identifier makes no sense."""

    code = "SIGNING-HTTP-COMPONENT-REFUSED"
    title = "Component cannot be signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A request.

    `target_uri` is absolute and without fragment, as the client meant it: behind a proxy, from `Forwarded` or
    settings. `fields` are name and value of each field line in order, names in any case. `body` is None where
    it is digested elsewhere (a stream).
    """

    method: str
    target_uri: str
    fields: Fields = ()
    trailers: Fields = ()
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """A response, and the request that it answers where components of that (`req`) are signed too."""

    status: int
    fields: Fields = ()
    trailers: Fields = ()
    body: bytes | None = None
    request: HttpRequest | None = None


HttpMessage = HttpRequest | HttpResponse


def build_signature_base(message: HttpMessage, signature_params: InnerList) -> bytes:
    """Write the signature base: a line for each component, and the signature parameters last.

    `signature_params` holds the component identifiers and the parameters in the order received or to be sent.
    Raises HttpComponentRefused where a component is missing, ambiguous, named twice, or not a name.
    """
    lines = []
    seen = set()
    for component in signature_params.items:
        identity = (component.value, frozenset(component.parameters.items()))
        if identity in seen:
            raise _refused(component, "is named twice")
        seen.add(identity)
        lines.append(f"{build_item(component)}: {component_value(message, component)}\n")
    lines.append(f'"@signature-params": {build_inner_list(signature_params)}')
    return "".join(lines).encode("ascii")


def component_value(message: HttpMessage, component: Item) -> str:
    """Find the value of one component; raise HttpComponentRefused where there is none."""
    name = component.value
    if type(name) is not str:
        raise _refused(component, "is not named by a string")
    source = _take_source(message, component)
    if name.startswith("@"):
        value = _derived_value(source, component, name)
    else:
        value = _field_value(source, component, name)
    if not value.isascii() or "\n" in value or "\r" in value:
        raise _refused(component, "has a value that is not one line of ASCII")
    return value


def combine_field(fields: Fields, name: str) -> str | None:
    """Join the lines of a field, trimmed and unfolded, with a comma and a space; None where it is absent."""
    lines = field_lines(fields, name)
    return ", ".join(lines) if lines else None


def field_lines(fields: Fields, name: str) -> list[str]:
    """List the values of a field's lines, each trimmed and unfolded (RFC 9421 2.1)."""
    return [_unfold(value).strip(" \t") for key, value in fields if key.lower() == name]


def _unfold(value: str) -> str:
    """Replace obsolete line folds by one space; a line break that is no fold stays, and is refused later."""
    *folded, last = value.split("\n")
    if not folded or not all(line.startswith((" ", "\t")) for line in (*folded[1:], last)):
        return value
    return " ".join((*(line.removesuffix("\r").strip(" \t") for line in folded), last.strip(" \t")))


def parse_component(text: str) -> Item:
    """Read a component identifier: `"@method"`, `"content-digest";req`, or a bare name such as `date`."""
    return parse_item(text) if text.startswith('"') else Item(text)


def _take_source(message: HttpMessage, component: Item) -> HttpMessage:
    """Choose the message that the component is taken from: the request, where `req` asks for it."""
    if "req" not in component.parameters:
        return message
    if component.parameters["req"] is not True or isinstance(message, HttpRequest) or message.request is None:
        raise _refused(component, "asks for the request, which is not at hand")
    return message.request


def _derived_value(message: HttpMessage, component: Item, name: str) -> str:
    allowed = {"req", "name"} if name == "@query-param" else {"req"}
    if not component.parameters.keys() <= allowed:
        raise _refused(component, "has parameters that do not belong to it")
    if isinstance(message, HttpResponse):
        if name != "@status":
            raise _refused(component, "does not exist in a response")
        return _status(message, component)
    if name == "@query-param":
        return _query_parameter(message, component)
    if name not in _DERIVED:
        raise _refused(component, "is not a derived component of a request")
    return _DERIVED[name](message, component)


def _status(response: HttpResponse, component: Item) -> str:
    if not 100 <= response.status <= 999:
        raise _refused(component, "is not a status of three digits")
    return str(response.status)


def _split_target(request: HttpRequest, component: Item) -> SplitResult:
    try:
        parts = urlsplit(request.target_uri)
        valid = bool(_TARGET.fullmatch(request.target_uri) and parts.scheme and parts.hostname)
        valid = valid and (parts.port is None or parts.port >= 0)
    except ValueError:
        valid = False
    if not valid:
        raise _refused(component, "needs an absolute target URI in ASCII")
    return parts


def _method(request: HttpRequest, component: Item) -> str:
    if not _METHOD.fullmatch(request.method):
        raise _refused(component, "is not an HTTP method")
    return request.method


def _target_uri(request: HttpRequest, component: Item) -> str:
    _split_target(request, component)
    return request.target_uri


def _authority(request: HttpRequest, component: Item) -> str:
    parts = _split_target(request, component)
    host = (parts.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    if parts.port is None or parts.port == _DEFAULT_PORTS.get(parts.scheme.lower()):
        return host
    return f"{host}:{parts.port}"


def _scheme(request: HttpRequest, component: Item) -> str:
    return _split_target(request, component).scheme.lower()


def _path(request: HttpRequest, component: Item) -> str:
    return _split_target(request, component).path or "/"


def _query(request: HttpRequest, component: Item) -> str:
    return "?" + _split_target(request, component).query


def _request_target(request: HttpRequest, component: Item) -> str:
    """The origin form, which is what a client sends to an origin server."""
    parts = _split_target(request, component)
    query = f"?{parts.query}" if "?" in request.target_uri else ""
    return (parts.path or "/") + query


def _query_parameter(request: HttpRequest, component: Item) -> str:
    """Find the one query parameter of this (encoded) name, decode it and encode it anew (RFC 9421 2.2.8)."""
    query = _split_target(request, component).query
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_PARAMETERS)
    except ValueError as error:
        raise _refused(component, "stands among too many query parameters") from error
    values = [
        _form_encode(value) for name, value in pairs if _form_encode(name) == component.parameters.get("name")
    ]
    if len(values) != 1:
        raise _refused(component, "must name one query parameter that occurs once")
    return values[0]


def _form_encode(text: str) -> str:
    """Percent-encode all but letters, digits and `*-._`, the WHATWG form-urlencoded set, blanks as %20."""
    return quote(text, safe="*-._", errors="replace").replace("~", "%7E")


_DERIVED: Final[Mapping[str, Callable[[HttpRequest, Item], str]]] = {
    "@method": _method,
    "@target-uri": _target_uri,
    "@authority": _authority,
    "@scheme": _scheme,
    "@request-target": _request_target,
    "@path": _path,
    "@query": _query,
}


def _field_value(message: HttpMessage, component: Item, name: str) -> str:
    flags = component.parameters.keys() - {"key"}
    if not flags <= {"sf", "bs", "req", "tr"} or not all(
        component.parameters[flag] is True for flag in flags
    ):
        raise _refused(component, "has parameters that do not belong to it")
    if not _FIELD_NAME.fullmatch(name):
        raise _refused(component, "is not a field name in small letters")
    lines = field_lines(message.trailers if "tr" in flags else message.fields, name)
    if not lines:
        raise _refused(component, "is missing from the message")
    structured = "sf" in flags or "key" in component.parameters
    if "bs" in flags:
        if structured:
            raise _refused(component, "asks for its bytes and its structure at once")
        return ", ".join(build_item(Item(line.encode("latin-1", "replace"))) for line in lines)
    value = ", ".join(lines)
    return _structured_value(component, name, value) if structured else value


def _structured_value(component: Item, name: str, value: str) -> str:
    try:
        if "key" in component.parameters:
            return _dictionary_member(component, name, value)
        kind = STRUCTURED_FIELDS.get(name)
        if kind == _DICTIONARY:
            return build_dictionary(parse_dictionary(value))
        if kind == _LIST:
            return build_list(parse_list(value))
        if kind == _ITEM:
            return build_item(parse_item(value))
    except (DecodeError, EncodeError) as error:
        raise _refused(component, "is not a well-formed structured field") from error
    raise _refused(component, "is not a field whose structure is known here")


def _dictionary_member(component: Item, name: str, value: str) -> str:
    key = component.parameters["key"]
    if STRUCTURED_FIELDS.get(name, _DICTIONARY) != _DICTIONARY or type(key) is not str:
        raise _refused(component, "is not a dictionary, and has no member to be taken by its key")
    members = parse_dictionary(value)
    if key not in members:
        raise _refused(component, "lacks the member that its key names")
    return build_member(members[key])


def _refused(component: Item, complaint: str) -> HttpComponentRefused:
    try:
        name = build_item(component)
    except EncodeError:
        name = "(unnamed)"
    return HttpComponentRefused(f"The component {name} {complaint}.")


def build_components(names: Sequence[str]) -> tuple[Item, ...]:
    """Read several component identifiers (see `parse_component`)."""
    return tuple(map(parse_component, names))
