"""The domain words of sharing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from core.caller import Caller, OrganisationCode, Purpose, SystemId
from exchange.access.model import Grant
from exchange.catalogue.model import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Whom a profile file stands for: a grant, the system that fetched it, and what for.

    With `subscription_id` it is a profile of that subscription's share, under the subscription's grant.
    """

    id: UUID
    grant_id: UUID
    resource_code: str
    organisation_code: OrganisationCode
    system_id: SystemId
    purpose: Purpose
    created_at: datetime
    expires_at: datetime
    subscription_id: UUID | None = None
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    @property
    def share(self) -> str:
        """The name of the only share that the profile sees."""
        if self.subscription_id is not None:
            return f"subscription_{self.subscription_id.hex[:8]}"
        return f"grant_{self.grant_id.hex[:8]}"

    @property
    def share_id(self) -> UUID:
        """The id of that share."""
        return self.subscription_id or self.grant_id

    def is_good(self, at: datetime) -> bool:
        """Tell whether the profile may be used at `at`."""
        return self.revoked_at is None and at < self.expires_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A call that was let in: the profile, who calls, the grant that holds, and the resource as it is now."""

    profile: Profile
    caller: Caller
    grant: Grant
    resource: Resource

    @property
    def share(self) -> str:
        """The name of the only share that the profile sees."""
        return self.profile.share

    @property
    def schema(self) -> str:
        """The name of the only schema of the share: the resource's theme."""
        return str(self.resource.theme)

    @property
    def table(self) -> str:
        """The name of the only table: the resource's code."""
        return self.resource.code


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The least and the greatest value of a column of a file, as text, and how many nulls it has.

    Both ends are None where the column holds nothing else, or its values are too long to keep.
    """

    low: str | None
    high: str | None
    nulls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A Parquet file that a view's readers may fetch. `source` names what of the lake it was made from."""

    source: str
    object_key: str
    rows: int
    size_bytes: int
    stats: Mapping[str, Span]


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionFiles:
    """The files of one hub version: those of the whole, or of its changes."""

    version: int
    committed_at: datetime
    files: tuple[SharedFile, ...]
