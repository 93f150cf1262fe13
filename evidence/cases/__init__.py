"""The evidence request: what of a case's materials the hub supplies, and what remains, all at once."""
