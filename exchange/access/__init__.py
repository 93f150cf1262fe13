"""Access (授权): who applies for which items and why, who decides, and the grants that come of it."""
