"""Verification (核验): facts checked against a resource; the answer is never the true value."""
