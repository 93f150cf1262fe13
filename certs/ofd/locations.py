"""Resolve locations in a package (ST_Loc, GB/T 33190-2016 7.2)."""

from __future__ import annotations

import posixpath
from typing import Final

from signing.errors import DecodeError

MAX_CHARACTERS: Final = 1024


def resolve_location(location: str, *, base: str) -> str:
    """Resolve a location written in the file `base` to an absolute path such as `/Doc_0/Document.xml`.

    `/x` counts from the root of the package, anything else from the folder of `base`. Case matters. Raises
    DecodeError for locations that are empty, over-long, or climb out of the package.
    """
    return resolve_in_folder(location, folder=posixpath.dirname(base))


def resolve_in_folder(location: str, *, folder: str) -> str:
    """Resolve a location against a folder, as resource files do by their BaseLoc. Raises DecodeError."""
    if not 0 < len(location) <= MAX_CHARACTERS or "\\" in location or "\x00" in location:
        msg = "a location in the package is empty, over-long, or has characters that it must not have"
        raise DecodeError(msg)
    parts: list[str] = []
    start = "" if location.startswith("/") else folder
    for part in f"{start}/{location}".split("/"):
        if part == "..":
            if not parts:
                msg = "a location climbs out of the package"
                raise DecodeError(msg)
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    return "/" + "/".join(parts)
