"""Schema evolution: what may change at once, what needs a new major version, and who would break on it."""
