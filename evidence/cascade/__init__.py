"""Cascade: what a change of a source row or a certificate moves, shown before and done by rule."""
