"""The words of the sharing services (GB/T 36906-2018): results, and what requests carry.

The text of the standard was not at hand. The set of operations and the results 0 to 5 of a verification are
those on which deployed platforms agree; paths and names of parameters are those of one such platform, and
the results of calls are those of the national platform.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_CAUSE: Final = 200
MAX_TEXT: Final = 200
MAX_CONTENT: Final = 40_000_000


class CallResult(IntEnum):
    """What a call ends with: the codes of the national platform."""

    OK = 0
    TIMEOUT = 1
    NO_CERTIFICATE = 10
    NOT_AUTHENTICATED = 11
    INPUT_EMPTY = 12
    TYPE_UNKNOWN = 13
    HOLDER_TYPE_WRONG = 14
    CANCELLED = 21
    EXPIRED = 22
    RESTRICTED = 23
    UNREADABLE = 24
    OTHER = 99


class FileResult(IntEnum):
    """What a verification of a file ends with."""

    PASSED = 0
    SEAL_REFUSED = 1
    FILE_REFUSED = 2


class Head(BaseModel):
    """Who calls, and for which case: the token, service item, case number and operator.

    Counterparts send further members, which are ignored.
    """

    model_config = ConfigDict(extra="ignore")

    accessId: str | None = Field(default=None, max_length=MAX_TEXT, description="the system; not compared")  # noqa: N815
    accessToken: str | None = Field(  # noqa: N815 - the names are the platforms'
        default=None, max_length=512, description="a token of POST /v1/oauth/token; or send it as Bearer"
    )
    itemCode: str | None = Field(default=None, max_length=128, description="service item (事项编码)")  # noqa: N815
    businessCode: str | None = Field(default=None, max_length=128, description="case number (办件编号)")  # noqa: N815
    username: str | None = Field(default=None, max_length=128, description="operator (经办人)")


class Asked(BaseModel):
    """What a call asks for; each operation reads the members that it knows."""

    model_config = ConfigDict(extra="ignore")

    certificateIdentifier: str | None = Field(default=None, max_length=128)  # noqa: N815
    certTypeCode: str | None = Field(default=None, max_length=64)  # noqa: N815
    certNo: str | None = Field(default=None, max_length=128)  # noqa: N815
    holder: str | None = Field(default=None, max_length=MAX_TEXT)
    holderCode: str | None = Field(default=None, max_length=64)  # noqa: N815
    holderTypeCode: str | None = Field(default=None, max_length=3)  # noqa: N815
    qrCode: str | None = Field(default=None, max_length=4096)  # noqa: N815
    useCause: str | None = Field(default=None, max_length=MAX_CAUSE)  # noqa: N815
    metadataRange: str | None = Field(  # noqa: N815
        default=None, max_length=2000, description="short names (GB/T 36903) behind commas; all where empty"
    )
    copyMaker: str | None = Field(default=None, max_length=MAX_TEXT)  # noqa: N815
    copyExpiry: str | None = Field(default=None, max_length=32, description="YYYYMMDDhhmmss, China time")  # noqa: N815
    fileType: str = Field(default="ofd", max_length=8)  # noqa: N815
    certificateData: dict[str, str] = Field(default_factory=dict, max_length=200)  # noqa: N815
    contentType: str = Field(default="base64", max_length=16)  # noqa: N815
    content: str | None = Field(default=None, max_length=MAX_CONTENT)


class RequestIn(BaseModel):
    """A request: head and data."""

    model_config = ConfigDict(extra="ignore")

    head: Head
    data: Asked = Field(default_factory=Asked)


class ResponseHead(BaseModel):
    """How the call ended."""

    status: CallResult
    message: str


class ResponseOut(BaseModel):
    """An answer: head and data; data is null where the call was refused."""

    head: ResponseHead
    data: Any = None
