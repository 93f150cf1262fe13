"""The parsers of `signing`, each as a function that takes octets and may raise only our own errors.

What follows a parser in the same breath (verification, assessment, answering) runs too, so that nothing that
a parser lets through breaks what comes after it.
"""

from __future__ import annotations

from tests.fuzz import binary_targets, text_targets
from tests.fuzz.target import TARGETS, Target

__all__ = ("TARGETS", "Target", "binary_targets", "text_targets")
