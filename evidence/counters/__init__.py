"""Counters per item, office and month, for the annual assessment; computed from the cases themselves."""
