"""Remembering on an error that its refusal is in the log already."""

from __future__ import annotations

from typing import TypeVar

Error = TypeVar("Error", bound=Exception)


def mark_recorded(error: Error) -> Error:
    """Note on an error that a leaf records it; return it."""
    error.__dict__["is_in_log"] = True
    return error


def is_recorded(error: Exception) -> bool:
    """Tell whether a leaf records an error."""
    return bool(error.__dict__.get("is_in_log"))
