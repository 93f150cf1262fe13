"""The root of every error of this project, and the errors of the trust layer.

ShuzhengError                       code, title and typed facts; composes its own sentence
└── SigningError                    anything that `signing` refuses
    ├── EngineUnavailable           no SM2 engine works on this machine
    ├── DecodeError                 bytes that are not what they should be (DER, PEM, JSON, …)
    ├── EncodeError                 a value that the wanted encoding cannot hold
    ├── SignatureInvalid            a signature that does not verify
    ├── DecryptionFailed            a ciphertext that does not open; always the same words
    ├── KeyUnusable                 a key that is malformed, locked, or not for this use
    └── EvidenceRefused             certificate, seal or time stamp that must not be trusted

The root stands on the lowest floor because every floor raises it; `core.errors` continues the tree.
An error's text is written for the person who has to mend the input. It never carries key material,
row contents, SQL or file-system paths of the server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldError:
    """One thing wrong with one field or row.

    `pointer` is an RFC 6901 JSON pointer into the request body, or `#row=N` (1-based data row) for a
    file; `code` is stable, `detail` is a sentence.
    """

    pointer: str
    code: str
    detail: str


class ShuzhengError(Exception):
    """Root of all errors that this project raises on purpose.

    `code` is stable and documented; `title` names the kind of error; `detail` is the sentence for this
    occurrence; `errors` point at single fields or rows.
    """

    code: ClassVar[str] = "INTERNAL"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, *, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors

    def __str__(self) -> str:
        return self.detail


class SigningError(ShuzhengError):
    """Anything that the trust layer refuses."""

    code = "SIGNING-REFUSED"
    title = "Refused by the trust layer"


class EngineUnavailable(SigningError):
    """No SM2 engine works on this machine."""

    code = "SIGNING-ENGINE-UNAVAILABLE"
    title = "No SM2 engine"


class DecodeError(SigningError):
    """Bytes that are not a well-formed instance of what they were said to be."""

    code = "SIGNING-DECODE"
    title = "Not well formed"


class EncodeError(SigningError):
    """A value that the wanted encoding cannot hold."""

    code = "SIGNING-ENCODE"
    title = "Cannot be encoded"


class SignatureInvalid(SigningError):
    """A signature that does not verify with the given key over the given bytes."""

    code = "SIGNING-SIGNATURE-INVALID"
    title = "Signature invalid"


class DecryptionFailed(SigningError):
    """A ciphertext that does not open. It never says at which step, so that it is no oracle."""

    code = "SIGNING-DECRYPTION-FAILED"
    title = "Decryption failed"

    def __init__(self) -> None:
        super().__init__("the ciphertext was altered, cut short, or made for another key")


class KeyUnusable(SigningError):
    """A key that is malformed, cannot be unlocked, or is not meant for this use."""

    code = "SIGNING-KEY-UNUSABLE"
    title = "Key unusable"


class EvidenceRefused(SigningError):
    """A certificate, seal, time stamp or proof that must not be trusted."""

    code = "SIGNING-EVIDENCE-REFUSED"
    title = "Evidence refused"
