"""The worked examples of RFC 9421: components (2), signature bases and signatures (Appendix B).

The published messages, keys, bases and signatures are facts of the RFC. ECDSA and RSA-PSS, which the library
does not offer, plug in here.
"""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from signing.content_digest import build_content_digest, verify_content_digest
from signing.http_messages import (
    HttpComponentRefused,
    HttpRequest,
    HttpResponse,
    build_signature_base,
    component_value,
    parse_component,
)
from signing.http_signature_keys import (
    Ed25519HttpSigner,
    HmacSha256HttpKey,
)
from signing.http_signatures import SignaturePolicy, parse_signatures, sign_message, verify_message
from signing.structured_fields import InnerList, parse_dictionary
from tests.unit.signing.rfc9421 import (
    CREATED,
    ED25519_PRIVATE,
    EXAMPLES,
    KEYS,
    REQUEST,
    REQUEST_DIGEST,
    RESPONSE,
    RESPONSE_DIGEST,
    Example,
)

ALL = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.label)


def with_signature(example: Example) -> HttpRequest | HttpResponse:
    fields = (
        *example.message.fields,
        ("Signature-Input", f"{example.label}={example.params}"),
        ("Signature", f"{example.label}=:{example.signature}:"),
    )
    if isinstance(example.message, HttpRequest):
        return HttpRequest(
            method=example.message.method,
            target_uri=example.message.target_uri,
            fields=fields,
            body=example.message.body,
        )
    return HttpResponse(status=example.message.status, fields=fields, body=example.message.body)


@ALL
def test_signature_base_of_appendix_b_is_built_to_the_byte(example: Example) -> None:
    params = parse_dictionary(f"x={example.params}")["x"]
    assert isinstance(params, InnerList)
    expected = "\n".join((*example.base, f'"@signature-params": {example.params}'))
    assert build_signature_base(example.message, params).decode() == expected


@ALL
def test_signature_of_appendix_b_verifies(example: Example) -> None:
    (signature,) = parse_signatures(with_signature(example))
    assert signature.label == example.label
    base = build_signature_base(example.message, signature.params)
    KEYS[str(signature.key_id)].verify(base, signature.signature)


@pytest.mark.parametrize("example", EXAMPLES[1:], ids=lambda example: example.label)
def test_signature_of_appendix_b_that_covers_anything_satisfies_a_policy(example: Example) -> None:
    policy = SignaturePolicy(
        required=(example.base[0].partition('"')[2].partition('"')[0],),
        algorithms=frozenset(key.algorithm for key in KEYS.values()),
        require_content_digest=False,
        digests=("sha-512",),
    )
    verified = verify_message(with_signature(example), policy=policy, find_key=KEYS.get, now=CREATED)
    assert verified.created_at == CREATED
    assert verified.body_is_verified == ("content-digest" in example.params)


def test_deterministic_signatures_of_appendix_b_are_made_alike() -> None:
    private = load_der_private_key(base64.b64decode(ED25519_PRIVATE), None)
    assert isinstance(private, Ed25519PrivateKey)
    hmac_key = KEYS["test-shared-secret"]
    assert isinstance(hmac_key, HmacSha256HttpKey)
    ed25519_key = Ed25519HttpSigner(key_id="test-key-ed25519", private_key=private)
    for example, key in ((EXAMPLES[4], hmac_key), (EXAMPLES[5], ed25519_key)):
        names = [line.split('"')[1] for line in example.base]
        made = sign_message(
            example.message, key=key, components=names, created_at=CREATED, label=example.label
        )
        assert made.signature_input == f"{example.label}={example.params}"
        assert made.signature == f"{example.label}=:{example.signature}:"


def test_content_digests_of_appendix_b_are_those_of_the_bodies() -> None:
    for message, digest in ((REQUEST, REQUEST_DIGEST), (RESPONSE, RESPONSE_DIGEST)):
        assert build_content_digest(message.body or b"", algorithm="sha-512") == digest
        verify_content_digest(digest, message.body or b"", accept=("sha-512",))


FIELDS = HttpRequest(
    method="GET",
    target_uri="https://www.example.com/path",
    fields=(
        ("Host", "www.example.com"),
        ("Date", "Tue, 20 Apr 2021 02:07:56 GMT"),
        ("X-OWS-Header", "   Leading and trailing whitespace.   "),
        ("X-Obs-Fold-Header", "Obsolete\n    line folding."),
        ("Cache-Control", "max-age=60"),
        ("Cache-Control", "   must-revalidate"),
        ("Example-Dict", " a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ("Example-Header", "value, with, lots"),
        ("Example-Header", "of, commas"),
        ("X-Empty-Header", ""),
    ),
)


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ("host", "www.example.com"),
        ("x-ows-header", "Leading and trailing whitespace."),
        ("x-obs-fold-header", "Obsolete line folding."),
        ("cache-control", "max-age=60, must-revalidate"),
        ("x-empty-header", ""),
        ("example-dict", "a=1,    b=2;x=1;y=2,   c=(a   b   c), d"),
        ('"example-dict";key="a"', "1"),
        ('"example-dict";key="d"', "?1"),
        ('"example-dict";key="b"', "2;x=1;y=2"),
        ('"example-dict";key="c"', "(a b c)"),
        ('"cache-control";sf', "max-age=60, must-revalidate"),
        ("example-header", "value, with, lots, of, commas"),
        ('"example-header";bs', ":dmFsdWUsIHdpdGgsIGxvdHM=:, :b2YsIGNvbW1hcw==:"),
    ],
)
def test_fields_of_section_2_1_have_the_values_of_the_rfc(component: str, value: str) -> None:
    assert component_value(FIELDS, parse_component(component)) == value


TARGETS = {
    "a": "https://www.example.com/path?param=value",
    "b": "https://www.example.com:443/path?param=value&foo=bar&baz=bat%2Dman",
    "c": "HTTP://WWW.EXAMPLE.com:8080?queryString",
    "d": "https://www.example.com/path?param=value&foo=bar&baz=batman&qux=",
    "e": "https://www.example.com/parameters?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace"
    "&fa%C3%A7ade%22%3A%20=something",
    "f": "https://[2001:DB8::1]:443/x",
}


@pytest.mark.parametrize(
    ("target", "component", "value"),
    [
        ("a", "@method", "POST"),
        ("a", "@target-uri", "https://www.example.com/path?param=value"),
        ("a", "@authority", "www.example.com"),
        ("a", "@scheme", "https"),
        ("a", "@request-target", "/path?param=value"),
        ("a", "@path", "/path"),
        ("a", "@query", "?param=value"),
        ("b", "@authority", "www.example.com"),
        ("b", "@query", "?param=value&foo=bar&baz=bat%2Dman"),
        ("c", "@authority", "www.example.com:8080"),
        ("c", "@scheme", "http"),
        ("c", "@path", "/"),
        ("c", "@query", "?queryString"),
        ("c", "@request-target", "/?queryString"),
        ("d", '"@query-param";name="baz"', "batman"),
        ("d", '"@query-param";name="qux"', ""),
        ("d", '"@query-param";name="param"', "value"),
        ("e", '"@query-param";name="var"', "this%20is%20a%20big%0Amultiline%20value"),
        ("e", '"@query-param";name="bar"', "with%20plus%20whitespace"),
        ("e", '"@query-param";name="fa%C3%A7ade%22%3A%20"', "something"),
        ("f", "@authority", "[2001:db8::1]"),
        ("f", "@query", "?"),
    ],
)
def test_derived_components_of_section_2_2_have_the_values_of_the_rfc(
    target: str, component: str, value: str
) -> None:
    request = HttpRequest(method="POST", target_uri=TARGETS[target])
    assert component_value(request, parse_component(component)) == value


def test_response_can_cover_its_request() -> None:
    response = HttpResponse(status=503, fields=(("Content-Length", "62"),), request=REQUEST)
    values = {
        "@status": "503",
        "content-length": "62",
        '"@authority";req': "example.com",
        '"@method";req': "POST",
        '"@path";req': "/foo",
        '"content-digest";req': REQUEST_DIGEST,
        '"@query-param";name="Pet";req': "dog",
    }
    for component, value in values.items():
        assert component_value(response, parse_component(component)) == value


def test_trailers_are_taken_when_asked_for_only() -> None:
    request = HttpRequest(method="POST", target_uri="https://a.example/", trailers=(("Expires", "soon"),))
    assert component_value(request, parse_component('"expires";tr')) == "soon"
    with pytest.raises(HttpComponentRefused):
        component_value(request, parse_component("expires"))


@pytest.mark.parametrize(
    "component",
    [
        "absent",
        "Date",
        "date date",
        '""',
        '"date";name="x"',
        '"date";sf',
        '"date";bs=?0',
        '"date";unknown',
        '"date";tr',
        '"date";req',
        '"date";key="x"',
        '"content-type";key="x"',
        '"example-dict";sf',
        '"example-dict";key="zz"',
        '"example-dict";key=1',
        '"example-dict";bs;sf',
        '"cache-control";bs;key="max-age"',
        '"@status"',
        '"@unknown"',
        '"@signature-params"',
        '"@method";sf',
        '"@method";name="x"',
        '"@method";req',
        '"@query-param"',
        '"@query-param";name="absent"',
        '"@query-param";name=1',
    ],
)
def test_component_that_makes_no_sense_is_refused(component: str) -> None:
    with pytest.raises(HttpComponentRefused):
        component_value(FIELDS, parse_component(component))


def test_query_parameter_that_occurs_twice_is_refused() -> None:
    request = HttpRequest(method="GET", target_uri="https://a.example/?a=1&a=2")
    with pytest.raises(HttpComponentRefused):
        component_value(request, parse_component('"@query-param";name="a"'))


def test_too_many_query_parameters_are_refused() -> None:
    request = HttpRequest(method="GET", target_uri="https://a.example/?" + "a=1&" * 2000)
    with pytest.raises(HttpComponentRefused):
        component_value(request, parse_component('"@query-param";name="b"'))


@pytest.mark.parametrize(
    "target",
    [
        "/path",
        "https://",
        "https://a.example/\n",
        "https://a.example/ b",
        "https://a.example:x/",
        "//a.example/",
        "https://a.example/é",
        "https://a.example/#f",
        "https://[::1/",
        "https://a.example:99999/",
    ],
)
def test_target_that_is_no_absolute_uri_is_refused(target: str) -> None:
    request = HttpRequest(method="GET", target_uri=target)
    for component in ("@target-uri", "@authority", "@path", "@query", "@scheme", "@request-target"):
        with pytest.raises(HttpComponentRefused):
            component_value(request, parse_component(component))


def test_field_value_that_could_forge_a_line_of_the_base_is_refused() -> None:
    for value in ('x\n"@method": GET', "x\r\ny", "caf\u00e9", "a\rb"):
        request = HttpRequest(method="POST", target_uri="https://a.example/", fields=(("X", value),))
        with pytest.raises(HttpComponentRefused):
            component_value(request, parse_component("x"))
    with pytest.raises(HttpComponentRefused):
        component_value(
            HttpRequest(method="PO ST", target_uri="https://a.example/"), parse_component("@method")
        )


@pytest.mark.parametrize("status", [0, 99, 1000, -200])
def test_status_that_is_none_is_refused(status: int) -> None:
    with pytest.raises(HttpComponentRefused):
        component_value(HttpResponse(status=status), parse_component("@status"))
    with pytest.raises(HttpComponentRefused):
        component_value(HttpResponse(status=200), parse_component("@method"))
