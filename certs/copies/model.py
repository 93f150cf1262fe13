"""The domain words of annotated copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from certs.issue.production import ProducedFile
from certs.seals.model import OpenSeal
from core.caller import OrganisationCode
from core.china_time import CHINA_TIME

MAX_CAUSE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotatedCopy:
    """One copy: of which certificate, for whom, why, and until when it may be relied upon."""

    id: UUID
    identifier: str
    maker_code: OrganisationCode
    maker_name: str
    cause: str
    service_item: str
    case_number: str
    operator: str
    made_at: datetime
    expires_at: datetime
    seal_id: UUID
    object_key: str
    size_bytes: int
    digest_sm3: bytes
    sealed_sm3: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFile:
    """A copy with its file."""

    copy: AnnotatedCopy
    data: bytes = field(repr=False)


class Annotate(Protocol):
    """Derives and seals the file of a copy. Blocks; raises ShuzhengError subclasses."""

    def __call__(
        self,
        original: bytes,
        *,
        metadata: Mapping[str, str],
        watermark: str,
        seal: OpenSeal,
        sealed_at: datetime,
    ) -> ProducedFile: ...


def copy_metadata(*, maker: str, cause: str, made_at: datetime, expires_at: datetime) -> dict[str, str]:
    """Build the four elements that only copies carry (GB/T 36903-2018), times in China time."""
    return {
        "JZJZZSJ": _moment(made_at),
        "JZJZZZ": maker,
        "JZJZZSY": cause,
        "JZJYXQJZSJ": _moment(expires_at),
    }


def watermark_text(*, maker: str, cause: str, expires_at: datetime) -> str:
    """Say on the page what the copy is for, and that it is for nothing else."""
    day = expires_at.astimezone(CHINA_TIME).strftime("%Y-%m-%d %H:%M")
    return f"仅用于：{cause}　{maker}　{day} 前有效"


def _moment(at: datetime) -> str:
    return at.astimezone(CHINA_TIME).strftime("%Y%m%d%H%M%S")
