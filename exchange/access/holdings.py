"""Who holds which rows: the record that lets a correction find everybody who was given the old value."""

from __future__ import annotations

from core.log.writer import LogWriter
from exchange.access.values import SUBJECT_RULES
from exchange.catalogue.model import Resource


def leaf_names_rows(resource: Resource) -> bool:
    """Tell whether a row is named by the one subject in a leaf: its only key is a personal or firm number."""
    return len(resource.key_items) == 1 and resource.key_items[0].check_rule in SUBJECT_RULES


def row_salt(log: LogWriter, resource_code: str) -> bytes:
    """Return the secret under which the rows of a resource are digested in `row_holder`."""
    return log.hash_subject(f"row-holder/{resource_code}")
