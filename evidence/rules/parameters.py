"""Parameters that several routes of rules take."""

from typing import Annotated

from fastapi import Query

VersionNumber = Annotated[int, Query(ge=1, lt=2**31, description="number of a version")]
OptionalVersion = Annotated[int | None, Query(ge=1, lt=2**31, description="number of a version")]
