"""The errors of the hub, continuing the tree that `signing.errors` roots.

ShuzhengError (signing.errors)
├── BadInput                        the request or file is wrong; says what to mend          400
│   ├── SchemaViolation             fields or rows break their declared form                 422
│   ├── TooLarge                    over a set limit                                         413
│   ├── UnsupportedContent          a content type or encoding that is not read here         415
│   └── RangeOutside                a range of octets that a file does not have              416
├── Unauthenticated                 no token, an unknown one, an expired one                 401
│   ├── SignatureRefused            the request's signature is missing or does not hold
│   └── SecondFactorNeeded          the password is right; a second factor is enrolled
├── Forbidden                       known caller, not allowed                                403
│   ├── ScopeMissing                the system lacks a scope
│   ├── AddressRefused              the system may not call from this address
│   ├── PasswordInitial             the initial password must be changed first
│   ├── GrantMissing                no grant covers this resource, item, row or mode
│   └── PurposeMissing              the call carries no purpose context
├── NotFound                        nothing of that name that the caller may know of         404
├── Conflict                        the present state forbids it                             409
│   ├── IdempotencyConflict         the same Idempotency-Key with another body
│   └── Closed                      a resource that was recalled, or whose successor took over
├── RateLimited                     a limit is used up; wait, then ask again                 429
├── PreconditionFailed              a guard would be broken (e.g. a snapshot deleting much)  412
└── Unavailable                     a part that the hub stands on is down; try again         503

The HTTP status of each is decided in one table at the edge (`hub.problems`).
"""

from __future__ import annotations

from signing.errors import FieldError as FieldError
from signing.errors import ShuzhengError as ShuzhengError


class BadInput(ShuzhengError):
    """The request or file is wrong; the sentence says what to mend."""

    code = "INPUT-INVALID"
    title = "Invalid input"


class SchemaViolation(BadInput):
    """Fields or rows break their declared form; `errors` points at each."""

    code = "INPUT-SCHEMA"
    title = "Input breaks its declared form"


class TooLarge(BadInput):
    """The input is over a set limit."""

    code = "INPUT-TOO-LARGE"
    title = "Input too large"


class UnsupportedContent(BadInput):
    """A content type or character encoding that is not read here."""

    code = "INPUT-UNSUPPORTED"
    title = "Content not supported"


class RangeOutside(BadInput):
    """A range of octets that the file does not have (RFC 9110 15.5.17)."""

    code = "RANGE-OUTSIDE"
    title = "Range not satisfiable"


class Unauthenticated(ShuzhengError):
    """No token, an unknown one, or one that has expired or been revoked."""

    code = "AUTH-REQUIRED"
    title = "Authentication required"


class TokenExpired(Unauthenticated):
    """The token was good and has expired; ask for a new one."""

    code = "AUTH-TOKEN-EXPIRED"
    title = "Token expired"


class SignatureRefused(Unauthenticated):
    """The request's signature (RFC 9421) is missing, does not hold, or was used before."""

    code = "AUTH-SIGNATURE"
    title = "Request signature refused"


class SecondFactorNeeded(Unauthenticated):
    """The password is right, and the login has a second factor that was not sent."""

    code = "AUTH-SECOND-FACTOR"
    title = "Second factor needed"


class Forbidden(ShuzhengError):
    """The caller is known and not allowed to do this."""

    code = "AUTH-FORBIDDEN"
    title = "Forbidden"


class ScopeMissing(Forbidden):
    """The calling system was not given the scope that this call needs."""

    code = "AUTH-SCOPE-MISSING"
    title = "Scope missing"


class AddressRefused(Forbidden):
    """The calling system is limited to other addresses."""

    code = "AUTH-ADDRESS"
    title = "Address not allowed"


class PasswordInitial(Forbidden):
    """The password is the one that an administrator handed out; it must be changed first."""

    code = "AUTH-PASSWORD-INITIAL"
    title = "Initial password"


class GrantMissing(Forbidden):
    """No grant in force covers this resource, item, row or mode."""

    code = "ACCESS-NOT-GRANTED"
    title = "Not granted"


class PurposeMissing(Forbidden):
    """The call does not say for which service item, case and operator it is made."""

    code = "ACCESS-PURPOSE-MISSING"
    title = "Purpose context missing"


class NotFound(ShuzhengError):
    """Nothing of that name that the caller may know of."""

    code = "NOT-FOUND"
    title = "Not found"


class Conflict(ShuzhengError):
    """The present state forbids what was asked."""

    code = "STATE-CONFLICT"
    title = "Conflict with the present state"


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key came before with another body."""

    code = "IDEMPOTENCY-CONFLICT"
    title = "Idempotency-Key used with another body"


class Closed(Conflict):
    """The resource was recalled, or its successor has taken over."""

    code = "RESOURCE-CLOSED"
    title = "Resource closed"


class PreconditionFailed(ShuzhengError):
    """A guard would be broken by going on."""

    code = "PRECONDITION-FAILED"
    title = "Precondition failed"


class RateLimited(ShuzhengError):
    """A limit on calls, rows or wrong guesses is used up; ask again when it is renewed.

    `retry_after_s` tells in how many seconds, where that is known; it becomes the header Retry-After.
    """

    code = "LIMIT-REACHED"
    title = "Limit reached"

    def __init__(
        self, detail: str, *, errors: tuple[FieldError, ...] = (), retry_after_s: int | None = None
    ) -> None:
        super().__init__(detail, errors=errors)
        self.retry_after_s = retry_after_s


class Unavailable(ShuzhengError):
    """A part that the hub stands on is down; nothing was changed; try again later."""

    code = "SERVICE-UNAVAILABLE"
    title = "Service unavailable"
