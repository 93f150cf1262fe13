"""HTTP message signatures after RFC 9421: sign a message, verify one under a policy. Pure functions.

The signature base is built in `signing.http_messages`, keys live in `signing.http_signature_keys`, the body
is bound by Content-Digest (`signing.content_digest`). Clock and memory of nonces come from the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from signing.content_digest import DEFAULT_DIGESTS, verify_content_digest
from signing.errors import DecodeError, EncodeError, EvidenceRefused, SignatureInvalid
from signing.http_messages import (
    HttpMessage,
    build_components,
    build_signature_base,
    combine_field,
)
from signing.http_signature_keys import HttpSigner, HttpVerifier
from signing.structured_fields import (
    BareItem,
    InnerList,
    Item,
    Member,
    build_dictionary,
    parse_dictionary,
)

MAX_SIGNATURES: Final = 16
MAX_COMPONENTS: Final = 64
_LATEST_TIME_S: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())
_TIMES: Final = ("created", "expires")
_TEXTS: Final = ("nonce", "alg", "keyid", "tag")

FindKey = Callable[[str], HttpVerifier | None]
NonceIsFresh = Callable[[str, str], bool]


class HttpSignatureRefused(EvidenceRefused):
    """A message without a signature that satisfies the policy."""

    code = "SIGNING-HTTP-SIGNATURE-REFUSED"
    title = "Message signature refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureFields:
    """What signing adds to a message: the values of its Signature-Input and Signature fields."""

    signature_input: str
    signature: str

    @property
    def fields(self) -> tuple[tuple[str, str], tuple[str, str]]:
        """The two field lines."""
        return (("Signature-Input", self.signature_input), ("Signature", self.signature))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSignature:
    """One signature of a message as parsed, not verified."""

    label: str
    params: InnerList
    signature: bytes

    @property
    def key_id(self) -> str | None:
        """The name of the key."""
        return self._text("keyid")

    @property
    def algorithm(self) -> str | None:
        """The algorithm that the signer states."""
        return self._text("alg")

    @property
    def nonce(self) -> str | None:
        """The value that must not occur twice."""
        return self._text("nonce")

    @property
    def tag(self) -> str | None:
        """The application that the signature is meant for."""
        return self._text("tag")

    @property
    def created_at(self) -> datetime | None:
        """When the signer says that it signed."""
        return self._time("created")

    @property
    def expires_at(self) -> datetime | None:
        """When the signer says that the signature ends."""
        return self._time("expires")

    def _text(self, name: str) -> str | None:
        value = self.params.parameters.get(name)
        return str(value) if isinstance(value, str) else None

    def _time(self, name: str) -> datetime | None:
        value = self.params.parameters.get(name)
        return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignaturePolicy:
    """What a verifier demands.

    `required` are component identifiers such as `@method` or `"content-digest";req`. `max_age_s` bounds the
    age of `created`, which must be there; `clock_skew_s` is how far the signer's clock may run ahead. With
    `tag`, only signatures of that application count. With `require_content_digest`, a message with a body (or
    with one that is digested elsewhere) must cover its Content-Digest.
    """

    required: tuple[str, ...]
    algorithms: frozenset[str] = frozenset({"sm2-sm3"})
    max_age_s: int = 300
    clock_skew_s: int = 60
    tag: str | None = None
    require_nonce: bool = False
    require_expires: bool = False
    require_content_digest: bool = True
    digests: tuple[str, ...] = DEFAULT_DIGESTS

    def __post_init__(self) -> None:
        if not self.required or not self.algorithms:
            message = "a policy that requires no component or accepts no algorithm protects nothing"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSignature:
    """A signature that holds under the policy: who signed which components, when, for what."""

    label: str
    key_id: str
    algorithm: str
    components: tuple[Item, ...]
    created_at: datetime
    expires_at: datetime | None
    nonce: str | None
    tag: str | None
    body_is_verified: bool = field(default=False)


def sign_message(
    message: HttpMessage,
    *,
    key: HttpSigner,
    components: Sequence[str],
    created_at: datetime,
    label: str = "sig1",
    expires_at: datetime | None = None,
    nonce: str | None = None,
    tag: str | None = None,
    state_algorithm: bool = False,
) -> SignatureFields:
    """Sign a message's components, in the order given; other signatures of the message stay in its fields.

    Raises HttpComponentRefused where a component cannot be signed, EncodeError for a parameter that cannot be
    written or a label that is taken.
    """
    parameters: dict[str, BareItem | None] = {
        "created": int(created_at.timestamp()),
        "expires": None if expires_at is None else int(expires_at.timestamp()),
        "keyid": key.key_id,
        "alg": str(key.algorithm) if state_algorithm else None,
        "nonce": nonce,
        "tag": tag,
    }
    given = {name: value for name, value in parameters.items() if value is not None}
    params = InnerList(build_components(components), given)
    inputs, signatures = _read_fields(message)
    if label in inputs or label in signatures:
        taken = f"The message already has a signature labelled {label}."
        raise EncodeError(taken)
    signature = Item(key.sign(build_signature_base(message, params)))
    return SignatureFields(
        signature_input=build_dictionary(inputs | {label: params}),
        signature=build_dictionary(signatures | {label: signature}),
    )


def parse_signatures(message: HttpMessage) -> tuple[HttpSignature, ...]:
    """Read all signatures of a message; raise DecodeError if the two fields are malformed or do not agree."""
    inputs, signatures = _read_fields(message)
    if inputs.keys() != signatures.keys() or len(inputs) > MAX_SIGNATURES:
        detail = f"Signature-Input and Signature must have the same labels, at most {MAX_SIGNATURES}."
        raise DecodeError(detail)
    return tuple(_take_signature(label, params, signatures[label]) for label, params in inputs.items())


def verify_message(
    message: HttpMessage,
    *,
    policy: SignaturePolicy,
    find_key: FindKey,
    now: datetime,
    nonce_is_fresh: NonceIsFresh | None = None,
    label: str | None = None,
) -> VerifiedSignature:
    """Check that a message carries one signature that satisfies the policy.

    1. The fields are well formed (else DecodeError), and just one signature has the label asked for and the
    policy's tag. 2. It covers every required component, and Content-Digest where there is a body.
    3. `created` and `expires` fit the clock. 4. The key is known; its algorithm is accepted, and is the one
    that the signature states, if any. 5. The signature verifies. 6. The body, where given, has the digest.
    7. The nonce, where there is one, is fresh: asked last, with key and nonce, so that nobody without the key
    can use it up.

    Raises HttpSignatureRefused, HttpComponentRefused or ContentDigestRefused.
    """
    signature = _choose_signature(parse_signatures(message), policy, label)
    body_is_verified = _check_components(message, signature, policy)
    created_at = _check_times(signature, policy, now)
    key_id, key = _take_key(signature, policy, find_key)
    try:
        key.verify(build_signature_base(message, signature.params), signature.signature)
    except SignatureInvalid as error:
        detail = "The message's signature does not verify: a signed part was altered, or the key is another."
        raise HttpSignatureRefused(detail) from error
    if body_is_verified:
        digest_field = combine_field(message.fields, "content-digest")
        verify_content_digest(digest_field or "", message.body or b"", accept=policy.digests)
    _check_nonce(signature, policy, key_id, nonce_is_fresh)
    return VerifiedSignature(
        label=signature.label,
        key_id=key_id,
        algorithm=str(key.algorithm),
        components=signature.params.items,
        created_at=created_at,
        expires_at=signature.expires_at,
        nonce=signature.nonce,
        tag=signature.tag,
        body_is_verified=body_is_verified,
    )


def _read_fields(message: HttpMessage) -> tuple[dict[str, Member], dict[str, Member]]:
    inputs = parse_dictionary(combine_field(message.fields, "signature-input") or "")
    return inputs, parse_dictionary(combine_field(message.fields, "signature") or "")


def _take_signature(label: str, params: Member, value: Member) -> HttpSignature:
    well_formed = (
        isinstance(params, InnerList)
        and len(params.items) <= MAX_COMPONENTS
        and all(type(item.value) is str for item in params.items)
        and all(_is_time(params.parameters[name]) for name in _TIMES if name in params.parameters)
        and all(type(params.parameters[name]) is str for name in _TEXTS if name in params.parameters)
    )
    if not well_formed or not isinstance(value, Item) or not isinstance(value.value, bytes):
        detail = f"The signature {label} is not a list of components, its parameters and a byte sequence."
        raise DecodeError(detail)
    assert isinstance(params, InnerList)
    return HttpSignature(label=label, params=params, signature=value.value)


def _is_time(value: BareItem) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LATEST_TIME_S


def _choose_signature(
    signatures: Collection[HttpSignature], policy: SignaturePolicy, label: str | None
) -> HttpSignature:
    candidates = [
        each
        for each in signatures
        if (label is None or each.label == label) and (policy.tag is None or each.tag == policy.tag)
    ]
    if len(candidates) != 1:
        detail = f"Just one signature with the expected label and tag must be there; {len(candidates)} are."
        raise HttpSignatureRefused(detail)
    return candidates[0]


def _check_components(message: HttpMessage, signature: HttpSignature, policy: SignaturePolicy) -> bool:
    """Check what is covered; tell whether the body can and must be compared with its digest."""
    covered = {_identity(item) for item in signature.params.items}
    missing = [name for name, item in _required(policy) if _identity(item) not in covered]
    has_body = message.body is None or len(message.body) > 0
    digest_is_covered = _identity(Item("content-digest")) in covered
    if has_body and policy.require_content_digest and not digest_is_covered:
        missing.append("content-digest")
    if missing:
        detail = f"The signature must cover {', '.join(dict.fromkeys(missing))} as well."
        raise HttpSignatureRefused(detail)
    return digest_is_covered and message.body is not None


def _required(policy: SignaturePolicy) -> zip[tuple[str, Item]]:
    return zip(policy.required, build_components(policy.required), strict=True)


def _identity(component: Item) -> tuple[BareItem, frozenset[tuple[str, BareItem]]]:
    return component.value, frozenset(component.parameters.items())


def _check_times(signature: HttpSignature, policy: SignaturePolicy, now: datetime) -> datetime:
    created_at, expires_at = signature.created_at, signature.expires_at
    if created_at is None or (expires_at is None and policy.require_expires):
        detail = "The signature must state when it was created, and when it expires where that is demanded."
        raise HttpSignatureRefused(detail)
    age_s = (now - created_at).total_seconds()
    if age_s > policy.max_age_s:
        detail = f"The signature is older than {policy.max_age_s} seconds; sign the message anew."
        raise HttpSignatureRefused(detail)
    if age_s < -policy.clock_skew_s:
        detail = "The signature was created in the future; see to the signer's clock."
        raise HttpSignatureRefused(detail)
    if expires_at is not None and (expires_at <= now or expires_at < created_at):
        detail = "The signature has expired; sign the message anew."
        raise HttpSignatureRefused(detail)
    return created_at


def _take_key(
    signature: HttpSignature, policy: SignaturePolicy, find_key: FindKey
) -> tuple[str, HttpVerifier]:
    key_id = signature.key_id
    key = None if key_id is None else find_key(key_id)
    if key_id is None or key is None:
        detail = "The signature's keyid names no key that is known here."
        raise HttpSignatureRefused(detail)
    if key.algorithm not in policy.algorithms or signature.algorithm not in {None, key.algorithm}:
        detail = f"The algorithm must be that of the key, and one of: {', '.join(sorted(policy.algorithms))}."
        raise HttpSignatureRefused(detail)
    return key_id, key


def _check_nonce(
    signature: HttpSignature, policy: SignaturePolicy, key_id: str, nonce_is_fresh: NonceIsFresh | None
) -> None:
    nonce = signature.nonce
    if nonce is None and policy.require_nonce:
        detail = "The signature must have a nonce."
        raise HttpSignatureRefused(detail)
    if policy.require_nonce and nonce_is_fresh is None:
        message = "a policy that demands nonces needs a nonce_is_fresh"
        raise ValueError(message)
    if nonce is not None and nonce_is_fresh is not None and not nonce_is_fresh(key_id, nonce):
        detail = "The signature's nonce was used before; sign the message anew with another."
        raise HttpSignatureRefused(detail)
